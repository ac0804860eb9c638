"""The digests that elements of a page say of what they load (Subresource Integrity)."""

import base64
import hashlib

from apps.caching.matching import is_fingerprinted
from apps.releases.manifest.format import Entry, Finding
from apps.releases.references.extraction import MAX_BYTES, Kind, kind_of
from apps.releases.references.following import Site
from apps.releases.references.found import Extraction, Guard
from apps.releases.references.parts import Parts

_ALGORITHMS = {"sha256", "sha384", "sha512"}


def integrity_of(content: bytes, algorithm: str = "sha384") -> str:
    """Return the value of an `integrity` attribute (Subresource Integrity, section 3.1)."""
    digest = hashlib.new(algorithm, content).digest()
    return f"{algorithm}-{base64.b64encode(digest).decode()}"


def is_integrity_of(value: str, content: bytes) -> bool:
    """Say whether an `integrity` attribute lets these bytes pass: its strongest digests count (3.3.3)."""
    given = {word.partition("?")[0] for word in value.split()}
    strongest = max({word.partition("-")[0] for word in given} & _ALGORITHMS, default=None)
    return strongest is not None and integrity_of(content, strongest) in given


class Integrities:
    """The digests of what is served, as far as pages ask for them."""

    def __init__(self, site: Site, parts: Parts) -> None:
        self._site = site
        self._parts = parts
        self._served: dict[str, str] = {}

    def note(self, path: str, content: bytes) -> None:
        """Remember what a part that was made anew is served with."""
        self._served[path] = integrity_of(content)

    def given(self, path: str, extraction: Extraction) -> tuple[dict[Guard, str], list[Finding]]:
        """Return the digests that elements of the page at `path` are to be given, and what is wrong.

        A digest that an element says already is replaced where it is right for what was uploaded and no
        longer for what is served. One that was wrong before stays, and so stays the element's protest.
        """
        given: dict[Guard, str] = {}
        findings: list[Finding] = []
        for guard in extraction.guards:
            target = self._loaded(guard.target)
            if target is None:
                continue
            if not guard.integrity:
                if extraction.is_rewritable and self._keeps_its_bytes(guard):
                    given[guard] = self._of(target)
                continue
            uploaded = self._site.read(target)
            is_right = is_integrity_of(guard.integrity, uploaded)
            is_changed = self._of(target) != integrity_of(uploaded)
            if is_right and is_changed and extraction.is_rewritable:
                given[guard] = self._of(target)
            elif is_changed or not is_right:
                findings.append(Finding(path, "wrong_integrity", guard.target))
        return given, findings

    def _loaded(self, path: str) -> Entry | None:
        """Return what was uploaded to a path that an element loads, None for what is not looked at."""
        entry = self._site.uploaded(path)
        if entry is None or kind_of(path, entry.media_type) is Kind.PAGE:
            return None
        return entry if entry.size <= MAX_BYTES[Kind.SCRIPT] else None

    def _keeps_its_bytes(self, guard: Guard) -> bool:
        """Say whether the name by which an element loads its target promises the same bytes for ever."""
        is_named = guard.can_be_named and bool(self._parts.name(guard.target))
        return is_named or is_fingerprinted(guard.target)

    def _of(self, uploaded: Entry) -> str:
        """Return the digest of what a path is served with: a part that was not noted stays what it is."""
        if uploaded.path not in self._served:
            served = uploaded if uploaded.path in self._parts else self._site.served(uploaded.path)
            self._served[uploaded.path] = integrity_of(self._site.read(served or uploaded))
        return self._served[uploaded.path]
