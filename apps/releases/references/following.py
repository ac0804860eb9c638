"""What depends on a change: the files that have to be made anew, and what the parts among them refer to."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from apps.releases.manifest.format import Entry
from apps.releases.references.extraction import Kind, extract, kind_of, too_large
from apps.releases.references.found import Extraction


class Site(Protocol):
    """The files as they are now, and what is noted of their references."""

    def uploaded(self, path: str) -> Entry | None:
        """Return the entry of `path` with the blob that was uploaded, or None."""

    def served(self, path: str) -> Entry | None:
        """Return the entry of `path` as it is served: rewritten, with its fingerprint."""

    def read(self, entry: Entry) -> bytes:
        """Return the bytes of an entry's blob."""

    def references_to(self, target: str) -> list[str]:
        """Return the paths that refer to `target`."""

    def references_before(self, source: str) -> list[str]:
        """Return what `source` referred to before anything was changed."""


@dataclass(frozen=True, slots=True)
class Part:
    """A style sheet, a script or a source map as it was uploaded, and what it refers to."""

    entry: Entry
    kind: Kind
    extraction: Extraction


@dataclass(frozen=True, slots=True)
class Dependents:
    """What has to be made anew: parts by their paths, and the paths of pages, which nothing depends on."""

    parts: dict[str, Part]
    pages: set[str]


def dependents(site: Site, changed: Iterable[str], *, is_naming: bool) -> Dependents:
    """Follow references from the paths `changed`, be they there or gone, to all that depends on them.

    Without `is_naming`, parts stay what they are: only pages are found.
    """
    found = Dependents({}, set())
    waiting, seen = list(changed), set[str]()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        entry = site.uploaded(path)
        kind = kind_of(path, entry.media_type) if entry else None
        if kind is Kind.PAGE:
            found.pages.add(path)
        elif entry and kind and is_naming:
            found.parts[path] = Part(entry, kind, read_from(site, entry, kind))
        waiting += site.references_to(path)
        if is_naming:
            waiting += _companions(site, path, found.parts.get(path))
    return found


def read_from(site: Site, entry: Entry, kind: Kind) -> Extraction:
    """Return what a file refers to; one that is too large, or a source map, is not fetched for that."""
    if extraction := too_large(entry, kind):
        return extraction
    return extract(kind, entry.path, b"" if kind is Kind.MAP else site.read(entry))


def _companions(site: Site, path: str, part: Part | None) -> Iterator[str]:
    """Yield the source maps of a file, or the file of a map: neither is right without the other."""
    if path.endswith(".map"):
        yield path.removesuffix(".map")
        return
    yield f"{path}.map"
    yield from (target for target in site.references_before(path) if target.endswith(".map"))
    if part and part.extraction.map_target:
        yield part.extraction.map_target
