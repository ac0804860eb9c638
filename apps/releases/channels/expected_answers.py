"""What an address of a channel answers, as its manifest says: the content, another address, or nothing.

The same decisions as `apps.delivery.respond` takes for a GET, without headers of the request and without
bytes: enough to say whether two manifests answer alike, and what a probe has to get.
"""

from dataclasses import dataclass
from urllib.parse import quote

from apps.releases.manifest import ManifestReader
from apps.releases.redirects.values import location_of

INDEX = "index.html"
PAGE = ".html"
_UNESCAPED = "/:@!$&'()*+,;=~"  # RFC 3986 section 3.3: what a path may hold as it is
_MOVED = 308


@dataclass(frozen=True, slots=True)
class Addresses:
    """The options of a channel that say which addresses a file has."""

    clean_urls: bool = False
    not_found_page: str = "404.html"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, and with 200 the blob (SHA-256 in hex), its size and what its headers are; else a Location.

    A 404 is a 404, whichever page it shows: caches keep that for seconds.
    """

    status: int
    blob: str = ""
    size: int = 0
    headers: str = ""
    location: str = ""


MISSING = Answer(404)


def url_of(path: str) -> str:
    """Return the address of a path (decoded, no leading slash) as it is sent: `/caf%C3%A9/menu.txt`."""
    return "/" + quote(path, safe=_UNESCAPED)


def answer_at(reader: ManifestReader | None, path: str, addresses: Addresses) -> Answer:
    """Return what the address of `path` (decoded, no leading slash) answers; None stands for no manifest."""
    if reader is None:
        return MISSING
    is_folder = not path or path.endswith("/")
    found = _file(reader, path + INDEX if is_folder else path)
    if found is None and addresses.clean_urls and not is_folder:
        found = _file(reader, path + PAGE)
    elif found is not None and addresses.clean_urls and _has_cleaner_address(reader, path, addresses):
        return Answer(_MOVED, location=url_of(path.removesuffix(_superfluous(path))))
    if found is not None:
        return found
    return _elsewhere(reader, path, addresses, is_folder=is_folder)


def _elsewhere(reader: ManifestReader, path: str, addresses: Addresses, *, is_folder: bool) -> Answer:
    if not is_folder and reader.lookup(f"{path}/{INDEX}"):
        return Answer(_MOVED, location=url_of(path + "/"))
    if is_folder and path and addresses.clean_urls and reader.lookup(path[:-1] + PAGE):
        return Answer(_MOVED, location=url_of(path[:-1]))
    redirect = reader.redirect_for(path)
    return Answer(redirect.status, location=location_of(redirect, path)) if redirect else MISSING


def _file(reader: ManifestReader, path: str) -> Answer | None:
    entry = reader.lookup(path)
    if entry is None:
        return None
    headers = f"{reader.header_sets[entry.header_set].digest} {reader.link_of(path)}"
    return Answer(200, entry.blob, entry.size, headers)


def _has_cleaner_address(reader: ManifestReader, path: str, addresses: Addresses) -> bool:
    if not path.endswith(PAGE) or path == addresses.not_found_page:
        return False
    clean = path.removesuffix(_superfluous(path))
    return not clean or clean.endswith("/") or reader.lookup(clean) is None


def _superfluous(path: str) -> str:
    return INDEX if path.rpartition("/")[2] == INDEX else PAGE
