"""What a build found wrong in the files of a release: in words, and beside what its base had already."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from heapq import merge, nlargest
from itertools import groupby, islice
from typing import overload

from apps.releases.comparing.texts import visible
from apps.releases.exceptions import ManifestMissing
from apps.releases.manifest import Finding, ManifestReader
from apps.releases.models import Manifest, Release
from apps.releases.selectors import manifest_reader_of, open_manifest

SHOWN_OF_A_KIND = 5


@dataclass(frozen=True, slots=True)
class FindingKind:
    """What findings of a kind have in common: a heading, the words before and after the detail, advice.

    `is_noticed` says whether visitors notice it; if not, it is only a remark. The detail `is_path` where
    it is another file, which many files may refer to.
    """

    title: str
    before: str
    after: str
    advice: str
    is_noticed: bool = False
    is_path: bool = False


# In the order in which they are shown. docs/fingerprints.md explains them one by one.
KINDS = {
    "missing_reference": FindingKind(
        "Missing file",
        "refers to",
        ", which is not served.",
        "Visitors get a 404 there. Add the file, correct the reference, or redirect the path.",
        is_noticed=True,
        is_path=True,
    ),
    "wrong_integrity": FindingKind(
        "Wrong integrity",
        "loads",
        " with an integrity of other bytes.",
        "Browsers refuse such a file. Take the integrity attribute out, and the right one is put in.",
        is_noticed=True,
        is_path=True,
    ),
    "unreadable_script": FindingKind(
        "Script not understood",
        "has code that is not understood at",
        ", and which keeps plain names.",
        "It is served as it was uploaded. See whether browsers understand it.",
    ),
    "unreadable_map": FindingKind(
        "Source map not understood",
        "is no source map that can be read:",
        "",
        "It is served as it was uploaded, so that places in developer tools are wrong. Build it anew.",
    ),
    "shared_map": FindingKind(
        "Source map of several files",
        "does not say of which file its lines are:",
        "",
        "It is served as it was uploaded. Give each file a map of its own.",
    ),
    "not_utf8": FindingKind(
        "Not in UTF-8",
        "is not read for references:",
        "",
        "It is served as it was uploaded, with plain names. Save it in UTF-8.",
    ),
    "too_large": FindingKind(
        "Too large to read",
        "is not read for references:",
        "",
        "It is served as it was uploaded, with plain names.",
    ),
}


class State(StrEnum):
    """How much is known of the references in a release."""

    NOT_BUILT = "not_built"
    NOT_CHECKED = "not_checked"
    CHECKED = "checked"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding; whether the release has it, and whether its base had it."""

    finding: Finding
    is_there: bool
    was_there: bool

    @property
    def is_new(self) -> bool:
        return self.is_there and not self.was_there

    @property
    def path(self) -> str:
        return visible(self.finding.path)

    @property
    def detail(self) -> str:
        return visible(self.finding.detail)

    @property
    def kind(self) -> FindingKind:
        return kind_named(self.finding.kind)

    @property
    def words(self) -> str:
        """The finding as a sentence without its subject, which is the path."""
        return f"{self.kind.before} {self.detail}{self.kind.after}".strip()


@dataclass(frozen=True, slots=True)
class Sample:
    """A new finding, and how many other files have the same with the same file."""

    judged: Judged
    others: int


@dataclass(frozen=True, slots=True)
class OfAKind:
    """How many findings of a kind a release has, how many of them are new, and samples of the new ones."""

    name: str
    total: int
    new: int
    samples: tuple[Sample, ...]

    @property
    def kind(self) -> FindingKind:
        return kind_named(self.name)

    @property
    def unnamed(self) -> int:
        return self.new - sum(1 + sample.others for sample in self.samples)


@dataclass(frozen=True, slots=True)
class Lint:
    """What a build found, by kind; `mended` counts what the base had and the release has no more.

    Unless it `is_compared`, the base was not looked at in the same manner: everything counts as new then.
    """

    state: State
    kinds: tuple[OfAKind, ...] = ()
    mended: int = 0
    is_compared: bool = True

    @property
    def total(self) -> int:
        return sum(each.total for each in self.kinds)

    @property
    def new(self) -> int:
        return sum(each.new for each in self.kinds)

    @property
    def known(self) -> int:
        return self.total - self.new

    @property
    def new_kinds(self) -> list[OfAKind]:
        return [each for each in self.kinds if each.new]


class FindingList(Sequence[Judged]):
    """The findings of a built release by path, read from its manifest a part at a time.

    Only those of a `kind`, those that are new, or those of paths below `prefix`, where asked. Raises
    `ManifestMissing` where the release was not built, or storage lacks its manifest.
    """

    def __init__(
        self, release: Release, *, kind: str = "", is_new_only: bool = False, prefix: str = ""
    ) -> None:
        self._now = manifest_reader_of(release)
        self._before = _of_its_manner(self._now, release.base_manifest)
        self._manifests = release.manifest, release.base_manifest
        self._kind = kind
        self._is_new_only = is_new_only
        self._prefix = prefix

    def __iter__(self) -> Iterator[Judged]:
        for each in _judged(self._now, self._before, prefix=self._prefix):
            if _is_wanted(each, kind=self._kind, is_new_only=self._is_new_only):
                yield each

    def __len__(self) -> int:
        manifest, base = self._manifests
        asked = {"kind": self._kind, "is_new_only": self._is_new_only, "prefix": self._prefix}
        return _length(manifest, base, **asked) if manifest else 0

    @overload
    def __getitem__(self, place: int) -> Judged: ...
    @overload
    def __getitem__(self, place: slice) -> list[Judged]: ...
    def __getitem__(self, place: int | slice) -> Judged | list[Judged]:
        if isinstance(place, int):
            return next(islice(self, place, None))
        return list(islice(self, place.start, place.stop))


def kind_named(name: str) -> FindingKind:
    """Return what is known of a kind; one that a later version found is called by its own name."""
    return KINDS.get(name) or FindingKind(name.replace("_", " ").capitalize(), "", "", "")


def lint_of(release: Release) -> Lint:
    """Return what was found in the files of `release` when it was built, if it was."""
    if release.manifest is None:
        return Lint(State.NOT_BUILT)
    try:
        return _counted(release.manifest, release.base_manifest)
    except ManifestMissing:
        return Lint(State.UNREADABLE)


@lru_cache(maxsize=64)
def _counted(manifest: Manifest, base: Manifest | None) -> Lint:
    """Count once what follows from two digests and never changes."""
    now = open_manifest(manifest)
    if not now.manner:
        return Lint(State.NOT_CHECKED)
    before = open_manifest(base) if base else None
    is_compared = before is None or before.manner == now.manner
    totals, mended = Counter[str](), 0
    alike: dict[str, dict[object, _Alike]] = {}
    for each in _judged(now, before if is_compared else None):
        kind = each.finding.kind
        totals[kind] += each.is_there
        mended += not each.is_there
        if each.is_new:
            about = each.finding.detail if each.kind.is_path else each.finding
            alike.setdefault(kind, {}).setdefault(about, _Alike(each)).count += 1
    kinds = (_of_a_kind(name, totals[name], alike.get(name, {}).values()) for name in _ordered(totals))
    return Lint(State.CHECKED, tuple(each for each in kinds if each.total), mended, is_compared)


@dataclass(slots=True)
class _Alike:
    """How many new findings are about the same, and the first of them: no more of them is kept."""

    first: Judged
    count: int = 0


def _of_a_kind(name: str, total: int, alike: Collection[_Alike]) -> OfAKind:
    """Count findings of a kind that are grouped by what they are about; most files first."""
    largest = nlargest(SHOWN_OF_A_KIND, alike, key=lambda some: some.count)
    samples = tuple(Sample(some.first, some.count - 1) for some in largest)
    return OfAKind(name, total, sum(some.count for some in alike), samples)


@lru_cache(maxsize=64)
def _length(manifest: Manifest, base: Manifest | None, *, kind: str, is_new_only: bool, prefix: str) -> int:
    """Count once how many findings there are of what a page asks for: digests never change."""
    now = open_manifest(manifest)
    judged = _judged(now, _of_its_manner(now, base), prefix=prefix)
    return sum(_is_wanted(each, kind=kind, is_new_only=is_new_only) for each in judged)


def _is_wanted(judged: Judged, *, kind: str, is_new_only: bool) -> bool:
    return (judged.is_new if is_new_only else judged.is_there) and kind in {"", judged.finding.kind}


def _ordered(names: Iterable[str]) -> list[str]:
    order = list(KINDS)
    return sorted(names, key=lambda name: (order.index(name) if name in KINDS else len(order), name))


def _of_its_manner(now: ManifestReader, base: Manifest | None) -> ManifestReader | None:
    before = open_manifest(base) if base else None
    return before if before and before.manner == now.manner else None


def _judged(now: ManifestReader, before: ManifestReader | None, *, prefix: str = "") -> Iterator[Judged]:
    """Yield what either has, sorted: both are read side by side, so memory does not grow with them."""
    rows = merge(
        ((finding, True) for finding in now.findings(prefix=prefix)),
        ((finding, False) for finding in (before.findings(prefix=prefix) if before else ())),
    )
    for finding, group in groupby(rows, key=lambda row: row[0]):
        sides = {side for _, side in group}
        yield Judged(finding, is_there=True in sides, was_there=False in sides)
