"""Style sheets, scripts and source maps: what they are named, and what becomes of their bytes."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping

from apps.releases.manifest.format import Finding
from apps.releases.manifest.names import takes_fingerprint
from apps.releases.references.extraction import Kind
from apps.releases.references.fingerprints import Node, fingerprints
from apps.releases.references.following import Part, Site
from apps.releases.references.found import Extraction
from apps.releases.references.rewriting import INSERTED_CHARACTERS, insertions, rewritten
from apps.releases.references.source_maps import MapFault, columns, shifted


class Parts:
    """Parts that are made anew together, each with everything that depends on it among them.

    All have their names before the first is rewritten. Bytes are read and made when they are asked for,
    so that a large site does not have to fit into memory.
    """

    def __init__(self, site: Site, parts: Mapping[str, Part]) -> None:
        self._site = site
        self._parts = parts
        self._generated = self._generated_by_map()
        self._names: dict[str, str] = {}
        self._moved_maps: set[str] = set()
        self._findings: dict[str, Finding] = {}
        nodes = {path: self._node(path, part) for path, part in parts.items()}
        self._names |= fingerprints(nodes, self._names)

    def __iter__(self) -> Iterator[tuple[str, Part]]:
        return iter(sorted(self._parts.items()))

    def __contains__(self, path: str) -> bool:
        return path in self._parts

    def name(self, target: str) -> str:
        """Return the fingerprint of a part or of any other path, "" where it has none."""
        if target not in self._names:
            entry = self._site.served(target)
            self._names[target] = entry.fingerprint if entry else ""
        return self._names[target]

    def names_in(self, extraction: Extraction) -> dict[str, str]:
        """Return the fingerprints of what a file refers to and may name by them."""
        return {target: name for target in extraction.named_targets if (name := self.name(target))}

    def content(self, path: str) -> bytes | None:
        """Return what a part is served with, None where that is what was uploaded."""
        part = self._parts[path]
        if part.kind is Kind.MAP:
            return self._moved(path) if path in self._moved_maps else None
        names = self.names_in(part.extraction)
        return rewritten(self._site.read(part.entry), part.extraction, names) if names else None

    def findings(self, path: str) -> Iterable[Finding]:
        """Return what is wrong with a part beside what its extraction says."""
        return [self._findings[path]] if path in self._findings else []

    def _generated_by_map(self) -> dict[str, list[str]]:
        """Return the files that each source map speaks of: those that name it, or the one beside it."""
        generated: dict[str, list[str]] = {}
        for path, part in sorted(self._parts.items()):
            if part.kind is not Kind.MAP:
                generated.setdefault(part.extraction.map_target or f"{path}.map", []).append(path)
        return generated

    def _node(self, path: str, part: Part) -> Node:
        if part.kind is not Kind.MAP:
            return Node(part.entry.blob, tuple(self._targets_to_name(part.extraction)))
        try:
            moved = self._moved(path)
        except MapFault as fault:
            self._findings[path] = Finding(path, fault.kind, str(fault))
            moved = None
        if moved is None:
            return Node(part.entry.blob)
        self._moved_maps.add(path)
        return Node(hashlib.sha256(moved).hexdigest())

    def _targets_to_name(self, extraction: Extraction) -> list[str]:
        """Return the targets that a file will name by a fingerprint, whatever that will be."""
        return [
            target
            for target in extraction.named_targets
            if (takes_fingerprint(target) if target in self._parts else self.name(target))
        ]

    def _moved(self, path: str) -> bytes | None:
        """Return the source map of a file that is rewritten, None where it stays as it is.

        Names have one length, so it can be told before they are known, and its own is by its bytes. Raises
        `MapFault` where it should move and cannot.
        """
        if not self._parts[path].extraction.is_rewritable:
            return None
        files = self._generated.get(path, [])
        moving = [(file, places) for file in files if (places := self._places(file))]
        if not moving:
            return None
        if len(files) > 1:
            raise MapFault(f"it is the map of {' and '.join(files)}", kind="shared_map")
        file, places = moving[0]
        text = self._site.read(self._parts[file].entry).decode()
        source_map = self._site.read(self._parts[path].entry)
        return shifted(source_map, columns(text, places), INSERTED_CHARACTERS)

    def _places(self, path: str) -> list[int]:
        """Return where fingerprints will be inserted into a file, but for that of its own map."""
        extraction = self._parts[path].extraction
        names = dict.fromkeys(self._targets_to_name(extraction), "?")
        return sorted(insertions(extraction, names, with_map=False))
