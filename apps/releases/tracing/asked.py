"""What people paste when they ask about an address, read as a browser would send it. No Django."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from apps.releases.channels.hosts import HostFault, host_of

MAX_CHARACTERS = 8_192
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):(?!\d+(?:[/?#]|$))", re.IGNORECASE)
_KEPT = "%/:@!$&'()*+,;=~?[]|^\\`{}\"<>"  # everything in ASCII but the space: what a browser leaves alone
_FRAGMENT = "What follows the # stays in the browser: no server sees it."
_SECRET = "A name and password before the host were left out: no answer here depends on them."  # noqa: S105


class AddressFault(ValueError):
    """Why something is no address of a file, as a sentence."""


@dataclass(frozen=True, slots=True)
class AskedAddress:
    """An address: `host` as the Host header has it ("" for none), and the target, ASCII, as it is sent.

    `notes` are sentences on what was left out of what was pasted.
    """

    host: str
    target: str
    notes: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        return f"{self.host}{self.target}"


def asked_address(pasted: str, *, is_host: Callable[[str], bool] = lambda name: False) -> AskedAddress:
    """Read an address as it is copied from a browser's address bar, or a path with or without its slash.

    `is_host` tells whether the beginning of something without a scheme is a host. Raises `AddressFault`.
    """
    text = pasted.strip()
    if not text:
        raise AddressFault("There is no address.")
    if len(text) > MAX_CHARACTERS:
        raise AddressFault(f"That has {len(text):,} characters, an address at most {MAX_CHARACTERS:,}.")
    if _CONTROL.search(text):
        raise AddressFault("There is a line break or another control character in it: no address has one.")
    authority, rest = _split(text, is_host)
    rest, hash_sign, _ = rest.partition("#")
    _, at_sign, name = authority.rpartition("@")
    notes = [words for words, is_said in ((_FRAGMENT, hash_sign), (_SECRET, at_sign)) if is_said]
    return AskedAddress(_host(name) if authority else "", _target(rest), tuple(notes))


def _split(text: str, is_host: Callable[[str], bool]) -> tuple[str, str]:
    """Return the authority, "" where there is none, and the rest."""
    scheme = _SCHEME.match(text)
    if scheme and scheme[1].lower() not in ("http", "https"):
        raise AddressFault(f"{scheme[1]}: begins no address of a file here: http:// and https:// do.")
    if scheme:
        text = text[scheme.end() :]
        if not text.startswith("//"):
            raise AddressFault(f"{scheme[0]} is not followed by two slashes and a host.")
    if text.startswith("//"):
        return _divided(text[2:])
    authority, rest = _divided(text)
    looks_like_host = ":" in authority or is_host(authority.lower())
    return (authority, rest) if authority and looks_like_host else ("", text)


def _divided(text: str) -> tuple[str, str]:
    end = next((place for place, character in enumerate(text) if character in "/?#"), len(text))
    return text[:end], text[end:]


def _host(name: str) -> str:
    bare = re.sub(r":\d*$", "", name)
    try:
        host = host_of(bare)
    except HostFault as fault:
        raise AddressFault(f"{bare[:100]!r} is no host: it {fault.words}.") from fault
    if host == "*":
        raise AddressFault("* is no host.")
    return host


def _target(rest: str) -> str:
    path, question_mark, query = rest.partition("?")
    path = path if path.startswith("/") else f"/{path}"
    return quote(path, safe=_KEPT) + question_mark + quote(query, safe=_KEPT)
