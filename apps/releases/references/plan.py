"""What a change of some files means for all that refer to them: which are made anew, and of what.

Nothing here writes. A `Site` says what is there; a `Plan` follows references from what has changed to
what depends on it, names everything, and then makes each file's bytes, pages last, since they say the
digests of what they load.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from apps.caching.matching import is_fingerprinted
from apps.releases.manifest.format import MISSING_REFERENCE, Entry, Finding
from apps.releases.manifest.names import choose_fingerprint, takes_fingerprint
from apps.releases.references.extraction import Kind, critical_of, extract, kind_of
from apps.releases.references.fingerprints import Node, fingerprints
from apps.releases.references.found import Extraction, Guard
from apps.releases.references.links import link_header
from apps.releases.references.rewriting import (
    INSERTED_CHARACTERS,
    insertions,
    integrity_of,
    is_integrity_of,
    rewritten,
)
from apps.releases.references.source_maps import MapFault, columns, shifted


class Site(Protocol):
    """The files as they are now, and what is noted of their references."""

    def uploaded(self, path: str) -> Entry | None:
        """Return the entry of `path` with the blob that was uploaded, or None."""

    def served(self, path: str) -> Entry | None:
        """Return the entry of `path` as it is served: rewritten, with its fingerprint."""

    def read(self, blob: str) -> bytes:
        """Return the bytes of a blob."""

    def references_to(self, target: str) -> list[str]:
        """Return the paths that refer to `target`."""

    def references_before(self, source: str) -> list[str]:
        """Return what `source` referred to before anything was changed."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a file becomes: `content` is None where it stays what was uploaded."""

    uploaded: Entry
    content: bytes | None
    fingerprint: str
    targets: list[str]
    findings: list[Finding]
    link: str


class Plan:
    """What follows from a change of the paths `changed`, be they there or gone.

    Files that refer to nothing by their kind, such as images, are followed but not made: their
    fingerprints are of their own bytes (`choose_fingerprint`). Without `is_naming`, nothing is rewritten,
    and only pages are made: the Link header that each is sent with.
    """

    def __init__(self, site: Site, changed: Iterable[str], *, is_naming: bool = True) -> None:
        self._site = site
        self._is_naming = is_naming
        self._entries: dict[str, Entry] = {}
        self._kinds: dict[str, Kind] = {}
        self._extractions: dict[str, Extraction] = {}
        self._findings: dict[str, list[Finding]] = {}
        self._maps: dict[str, bytes] = {}
        self._digests: dict[str, str] = {}
        self._follow(changed)
        self._generated = self._generated_by_map()
        nodes = {path: self._node(path) for path, kind in self._kinds.items() if kind is not Kind.PAGE}
        targets = {target for node in nodes.values() for target in node.targets} - nodes.keys()
        self._names = {target: self._name_outside(target) for target in targets}
        self._names |= fingerprints(nodes, self._names)

    def made(self) -> Iterator[Made]:
        """Yield what becomes of each file, those that others may say the digest of first."""
        for path in sorted(self._kinds, key=lambda path: (self._kinds[path] is Kind.PAGE, path)):
            yield self._page(path) if self._kinds[path] is Kind.PAGE else self._part(path)

    def _follow(self, changed: Iterable[str]) -> None:
        waiting, seen = list(changed), set[str]()
        while waiting:
            path = waiting.pop()
            if path in seen:
                continue
            seen.add(path)
            if entry := self._site.uploaded(path):
                self._read(entry)
            waiting += self._site.references_to(path)
            waiting += self._companions(path)

    def _read(self, entry: Entry) -> None:
        kind = kind_of(entry.path, entry.media_type)
        if kind is None or not (self._is_naming or kind is Kind.PAGE):
            return
        self._entries[entry.path] = entry
        self._kinds[entry.path] = kind
        self._extractions[entry.path] = self._extracted(kind, entry)

    def _extracted(self, kind: Kind, entry: Entry) -> Extraction:
        if kind is Kind.MAP:
            return Extraction()
        content = self._site.read(entry.blob)
        return extract(kind, entry.path, content) if self._is_naming else critical_of(entry.path, content)

    def _companions(self, path: str) -> Iterator[str]:
        """Yield the source maps of a file, or the file of a map: neither is right without the other."""
        if path.endswith(".map"):
            yield path.removesuffix(".map")
            return
        yield f"{path}.map"
        yield from (target for target in self._site.references_before(path) if target.endswith(".map"))
        if (extraction := self._extractions.get(path)) and extraction.map_target:
            yield extraction.map_target

    def _generated_by_map(self) -> dict[str, list[str]]:
        """Return the files that each source map speaks of: those that name it, or the one beside it."""
        generated: dict[str, list[str]] = {}
        for path, extraction in self._extractions.items():
            if self._kinds[path] in {Kind.SCRIPT, Kind.STYLE}:
                generated.setdefault(extraction.map_target or f"{path}.map", []).append(path)
        return generated

    def _node(self, path: str) -> Node:
        if self._kinds[path] is Kind.MAP:
            moved = self._moved_map(path)
            if moved is None:
                return Node(self._entries[path].blob)
            self._maps[path] = moved
            return Node(hashlib.sha256(moved).hexdigest())
        return Node(self._entries[path].blob, tuple(filter(self._may_be_named, self._changing_targets(path))))

    def _moved_map(self, path: str) -> bytes | None:
        """Return the source map of a file that is rewritten, None where it stays as it is.

        Names have one length, so it can be told before they are known, and its own is by its bytes.
        """
        files = self._generated.get(path, [])
        if len(files) > 1:
            self._complain(path, "shared_map", f"it is the map of {' and '.join(sorted(files))}")
        if len(files) != 1 or not self._may_be_rewritten(path):
            return None
        names = dict.fromkeys(filter(self._may_be_named, self._changing_targets(files[0])), "?")
        places = insertions(self._extractions[files[0]], names, with_map=False)
        if not places:
            return None
        text = self._site.read(self._entries[files[0]].blob).decode()
        source_map = self._site.read(self._entries[path].blob)
        try:
            return shifted(source_map, columns(text, places), INSERTED_CHARACTERS)
        except MapFault as fault:
            self._complain(path, "unreadable_map", str(fault))
            return None

    def _complain(self, path: str, kind: str, detail: str) -> None:
        self._findings.setdefault(path, []).append(Finding(path, kind, detail))

    def _changing_targets(self, path: str) -> list[str]:
        """Return the targets whose fingerprints are inserted into a file, so far as they have one."""
        references = self._extractions[path].references if self._may_be_rewritten(path) else ()
        return sorted({reference.target for reference in references if reference.at is not None})

    def _may_be_rewritten(self, path: str) -> bool:
        """Say whether a file's bytes may change; a name with a hash in it promises that they never do."""
        return self._extractions[path].is_readable and not is_fingerprinted(path)

    def _may_be_named(self, target: str) -> bool:
        entry = self._entries.get(target) or self._site.uploaded(target)
        return entry is not None and _is_part(entry) and takes_fingerprint(target)

    def _name_outside(self, target: str) -> str:
        """Return the fingerprint of what is not made anew, or refers to nothing."""
        entry = self._site.served(target)
        if entry is None or not _is_part(entry):
            return ""
        return (
            entry.fingerprint if kind_of(target, entry.media_type) else choose_fingerprint(target, entry.blob)
        )

    def _name(self, target: str) -> str:
        if target not in self._names:
            self._names[target] = self._name_outside(target)
        return self._names[target]

    def _names_in(self, path: str) -> dict[str, str]:
        return {target: self._name(target) for target in self._changing_targets(path)}

    def _part(self, path: str) -> Made:
        is_map = self._kinds[path] is Kind.MAP
        content = self._maps.get(path) if is_map else self._rewritten(path, {})
        if content is not None:
            self._digests[path] = integrity_of(content)
        return self._as_made(path, content, self._names[path], "")

    def _as_made(self, path: str, content: bytes | None, fingerprint: str, link: str) -> Made:
        extraction = self._extractions[path]
        for target in extraction.targets:
            if self._site.uploaded(target) is None:
                self._complain(path, MISSING_REFERENCE, target)
        findings = [*extraction.findings, *self._findings.get(path, [])]
        return Made(self._entries[path], content, fingerprint, extraction.targets, findings, link)

    def _page(self, path: str) -> Made:
        guards = self._guards(path) if self._may_be_rewritten(path) else {}
        content = self._rewritten(path, guards)
        critical = [each for each in self._extractions[path].critical if self._site.served(each.target)]
        given = {guard.target: value for guard, value in guards.items()}
        return self._as_made(path, content, "", link_header(critical, self._names_in(path), given))

    def _rewritten(self, path: str, guards: dict[Guard, str]) -> bytes | None:
        extraction, names = self._extractions[path], self._names_in(path)
        if not (guards or insertions(extraction, names)):
            return None
        return rewritten(self._site.read(self._entries[path].blob), extraction, names, guards)

    def _guards(self, path: str) -> dict[Guard, str]:
        """Return the digests that a page's elements are given; one of other bytes is a finding."""
        given: dict[Guard, str] = {}
        for guard in self._extractions[path].guards:
            target = self._site.uploaded(guard.target)
            if target is None or not _is_part(target):
                continue
            if guard.integrity and not is_integrity_of(guard.integrity, self._site.read(target.blob)):
                self._complain(path, "wrong_integrity", guard.target)
            elif self._keeps_its_bytes(guard) and not (guard.integrity and self._is_as_uploaded(target)):
                given[guard] = self._digest(guard.target)
        return given

    def _keeps_its_bytes(self, guard: Guard) -> bool:
        """Say whether the name by which an element loads its target promises the same bytes for ever."""
        is_named = guard.can_be_named and bool(self._name(guard.target))
        return is_named or is_fingerprinted(guard.target)

    def _is_as_uploaded(self, target: Entry) -> bool:
        return self._digest(target.path) == integrity_of(self._site.read(target.blob))

    def _digest(self, target: str) -> str:
        """Return the digest of what a target is served with."""
        if target not in self._digests:
            entry = self._entries.get(target) or self._site.served(target)
            self._digests[target] = integrity_of(self._site.read(entry.blob)) if entry else ""
        return self._digests[target]


def _is_part(entry: Entry) -> bool:
    return kind_of(entry.path, entry.media_type) is not Kind.PAGE
