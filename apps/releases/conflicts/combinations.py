"""Several drafts as one: what each of them changes, and where they change the same to something else."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from apps.caching.rules import Combination as RuleCombination
from apps.releases.conflicts.standing import (
    Conflict,
    Kind,
    redirect_value,
    rule_combination_of,
    rule_versions,
)
from apps.releases.models import Release
from apps.releases.redirects.selectors import base_redirects


@dataclass(frozen=True, slots=True)
class Contenders:
    """Something that several drafts change, each to the value by its number; what it is now is `base`."""

    kind: Kind
    name: str
    base: str
    values: tuple[tuple[int, str], ...]

    @property
    def as_conflict(self) -> Conflict:
        """The first two values that differ, as two sides of a conflict."""
        different = list(dict.fromkeys(value for _, value in self.values))
        return Conflict(self.kind, self.name, self.base, *different[:2])

    @property
    def label(self) -> str:
        return Conflict(self.kind, self.name, "", "", "").label

    @property
    def releases(self) -> tuple[int, ...]:
        return tuple(number for number, _ in self.values)

    @property
    def is_of_two(self) -> bool:
        """Whether there are two values only, so that they can be merged."""
        return len({value for _, value in self.values}) == 2


@dataclass(frozen=True, slots=True)
class Combination:
    """What several drafts come to. `authors` has (label, person) of what more than one of them changes."""

    count: int
    conflicts: tuple[Contenders, ...]
    authors: frozenset[tuple[str, int]]
    rules: Mapping[str, str]
    rule_combination: RuleCombination
    tagging: int | None


def combination_of(releases: Sequence[Release]) -> Combination:
    """Return what drafts on the same base come to: few queries each, whatever they hold."""
    values: dict[tuple[Kind, str], dict[int, str]] = defaultdict(dict)
    people: dict[tuple[Kind, str], set[int]] = defaultdict(set)
    bases: dict[tuple[Kind, str], str] = {}
    for release in releases:
        for kind, name, base, value, author in _lines_of(release):
            values[kind, name][release.pk] = value
            people[kind, name].add(author)
            bases[kind, name] = base
    shared = {key: found for key, found in values.items() if len(found) > 1}
    rules, clashing_rules = _rules(releases)
    clashing = (
        Contenders(kind, name, bases[kind, name], tuple(found.items()))
        for (kind, name), found in sorted(shared.items())
        if len(set(found.values())) > 1
    )
    authors = {
        (Conflict(kind, name, "", "", "").label, person)
        for kind, name in shared
        for person in people[kind, name]
    }
    return Combination(
        len(values),
        (*clashing, *clashing_rules),
        frozenset(authors),
        rules,
        _rule_combination(releases),
        _tagging(releases),
    )


def _lines_of(release: Release) -> Iterator[tuple[Kind, str, str, str, int]]:
    """Yield what a draft changes: kind, name, value of the base, its value, author."""
    changes = release.changes.order_by().values_list(
        "asset__path", "replaced_blob", "version__blob", "author_id"
    )
    for path, replaced, blob, author in changes.iterator(chunk_size=5_000):
        yield Kind.FILE, path, replaced or "", blob or "", author
    redirects = list(release.redirect_changes.all())
    before = base_redirects(release) if redirects else {}
    for change in redirects:
        base = redirect_value(before.get(change.source))
        yield Kind.REDIRECT, change.source, base, redirect_value(change.redirect), change.author_id


def _rules(releases: Sequence[Release]) -> tuple[dict[str, str], list[Contenders]]:
    """Return the versions by slug that no decision is needed for, and the rules that one is needed for."""
    base = {slug: str(version.number) for slug, version in rule_versions(releases[0].base).items()}
    pinned: dict[str, dict[int, str]] = defaultdict(dict)
    for release in releases:
        for slug, version in rule_versions(release).items():
            pinned[slug][release.pk] = str(version.number)
    settled, clashing = {}, []
    for slug, found in sorted(pinned.items()):
        changed = {number: value for number, value in found.items() if value != base.get(slug)}
        if len(set(changed.values())) > 1:
            clashing.append(Contenders(Kind.RULE, slug, base.get(slug, ""), tuple(changed.items())))
        else:
            settled[slug] = next(iter(changed.values()), base.get(slug, ""))
    return settled, clashing


def _rule_combination(releases: Sequence[Release]) -> RuleCombination:
    """Return how the rules combine: as a draft says that has left the base's way, of which there are two."""
    base = rule_combination_of(releases[0].base)
    return next((ours for ours in map(rule_combination_of, releases) if ours is not base), base)


def _tagging(releases: Sequence[Release]) -> int | None:
    """Return how files are tagged: as the draft has it that has left the base's way last."""
    base = releases[0].base.tagging_id if releases[0].base else None
    pinned = (release.tagging_id for release in releases)
    return max((ours for ours in pinned if ours is not None and ours != base), default=base)
