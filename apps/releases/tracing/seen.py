"""Headers of an answer that somebody saw somewhere, as they are pasted; nothing in them is believed."""

import re
from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_CHARACTERS = 65_536
MAX_HEADERS = 200
_STATUS = re.compile(r"HTTP/[\d.]+[ \t]+(\d{3})\b")
_HEADER = re.compile(r":?([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100})[ \t]*:[ \t]*(.*)")
_NAME_ALONE = re.compile(r":?([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}):?")
_CURL = re.compile(r"[<>*{}] ?")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\t\xa0-\U0010ffff]")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_REPR_SHA256 = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")
_DIGITS = re.compile(r"\d{1,10}")


class PasteFault(ValueError):
    """Why something cannot be read as the headers of an answer, as a sentence."""


@dataclass(frozen=True, slots=True)
class Hop:
    """A cache on the way, as far as it names itself: in which header, and what it said."""

    header: str
    words: str
    was_hit: bool | None = None


@dataclass(frozen=True, slots=True)
class SeenAnswer:
    """Status (None where it was not pasted) and headers by lower-case name; repeated ones are joined."""

    status: int | None
    headers: dict[str, str]

    @property
    def digest(self) -> str:
        """The SHA-256 (hex) of the bytes, as Repr-Digest or our ETag says it; "" where neither does."""
        named = _REPR_SHA256.search(self.headers.get("repr-digest", ""))
        if named:
            return b64decode(named[1]).hex()
        found = _SHA256.search(self.headers.get("etag", "").lower())
        return found[0] if found else ""

    @property
    def release(self) -> int | None:
        return _number(self.headers.get("assetsite-release", ""))

    @property
    def rule(self) -> str:
        return self.headers.get("assetsite-rule", "")

    @property
    def preview_digest(self) -> str:
        """The digest of the manifest that a preview names, "" where it is none."""
        return self.headers.get("assetsite-digest", "").removeprefix("sha256:")

    @property
    def age_seconds(self) -> int | None:
        return _number(self.headers.get("age", "").partition(",")[0].strip())

    @property
    def date(self) -> datetime | None:
        """When the origin answered, as Date says."""
        try:
            found = parsedate_to_datetime(self.headers.get("date", ""))
        except (TypeError, ValueError, OverflowError):
            return None
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    @property
    def hops(self) -> list[Hop]:
        """The caches that name themselves, those of Cache-Status (RFC 9211) nearest to the origin first."""
        return [*self._cache_status(), *self._others()]

    def _cache_status(self) -> list[Hop]:
        hops = []
        for member in filter(None, map(str.strip, self.headers.get("cache-status", "").split(","))):
            parameters = {part.strip().partition("=")[0].lower() for part in member.split(";")[1:]}
            was_hit = "hit" in parameters if parameters & {"hit", "fwd"} else None
            hops.append(Hop("Cache-Status", member, was_hit))
        return hops

    def _others(self) -> list[Hop]:
        known = ("via", "x-cache", "x-cache-status", "cf-cache-status", "x-varnish", "x-served-by", "cf-ray")
        return [Hop(name.title(), value, _hit(value)) for name in known if (value := self.headers.get(name))]


def seen_answer(pasted: str) -> SeenAnswer:
    """Read what `curl -i`, `curl -v` or a browser's tools show of an answer.

    Of several answers, as where redirects were followed, the last counts; a body after the headers is left
    out. Raises `PasteFault`.
    """
    if len(pasted) > MAX_CHARACTERS:
        raise PasteFault(f"That has {len(pasted):,} characters; the headers of an answer have few thousand.")
    status, pairs = _last_block(pasted.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    if not pairs:
        raise PasteFault("There is no header in it: they are lines of a name, a colon and a value.")
    if len(pairs) > MAX_HEADERS:
        raise PasteFault(f"That has {len(pairs)} headers; an answer has at most {MAX_HEADERS}.")
    headers: dict[str, str] = {}
    for name, value in pairs:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    named = _number(headers.pop("status", "").partition(" ")[0])
    return SeenAnswer(status or named, headers)


def _last_block(lines: list[str]) -> tuple[int | None, list[tuple[str, str]]]:
    """Return status and headers of the last answer in `lines`."""
    status: int | None = None
    pairs: list[tuple[str, str]] = []
    is_over, waiting = False, ""
    for whole in map(_cleaned, lines):
        line = whole.strip()
        begun = _STATUS.match(line)
        if begun:
            status, pairs, is_over, waiting = int(begun[1]), [], False, ""
        elif not line:
            is_over, waiting = is_over or bool(pairs), ""
        elif is_over:
            continue
        elif waiting:
            pairs.append((waiting, line))
            waiting = ""
        elif (header := _HEADER.fullmatch(line)) and header[2]:
            pairs.append((header[1].lower(), header[2].strip()))
        elif pairs and whole[0].isspace():  # a folded line (RFC 9112 section 5.2)
            name, value = pairs.pop()
            pairs.append((name, f"{value} {line}"))
        elif alone := _NAME_ALONE.fullmatch(line):
            waiting = alone[1].lower()  # some browsers copy name and value as two lines
    return status, pairs


def _cleaned(line: str) -> str:
    """Return a line without what curl -v puts before it, and without what nobody can read."""
    prefix = _CURL.match(line)
    if prefix:
        line = line[prefix.end() :] if line.startswith("<") else ""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", line)


def _hit(value: str) -> bool | None:
    words = value.lower()
    if "hit" in words:
        return True
    return False if any(word in words for word in ("miss", "bypass", "expired", "dynamic")) else None


def _number(text: str) -> int | None:
    return int(text) if _DIGITS.fullmatch(text) and text.isascii() else None
