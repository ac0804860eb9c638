"""What the public door answers, whichever server it is behind: the node's releases, and what is none."""

import logging
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import replace

from apps.delivery.files import FileFault
from apps.delivery.node import current_node
from apps.delivery.respond import Request, Response, plain, respond
from apps.refusals import Refusal
from apps.releases.channels.targets import DJANGOS_FOLDERS, authority_fault, host_fault, split_form

logger = logging.getLogger(__name__)

RETRY = {"retry-after": "5"}
STORAGE_FAULTS = (OSError, sqlite3.Error, Refusal)  # storage does not have something as it should


def is_djangos(target: str) -> bool:
    """Say whether a target is a page of Django's on the public door, rather than a published path."""
    return split_form(target)[1].startswith(DJANGOS_FOLDERS)


def answer(request: Request, *, protocol: str) -> Response:
    """Answer with the live release of the request's host; `protocol` is such as `HTTP/1.1`."""
    authority, _ = split_form(request.target)
    fault = host_fault(request.headers.get("host"), protocol=protocol) or authority_fault(authority)
    if fault:
        return _for_method(request.method, plain(400, f"This request cannot be read: {fault}."))
    node = current_node()
    node.follow()
    host = request.headers.get("host", "") if authority is None else authority
    release = node.release_for(host)
    if release is not None:
        return respond(request, release, now=int(time.time()))
    channel = node.channel_of(host)
    return _for_method(
        request.method, _nothing_live(channel, node.faults) if channel else _unknown_host(host)
    )


def unreadable(request: Request, fault: BaseException, instead_of: Response | None = None) -> Response:
    """Answer where storage does not have a file as it should: it may have it again in a moment.

    It counts for the rule of the answer that it is sent instead of, if there was one already. What a
    `FileFault` says is in the log already, once and not for each request.
    """
    if not isinstance(fault, FileFault):
        logger.error("%s cannot be served: storage does not have it.", request.target, exc_info=fault)
    response = _for_method(request.method, plain(503, "This file cannot be read just now.", more=RETRY))
    return response if instead_of is None else replace(response, tally=instead_of.tally)


def _unknown_host(host: str) -> Response:
    return plain(
        404,
        f"No channel is served under the name {host!r}."
        " `scripts/manage channel host production HOST` gives it to a channel, as does CHANNEL_HOSTS.",
    )


def _nothing_live(channel: str, faults: Mapping[str, str]) -> Response:
    if channel in faults:
        return plain(503, f"What {channel} serves cannot be read just now.", more=RETRY)
    return plain(
        503,
        f"Nothing has been published on {channel} yet."
        " Import a folder (scripts/manage import FOLDER --title First), submit and publish it.",
        more=RETRY,
    )


def _for_method(method: str, response: Response) -> Response:
    return Response(response.status, response.headers) if method == "HEAD" else response
