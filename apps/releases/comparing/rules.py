"""What the cache rules that two releases pin differ in: versions, how they combine, and tags of files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from django.db.models import prefetch_related_objects

from apps.assets.selectors import TagDifference, tag_differences
from apps.caching.models import CacheRuleVersion
from apps.caching.rules import Combination
from apps.caching.selectors import tags_asked_for_by
from apps.caching.wording import combination_in_words
from apps.releases.conflicts.standing import rule_combination_of
from apps.releases.models import Release


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A cache rule (its id, and its name by now) of which another version applies; None for none."""

    rule: int
    name: str
    before: int | None
    after: int | None

    @property
    def words(self) -> str:
        """Say which version applies instead of which."""
        if self.after is None:
            return f"version {self.before} does not apply any more"
        if self.before is None:
            return f"version {self.after} applies as well"
        return f"version {self.after} instead of {self.before}"


@dataclass(frozen=True, slots=True)
class CombinationChange:
    """How cache rules that match the same file combine otherwise."""

    before: Combination
    after: Combination

    @property
    def words(self) -> str:
        before, after = map(combination_in_words, (self.before, self.after))
        return f"Where several rules match a file: “{after}” instead of “{before}”"


@dataclass(frozen=True, slots=True)
class RulesDifference:
    """What is otherwise; `tags` are those that rules ask for, and that not the same files carry."""

    rules: tuple[RuleChange, ...]
    combination: CombinationChange | None
    tags: Mapping[str, TagDifference]

    def __bool__(self) -> bool:
        return bool(self.rules or self.combination or self.tags)

    @property
    def tag_words(self) -> list[str]:
        """How files are tagged otherwise, a line a tag: "The tag sale: 3 files more, 1 fewer"."""
        return [_tag_words(tag, *counts) for tag, counts in sorted(self.tags.items())]

    @property
    def words(self) -> list[str]:
        """What differs, a line each: "Pages: version 2 instead of 1"."""
        lines = [f"{rule.name}: {rule.words}" for rule in self.rules]
        return [*lines, *([self.combination.words] if self.combination else ()), *self.tag_words]


class RuleReport(TypedDict):
    rule: str
    before: int | None
    after: int | None


class CombinationReport(TypedDict):
    before: str
    after: str


class RulesReport(TypedDict):
    rules: list[RuleReport]
    rule_combination: CombinationReport | None
    tags: dict[str, dict[str, int]]


NO_DIFFERENCE = RulesDifference((), None, {})


def differing_tags(
    befores: Sequence[tuple[int | None, frozenset[str]]], after: int | None, asked: frozenset[str]
) -> list[dict[str, TagDifference]]:
    """Return how otherwise files carry the tags that are `asked` for after the tagging `after`. One query.

    Compared is with each of `befores`, an act and the tags that its rules ask for; a tag that these do not
    ask for counts as carried by no file before.
    """
    acts = {act if tag in known else None for act, known in befores for tag in asked}
    differences = tag_differences(acts, after, asked)
    return [
        {tag: counts for tag in asked if (counts := differences[act if tag in known else None].get(tag))}
        for act, known in befores
    ]


def rules_between(before: Release, after: Release) -> RulesDifference:
    """Return what the rules of `after` differ in from those of `before`: two queries, one more for tags."""
    prefetch_related_objects([before, after], "rules")
    old, new = tags_asked_for_by(before.rules.all()), tags_asked_for_by(after.rules.all())
    [tags] = differing_tags([(before.tagging_id, old)], after.tagging_id, new)
    return RulesDifference(
        tuple(rule_changes(before.rules.all(), after.rules.all())),
        combination_change(rule_combination_of(before), rule_combination_of(after)),
        tags,
    )


def rules_brought(release: Release) -> RulesDifference:
    """Return what the rules of `release` differ in from those of its base; without one there is nothing."""
    return rules_between(release.base, release) if release.base else NO_DIFFERENCE


def rules_report(difference: RulesDifference) -> RulesReport:
    """Describe a difference as commands print it."""
    combination = difference.combination
    return {
        "rules": [{"rule": one.name, "before": one.before, "after": one.after} for one in difference.rules],
        "rule_combination": {"before": combination.before, "after": combination.after}
        if combination
        else None,
        "tags": {tag: {"more": more, "fewer": fewer} for tag, (more, fewer) in difference.tags.items()},
    }


def combination_change(before: Combination, after: Combination) -> CombinationChange | None:
    """Return what changes in how rules combine, None where nothing does."""
    return None if before is after else CombinationChange(before, after)


def rule_changes(old: Iterable[CacheRuleVersion], new: Iterable[CacheRuleVersion]) -> Iterator[RuleChange]:
    """Yield the rules of which `new` has another version than `old`, or which only one of them has."""
    before, after = _versions(old), _versions(new)
    for rule in sorted({*before, *after}):
        was, will_be = before.get(rule), after.get(rule)
        if was != will_be:
            name = (will_be or was or (rule, 0))[0]
            yield RuleChange(rule, str(name), was and was[1], will_be and will_be[1])


def _versions(versions: Iterable[CacheRuleVersion]) -> dict[int, tuple[str, int]]:
    """Return the name and number of the version of each rule, by rule."""
    return {version.rule_id: (version.name, version.number) for version in versions}


def _tag_words(tag: str, more: int, fewer: int) -> str:
    counts = [f"{more:,} file{'' if more == 1 else 's'} more"] if more else []
    if fewer:
        counts.append(f"{fewer:,} fewer" if more else f"{fewer:,} file{'' if fewer == 1 else 's'} fewer")
    return f"The tag {tag}: {', '.join(counts)}"
