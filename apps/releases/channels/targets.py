"""The request target: which path it names, judged as it was sent and decoded exactly once."""

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from apps.caching.addresses import escaped

DJANGOS_FOLDERS = ("/-/", "/library/")  # pages of the program at the public door, in no release
OWN_AGENT = "Assetsite-Verify/1"  # the User-Agent under which this site asks for what it serves

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")
_ABSOLUTE = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)
_HOST = re.compile(
    r"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?",
)


class BadTarget(ValueError):
    """A target that names no path: it is answered with 400."""


@dataclass(frozen=True, slots=True)
class Target:
    """A path, decoded, composed (NFC), and without its leading slash; a query as it was sent.

    "" is the root, and a folder ends with a slash. `was_composed` says whether the path was sent in
    the Unicode form that paths are kept in.
    """

    path: str
    query: str
    was_composed: bool

    @property
    def is_folder(self) -> bool:
        return not self.path or self.path.endswith("/")

    def location(self, *, without: str = "", suffix: str = "") -> str:
        """Return the target that names the path, `without` its end or with a `suffix`, and the same query."""
        path = escaped(self.path.removesuffix(without) + suffix)
        return f"/{path}{f'?{self.query}' if self.query else ''}"


def split_form(sent: str) -> tuple[str | None, str]:
    """Split an absolute-form target into its authority and the rest; origin-form has no authority.

    Where there is an authority, Host does not count (RFC 9112 section 3.2.2).
    """
    absolute = _ABSOLUTE.match(sent)
    if absolute is None:
        return None, sent
    rest = sent[absolute.end() :]
    return absolute[1], rest if rest.startswith("/") else f"/{rest}"


def authority_fault(authority: str | None) -> str | None:
    """Return why an absolute-form target with this authority is answered with 400, None if it is not.

    It has to name a host, and nobody's password (RFC 9110 sections 4.2.1 and 4.2.4).
    """
    if authority is None or (authority and authority[0] != ":" and _HOST.fullmatch(authority)):
        return None
    return "the host that its target names is none"


def host_fault(host: str | None, *, protocol: str) -> str | None:
    """Return why a request with this Host header is answered with 400, None if it is not.

    HTTP/1.1 asks for the header, and any version for a host with an optional port and nothing else
    (RFC 9112 section 3.2, RFC 3986 section 3.2.2).
    """
    if host is None:
        return None if protocol == "HTTP/1.0" else "it has no Host header"
    return None if _HOST.fullmatch(host) else "its Host header is not a host"


def parse_target(sent: str) -> Target:
    """Read a target in origin-form or absolute-form (RFC 9112 section 3.2), given as Latin-1.

    Raises `BadTarget` for broken escapes, bytes that are no UTF-8, control characters, a backslash,
    a fragment, and a segment that is empty, `.` or `..`, whether it was escaped or not.
    """
    _, sent = split_form(sent)
    if not sent.startswith("/"):
        raise BadTarget("the target is no path")
    if "#" in sent:
        raise BadTarget("it has a fragment (#), which is for the browser; in a name it is %23")
    sent_path, _, query = sent.partition("?")
    path = _decoded(sent_path)
    composed = unicodedata.normalize("NFC", path)
    return Target(composed, query, was_composed=composed == path)


def _decoded(sent_path: str) -> str:
    if _BROKEN_ESCAPE.search(sent_path):
        raise BadTarget("it has a % that is not followed by two hexadecimal digits")
    try:
        path = unquote_to_bytes(sent_path.encode("latin-1")).decode()[1:]
    except UnicodeError as error:
        raise BadTarget("it is not UTF-8") from error
    if _FORBIDDEN.search(path):
        raise BadTarget("it has a control character or a backslash")
    *folders, last = path.split("/")
    if "" in folders:
        raise BadTarget("it has an empty segment (//)")
    if any(segment in (".", "..") for segment in (*folders, last)):
        raise BadTarget("it has a segment that is . or ..")
    return path
