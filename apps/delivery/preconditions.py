"""Conditional requests (RFC 9110 section 13)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

_ENTITY_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_ELEMENT = re.compile(rf"[ \t,]*{_ENTITY_TAG.pattern}[ \t]*(?=,|$)")  # empty elements do not count
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_DAY, _WEEKDAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)", "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_HTTP_DATES = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        rf"{_DAY}, (?P<day>\d\d) {_MONTH} (?P<year>\d{{4}}) {_TIME} GMT",
        rf"{_WEEKDAY}, (?P<day>\d\d)-{_MONTH}-(?P<year>\d\d) {_TIME} GMT",
        rf"{_DAY} {_MONTH} (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})",
    )
)


class Outcome(Enum):
    PROCEED = "proceed"
    NOT_MODIFIED = "not modified"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Validators:
    """What tells one content of a path from another (section 8.8).

    `etag` is strong and quoted. `last_modified` is what is sent as Last-Modified; `current_since` is
    when the channel was last switched: the later of the two after a roll back. Both count seconds since
    1970.
    """

    etag: str
    last_modified: int
    current_since: int

    def is_unmodified_since(self, moment: int) -> bool:
        """Say whether who had this path at `moment` has this very content.

        After a roll back Last-Modified is older than what a client may have seen in between, so being
        later than it proves nothing (docs/adr/0031). The very date that was sent does, and so does one
        from after the switch.
        """
        return moment == self.last_modified or moment >= max(self.last_modified, self.current_since)


def evaluate(headers: Mapping[str, str], validators: Validators) -> Outcome:
    """Decide a GET or HEAD of a representation that exists, in the order of section 13.2.2.

    `headers` have names in lower case. NOT_MODIFIED is a 304, FAILED a 412.
    """
    if "if-match" in headers:
        if not _lists(headers["if-match"], validators.etag, is_weak_enough=False):
            return Outcome.FAILED
    elif "if-unmodified-since" in headers:
        moment = parse_date(headers["if-unmodified-since"])
        if moment is not None and not validators.is_unmodified_since(moment):
            return Outcome.FAILED
    if "if-none-match" in headers:
        if _lists(headers["if-none-match"], validators.etag, is_weak_enough=True):
            return Outcome.NOT_MODIFIED
    elif "if-modified-since" in headers:
        moment = parse_date(headers["if-modified-since"])
        if moment is not None and validators.is_unmodified_since(moment):
            return Outcome.NOT_MODIFIED
    return Outcome.PROCEED


def if_range_holds(value: str, validators: Validators, *, now: int) -> bool:
    """Say whether a range may be sent under If-Range (section 13.1.5): the client has this very content.

    A weak tag never holds. A date holds if it is the one that is sent and more than a second old: within
    that second there may have been two contents (section 8.8.2.2).
    """
    tag = _ENTITY_TAG.fullmatch(value.strip(" \t"))
    if tag:
        return not tag[1] and tag[2] == validators.etag
    return parse_date(value) == validators.last_modified and now > validators.last_modified + 1


def parse_date(value: str) -> int | None:
    """Read an HTTP-date in any of its three forms as seconds since 1970 (section 5.6.7).

    None where it is none: then the field that it stands in does not count (section 13.1.3).
    """
    for form in _HTTP_DATES:
        if match := form.fullmatch(value.strip(" \t")):
            break
    else:
        return None
    year = int(match["year"])
    if len(match["year"]) == 2:
        year += 2000 if year < 70 else 1900
    month = _MONTHS.index(match["month"]) + 1
    day, hour, minute, second = (int(match[name]) for name in ("day", "hour", "minute", "second"))
    try:
        return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())
    except ValueError:  # the 31st of February
        return None


def _lists(value: str, etag: str, *, is_weak_enough: bool) -> bool:
    """Say whether a list of entity tags names `etag`, or is `*`, by strong or weak comparison."""
    if value.strip(" \t") == "*":
        return True
    return any(tag == etag and (is_weak_enough or not weak) for weak, tag in _entity_tags(value))


def _entity_tags(value: str) -> Iterator[tuple[str | None, str]]:
    """Yield (weak mark, tag) of a list; from a malformed element on, nothing is read."""
    position = 0
    while match := _ELEMENT.match(value, position):
        yield match[1], match[2]
        position = match.end()
