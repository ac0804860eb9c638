"""A `_headers` file for Netlify or Cloudflare Pages: each path of a manifest with the headers that it has.

Read: docs.netlify.com, custom headers; developers.cloudflare.com, Pages: headers. All blocks that match a
path count there, so that rules would add up; a block a path says what the rules have decided, no more.
Bypass conditions have no words in such a file.
"""

from collections.abc import Iterable, Iterator
from urllib.parse import quote

from apps.caching.exports.source import RuleSet, commented, description
from apps.caching.rules import HeaderSet

NAME = "_headers"
_MEANS_MORE = frozenset("*:")  # a splat and a placeholder
_BY_ITSELF = frozenset({"content-type"})  # what such a host says of a file by itself
_UNESCAPED = "/@!$&'()+,;=~"


def headers_file(rules: RuleSet, files: Iterable[tuple[str, HeaderSet]]) -> Iterator[str]:
    """Yield the lines of the file. `files` come in the order of their paths; the same give the same lines."""
    yield from commented([*description(rules), "Conditions to step aside for are not said here."])
    without_ending: set[str] = set()
    for path, header_set in files:
        if _MEANS_MORE & set(path):
            yield from commented([f"A path with * or : cannot be written here: {path}"])
            continue
        lines = [f"  {name}: {value}" for name, value in header_set.headers if name not in _BY_ITSELF]
        for address in _addresses(path):
            if address not in without_ending:  # blocks of one address would add up
                yield from (address, *lines)
        if "." not in path.rpartition("/")[2]:
            without_ending.add(_sent(path))


def _addresses(path: str) -> Iterator[str]:
    """Yield what a file is asked for as: a page also without its ending."""
    sent = _sent(path)
    yield sent
    if sent.endswith("/index.html"):
        yield sent.removesuffix("index.html")
    elif sent.endswith(".html"):
        yield sent.removesuffix(".html")


def _sent(path: str) -> str:
    return "/" + quote(path, safe=_UNESCAPED)
