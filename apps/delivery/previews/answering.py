"""What a preview's host answers. Every front door asks here, and serves what comes out as it does its own."""

import logging
import time
from collections.abc import Mapping

from django.conf import settings

from apps.delivery.bodies import open_body
from apps.delivery.node import current_node
from apps.delivery.previews import pages, passwords
from apps.delivery.previews.addresses import ENTER_PATH, ROBOTS_PATH, STYLE_PATH
from apps.delivery.previews.banner import takes_banner, with_banner
from apps.delivery.previews.policy import as_preview, never_kept
from apps.delivery.previews.shown import FAULTS, Shown, current_previews
from apps.delivery.respond import Request, Response, plain, respond
from apps.delivery.routes import without_port
from apps.releases.channels.targets import DJANGOS_FOLDERS, split_form
from apps.releases.previews.hosts import preview_label

logger = logging.getLogger(__name__)

# With a banner a page is always sent whole, and as it is.
_CONDITIONS = ("match", "modified-since", "none-match", "range", "unmodified-since")
_NOT_FOR_BANNERED = {"accept-encoding", "range", *(f"if-{name}" for name in _CONDITIONS)}


_FOR_EVERYBODY = {STYLE_PATH: pages.style_sheet, ROBOTS_PATH: pages.robots}


def host_of(target: str, host: str | None) -> str:
    """Return the host that a request names: an absolute-form target's, else the Host header's."""
    authority, _ = split_form(target)
    return (host or "") if authority is None else authority


def is_preview(host: str) -> bool:
    """Say whether a host, as a request names it, is a preview's or would be: it is no channel's then.

    A channel that is given a host below the preview domain by name has it; `*` has none there.
    """
    is_below = preview_label(without_port(host.lower()), settings.PREVIEW_DOMAIN) is not None
    return is_below and current_node().channel_of(host) is None


def answer_preview(request: Request, *, form: bytes = b"") -> Response:
    """Answer a request for a preview's host; `form` is the body of a POST to `/-/preview`."""
    response = _answer(request, host_of(request.target, request.headers.get("host")), form)
    return Response(response.status, response.headers) if request.method == "HEAD" else response


def unreadable(request: Request, fault: BaseException) -> Response:
    """Answer where storage lacks something of a preview."""
    logger.error("%s of a preview cannot be shown: %s", request.target, fault)
    response = pages.unavailable()
    return Response(response.status, response.headers) if request.method == "HEAD" else response


def _answer(request: Request, host: str, form: bytes) -> Response:
    label = preview_label(without_port(host.lower()), settings.PREVIEW_DOMAIN)
    try:
        shown = current_previews().find(label or "")
    except FAULTS as fault:
        return unreadable(request, fault)
    if shown is None:
        return pages.gone()
    path = split_form(request.target)[1].partition("?")[0]
    if path in _FOR_EVERYBODY:
        return _FOR_EVERYBODY[path]()
    if shown.pointer.password and not passwords.has_cookie(request.headers.get("cookie", ""), shown.pointer):
        return _ask_password(request, shown, path, form)
    if path.startswith(DJANGOS_FOLDERS):
        is_form = path == ENTER_PATH
        return pages.moved("/") if is_form else never_kept(plain(404, "There is no such page."))
    return as_preview(_respond(request, shown, host), shown.pointer.digest)


def _ask_password(request: Request, shown: Shown, path: str, form: bytes) -> Response:
    if path != ENTER_PATH:
        return pages.ask_password(to=passwords.local_path(split_form(request.target)[1]))
    if request.method != "POST":
        return pages.ask_password(to="/")
    typed, to = passwords.read_form(form)
    guesses = passwords.current_guesses()
    seconds = guesses.take(shown.pointer.key)
    if seconds:
        minutes = -(-seconds // 60)
        fault = (
            f"That was tried too often. Wait {minutes} minute{'s' if minutes > 1 else ''}, then try again."
        )
        return pages.ask_password(to=to, fault=fault, status=429, retry_after=seconds)
    if not passwords.is_password(typed, shown.pointer):
        return pages.ask_password(to=to, fault="This is not the password. Ask whoever sent you the link.")
    guesses.forget(shown.pointer.key)
    return pages.moved(to, cookie=passwords.cookie_of(shown.pointer, now=time.time()))


def _respond(request: Request, shown: Shown, host: str) -> Response:
    """Answer from the release; a page gets its banner where that is on, a part of one does not."""
    now = int(time.time())
    is_page_load = request.headers.get("sec-fetch-dest", "document") == "document"
    if shown.pointer.has_banner and request.method in ("GET", "HEAD") and is_page_load:
        whole = respond(
            Request("GET", request.target, _without_conditions(request.headers)), shown.release, now=now
        )
        if takes_banner(whole):
            return with_banner(whole, _content(whole), shown.pointer, host=host)
    return respond(request, shown.release, now=now)


def _without_conditions(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in _NOT_FOR_BANNERED}


def _content(response: Response) -> bytes:
    body = open_body(response)
    if body is None:
        return b""
    try:
        return b"".join(iter(body.read, b""))
    finally:
        body.close()
