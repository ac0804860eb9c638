"""How a path is written in an address."""

from urllib.parse import quote

_UNESCAPED = "/:@!$&'()*+,;=~"  # RFC 3986 section 3.3: what a path may hold as it is


def escaped(path: str) -> str:
    """Return a path, or a part of one, with escapes for all that an address does not hold as it is."""
    return quote(path, safe=_UNESCAPED)
