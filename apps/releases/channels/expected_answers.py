"""What an address of a channel answers, as its manifest says: the content, another address, or nothing.

The same decisions as `apps.delivery.respond` takes for a GET, without headers of the request and without
bytes: enough to say whether two manifests answer alike, what a probe has to get, and what a trace tells.
"""

from dataclasses import dataclass, field

from apps.caching.addresses import escaped
from apps.caching.rules import HeaderSet
from apps.releases.manifest import Entry, ManifestReader
from apps.releases.manifest.names import split_fingerprinted
from apps.releases.redirects.values import location_of

INDEX = "index.html"
PAGE = ".html"
_MOVED = 308


@dataclass(frozen=True, slots=True)
class Addresses:
    """The options of a channel that say which addresses a file has."""

    clean_urls: bool = False
    not_found_page: str = "404.html"


@dataclass(frozen=True, slots=True)
class Served:
    """The file that answers: its entry, the name that it is served under, and the headers for that name.

    `name` is the entry's path or its fingerprinted name; `is_retained` says that it is a name of an
    earlier publication. `link` is the value of its Link header, "" for none.
    """

    entry: Entry
    name: str
    header_set: HeaderSet
    link: str = ""
    is_retained: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, and with 200 the blob (SHA-256 in hex), its size and what its headers are; else a Location.

    A 404 is a 404, whichever page it shows: caches keep that for seconds. `served` is the file of a 200:
    which one it is makes no other answer of it.
    """

    status: int
    blob: str = ""
    size: int = 0
    headers: str = ""
    location: str = ""
    served: Served | None = field(default=None, compare=False)


MISSING = Answer(404)


def url_of(path: str) -> str:
    """Return the address of a path (decoded, no leading slash) as it is sent: `/caf%C3%A9/menu.txt`."""
    return "/" + escaped(path)


def answer_at(
    reader: ManifestReader | None,
    path: str,
    addresses: Addresses,
    *,
    retained: ManifestReader | None = None,
    query: str = "",
) -> Answer:
    """Return what the address of `path` (decoded, no leading slash) answers; None stands for no manifest.

    `retained` holds the fingerprinted names of earlier publications; `query` goes into a Location.
    """
    if reader is None:
        return MISSING
    is_folder = not path or path.endswith("/")
    found = served_at(reader, path + INDEX if is_folder else path, retained=retained)
    if found is None and addresses.clean_urls and not is_folder:
        found = served_at(reader, path + PAGE, retained=retained)
    elif (
        found is not None and addresses.clean_urls and _has_cleaner_address(reader, retained, path, addresses)
    ):
        return _moved(path.removesuffix(_superfluous(path)), query)
    if found is not None:
        return _content(found)
    return _elsewhere(reader, retained, path, addresses, query)


def served_at(reader: ManifestReader, path: str, *, retained: ManifestReader | None = None) -> Served | None:
    """Return the file of exactly this path or fingerprinted name, or None."""
    entry = reader.lookup(path)
    if entry is not None:
        return Served(entry, path, reader.header_sets[entry.header_set], reader.link_of(path))
    plain, fingerprint = split_fingerprinted(path) or ("", "")
    entry = reader.lookup(plain) if fingerprint else None
    if entry is not None and entry.fingerprint == fingerprint:
        return Served(entry, path, reader.header_sets[entry.named_header_set])
    entry = retained.lookup(path) if retained else None
    if entry is None or retained is None:
        return None
    return Served(entry, path, retained.header_sets[entry.header_set], is_retained=True)


def _content(found: Served) -> Answer:
    headers = f"{found.header_set.digest} {found.link}"
    return Answer(200, found.entry.blob, found.entry.size, headers, served=found)


def _moved(path: str, query: str) -> Answer:
    return Answer(_MOVED, location=url_of(path) + (f"?{query}" if query else ""))


def _elsewhere(
    reader: ManifestReader, retained: ManifestReader | None, path: str, addresses: Addresses, query: str
) -> Answer:
    is_folder = not path or path.endswith("/")
    if not is_folder and served_at(reader, f"{path}/{INDEX}", retained=retained):
        return _moved(path + "/", query)
    if is_folder and path and addresses.clean_urls and served_at(reader, path[:-1] + PAGE, retained=retained):
        return _moved(path[:-1], query)
    redirect = reader.redirect_for(path)
    return Answer(redirect.status, location=location_of(redirect, path, query)) if redirect else MISSING


def _has_cleaner_address(
    reader: ManifestReader, retained: ManifestReader | None, path: str, addresses: Addresses
) -> bool:
    if not path.endswith(PAGE) or path == addresses.not_found_page:
        return False
    clean = path.removesuffix(_superfluous(path))
    return not clean or clean.endswith("/") or served_at(reader, clean, retained=retained) is None


def _superfluous(path: str) -> str:
    return INDEX if path.rpartition("/")[2] == INDEX else PAGE
