"""What a change of some files means for all that refer to them: which are made anew, and of what.

Nothing here writes. A `Site` says what is there; a `Plan` follows references from what has changed to
what depends on it, names everything, and then makes each file's bytes, pages last, since they say the
digests of what they load.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from apps.releases.manifest.format import MISSING_REFERENCE, Entry, Finding
from apps.releases.references.extraction import Kind, critical_of, kind_of, too_large
from apps.releases.references.following import Part, Site, dependents, read_from
from apps.releases.references.found import Extraction, Guard
from apps.releases.references.integrity import Integrities, is_integrity_of
from apps.releases.references.links import link_header
from apps.releases.references.parts import Parts
from apps.releases.references.rewriting import rewritten


@dataclass(frozen=True, slots=True)
class Made:
    """What a file becomes: `content` is None where it stays what was uploaded.

    `targets` are the paths that it refers to, `link` is the value of its Link header, "" for none.
    """

    uploaded: Entry
    content: bytes | None
    fingerprint: str
    targets: list[str]
    findings: list[Finding]
    link: str = ""


class Plan:
    """What follows from a change of the paths `changed`, be they there or gone.

    Files that refer to nothing by their kind, such as images, are followed but not made: the site has to
    have their names before. Without `is_naming`, nothing is rewritten, and only pages are made: the Link
    header that each is sent with.
    """

    def __init__(self, site: Site, changed: Iterable[str], *, is_naming: bool = True) -> None:
        self._site = site
        self._is_naming = is_naming
        found = dependents(site, changed, is_naming=is_naming)
        self._pages = found.pages
        self._parts = Parts(site, found.parts)
        self._integrities = Integrities(site, self._parts)

    def made(self) -> Iterator[Made]:
        """Yield what becomes of each file, those that others may say the digest of first."""
        for path, part in self._parts:
            yield self._part(path, part)
        for path in sorted(self._pages):
            if entry := self._site.uploaded(path):
                yield self._page(entry)

    def _part(self, path: str, part: Part) -> Made:
        content = self._parts.content(path)
        if content is not None:
            self._integrities.note(path, content)
        findings = [*self._findings(path, part.extraction), *self._parts.findings(path)]
        return Made(part.entry, content, self._parts.name(path), part.extraction.targets, findings)

    def _page(self, entry: Entry) -> Made:
        extraction = self._read_page(entry)
        names = self._parts.names_in(extraction)
        guards, wrong = self._integrities.given(entry.path, extraction)
        content = self._rewritten(entry, extraction, names, guards)
        critical = [each for each in extraction.critical if self._is_there(each.target)]
        given = {guard.target: integrity for guard, integrity in guards.items()}
        wrong += self._wrong_of_pages(entry.path, extraction)
        findings = [*self._findings(entry.path, extraction), *wrong]
        link = link_header(critical, names, given)
        return Made(entry, content, "", extraction.targets, findings, link)

    def _rewritten(
        self, entry: Entry, extraction: Extraction, names: dict[str, str], guards: dict[Guard, str]
    ) -> bytes | None:
        if not names and not guards:
            return None
        return rewritten(self._site.read(entry), extraction, names, guards)

    def _wrong_of_pages(self, path: str, extraction: Extraction) -> list[Finding]:
        """Return what is wrong of the digests that a page says of pages, be it of itself.

        Those are never given: a page that is made of them could not be told before the page itself.
        """
        return [
            Finding(path, "wrong_integrity", guard.target)
            for guard in extraction.guards
            if guard.integrity
            and (page := self._site.uploaded(guard.target))
            and kind_of(page.path, page.media_type) is Kind.PAGE
            and not is_integrity_of(guard.integrity, self._served_page(page))
        ]

    def _served_page(self, uploaded: Entry) -> bytes:
        """Return the bytes that a page is served with."""
        if uploaded.path not in self._pages:
            return self._site.read(self._site.served(uploaded.path) or uploaded)
        extraction = self._read_page(uploaded)
        guards, _ = self._integrities.given(uploaded.path, extraction)
        content = self._rewritten(uploaded, extraction, self._parts.names_in(extraction), guards)
        return self._site.read(uploaded) if content is None else content

    def _read_page(self, entry: Entry) -> Extraction:
        if self._is_naming:
            return read_from(self._site, entry, Kind.PAGE)
        return too_large(entry, Kind.PAGE) or critical_of(entry.path, self._site.read(entry))

    def _findings(self, path: str, extraction: Extraction) -> list[Finding]:
        missing = [target for target in extraction.targets if not self._is_there(target)]
        return [*extraction.findings, *(Finding(path, MISSING_REFERENCE, target) for target in missing)]

    def _is_there(self, path: str) -> bool:
        return bool(self._parts.name(path)) or self._site.served(path) is not None
