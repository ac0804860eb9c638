"""The request target: which path it names, judged as it was sent and decoded exactly once."""

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")
_SCHEME = re.compile(r"https?://[^/?#]*", re.IGNORECASE)


class BadTarget(ValueError):
    """A target that names no path: it is answered with 400."""


@dataclass(frozen=True, slots=True)
class Target:
    """A path without its leading slash, decoded ("" is the root, a folder ends with a slash).

    `sent_path` and `query` are as they were sent: the path with its slash, the query without its mark.
    """

    path: str
    sent_path: str
    query: str

    @property
    def is_folder(self) -> bool:
        return not self.path or self.path.endswith("/")


def parse_target(sent: str) -> Target:
    """Read a target in origin-form or absolute-form (RFC 9112 section 3.2), given as Latin-1.

    Raises `BadTarget` for broken escapes, bytes that are no UTF-8, control characters, a backslash
    or a segment that is `.` or `..`, whether it was escaped or not.
    """
    if not sent.startswith("/"):
        scheme = _SCHEME.match(sent)
        if scheme is None:
            raise BadTarget("the target is no path")
        sent = sent[scheme.end() :] or "/"
    sent_path, _, query = sent.partition("?")
    return Target(_decoded(sent_path)[1:], sent_path, query)


def _decoded(sent_path: str) -> str:
    if _BROKEN_ESCAPE.search(sent_path):
        raise BadTarget("it has a % that is not followed by two hexadecimal digits")
    try:
        path = unquote_to_bytes(sent_path.encode("latin-1")).decode()
    except UnicodeError as error:
        raise BadTarget("it is not UTF-8") from error
    if _FORBIDDEN.search(path):
        raise BadTarget("it has a control character or a backslash")
    if any(segment in (".", "..") for segment in path.split("/")):
        raise BadTarget("it has a segment that is . or ..")
    return path
