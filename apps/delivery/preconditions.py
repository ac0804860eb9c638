"""Conditional requests (RFC 9110 section 13)."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum

_ENTITY_TAG = re.compile(r'\s*(W/)?("[\x21\x23-\x7e\x80-\xff]*")\s*')


class Outcome(Enum):
    PROCEED = "proceed"
    NOT_MODIFIED = "not modified"
    FAILED = "failed"


def evaluate(headers: Mapping[str, str], *, etag: str, last_modified: int) -> Outcome:
    """Decide a GET or HEAD of a representation that exists, in the order of section 13.2.2.

    `headers` have names in lower case; `etag` is strong and quoted; `last_modified` counts seconds
    since 1970. NOT_MODIFIED is a 304, FAILED a 412.
    """
    if "if-match" in headers:
        if not _lists(headers["if-match"], etag, is_weak_enough=False):
            return Outcome.FAILED
    elif "if-unmodified-since" in headers:
        since = parse_date(headers["if-unmodified-since"])
        if since is not None and last_modified > since:
            return Outcome.FAILED
    if "if-none-match" in headers:
        if _lists(headers["if-none-match"], etag, is_weak_enough=True):
            return Outcome.NOT_MODIFIED
    elif "if-modified-since" in headers:
        since = parse_date(headers["if-modified-since"])
        if since is not None and last_modified <= since:
            return Outcome.NOT_MODIFIED
    return Outcome.PROCEED


def if_range_holds(value: str, *, etag: str, last_modified: int, now: int) -> bool:
    """Say whether a range may be sent under If-Range (section 13.1.5): the client has this very content.

    A weak tag never holds. A date holds if it is the one that is sent and more than a second old: within
    that second there may have been two contents (section 8.8.2.2).
    """
    tag = _ENTITY_TAG.fullmatch(value)
    if tag:
        return not tag[1] and tag[2] == etag
    return parse_date(value) == last_modified and now > last_modified + 1


def parse_date(value: str) -> int | None:
    """Read an HTTP-date in any of its three forms as seconds since 1970; None where it is none."""
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError):
        return None
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())


def _lists(value: str, etag: str, *, is_weak_enough: bool) -> bool:
    """Say whether a list of entity tags names `etag`, or is `*`, by strong or weak comparison."""
    if value.strip() == "*":
        return True
    return any(tag == etag and (is_weak_enough or not weak) for weak, tag in _entity_tags(value))


def _entity_tags(value: str) -> Iterator[tuple[str | None, str]]:
    """Yield (weak mark, tag) of a list; what follows a malformed element is not read."""
    position = 0
    while match := _ENTITY_TAG.match(value, position):
        yield match[1], match[2]
        position = match.end()
        if value[position : position + 1] != ",":
            return
        position += 1
