"""What a roll back would change: files, redirects, cache rules, names; or why it would be refused."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass

from apps.assets.selectors import TagDifference, tag_differences
from apps.caching.models import CacheRuleVersion
from apps.caching.rules import Combination
from apps.caching.selectors import tags_asked_for_by
from apps.caching.wording import combination_in_words
from apps.refusals import Refusal
from apps.releases.comparing.impact import Impact, impact_between
from apps.releases.comparing.tallies import kept_tally
from apps.releases.conflicts.standing import rule_combination_of
from apps.releases.exceptions import ManifestMissing
from apps.releases.models import Publication, Release
from apps.releases.rolling_back.wholeness import Looked, look, refuse_unless_whole
from apps.releases.selectors import open_manifest


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A cache rule of which another version applies; None where it does not apply."""

    name: str
    before: int | None
    after: int | None


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
class RollBackPreview:
    """From `live` to `goal`: what changes for visitors; `fault` says why it would be refused, "" for not.

    `impact` is None where a manifest cannot be read. `tags` says how otherwise files are tagged for rules.
    `kept_names` counts the fingerprinted names that only what is live now has, and that go on answering for
    pages that visitors have open; None where nobody waited for that. `looked` says how far storage was looked
    at: None for all of it, or with a fault.
    """

    live: Publication
    goal: Publication
    impact: Impact | None
    rules: tuple[RuleChange, ...]
    combination: CombinationChange | None
    tags: Mapping[str, TagDifference]
    kept_names: int | None
    fault: str
    looked: Looked | None = None

    @property
    def is_same(self) -> bool:
        return self.live.manifest_id == self.goal.manifest_id

    @property
    def tag_words(self) -> list[str]:
        """How otherwise files are tagged, a line a tag."""
        return list(tag_words(self.tags))


def preview_roll_back(live: Publication, goal: Publication, *, is_patient: bool = True) -> RollBackPreview:
    """Return what going back from `live` to `goal` changes; the cost follows what they differ in.

    Unless somebody `is_patient`, storage is looked at as far as a page can wait for, and what was not counted
    before is not counted.
    """
    impact = impact_between(live.manifest, goal.manifest, is_patient=is_patient)
    looked, fault = None, ""
    try:
        if is_patient:
            refuse_unless_whole(goal.manifest, instead_of=live.manifest)
        else:
            looked = look(goal.manifest, instead_of=live.manifest)
    except Refusal as refusal:
        fault = str(refusal)
    rules = tuple(rule_changes(live.release.rules.all(), goal.release.rules.all()))
    combination = combination_change(rule_combination_of(live.release), rule_combination_of(goal.release))
    tags = tag_changes(live.release, goal.release)
    kept_names = _kept_names(live, goal)
    return RollBackPreview(live, goal, impact, rules, combination, tags, kept_names, fault, looked)


def _kept_names(live: Publication, goal: Publication) -> int | None:
    """Return how many fingerprinted names only what is live has, where that was counted."""
    with suppress(ManifestMissing):
        if tally := kept_tally(open_manifest(live.manifest), open_manifest(goal.manifest)):
            with closing(tally):
                return tally.lost_names()
    return None


def rule_words(rule: RuleChange) -> str:
    """Say which version of a rule applies afterwards instead of which."""
    if rule.after is None:
        return f"version {rule.before} does not apply any more"
    if rule.before is None:
        return f"version {rule.after} applies again"
    return f"version {rule.after} instead of {rule.before}"


def combination_change(before: Combination, after: Combination) -> CombinationChange | None:
    """Return what changes in how rules combine, None where nothing does."""
    return None if before is after else CombinationChange(before, after)


def tag_changes(before: Release, after: Release) -> dict[str, TagDifference]:
    """Return how otherwise files are tagged after `after`, of the tags that rules of both ask for."""
    asked = tags_asked_for_by(before.rules.all()) & tags_asked_for_by(after.rules.all())
    return tag_differences([before.tagging_id], after.tagging_id, asked)[before.tagging_id]


def tag_words(differences: Mapping[str, TagDifference]) -> Iterator[str]:
    """Say how otherwise files are tagged, a line a tag: "The tag sale: 3 files more, 1 fewer"."""
    for tag, (more, fewer) in sorted(differences.items()):
        counts = [f"{more:,} file{'' if more == 1 else 's'} more"] if more else []
        if fewer:
            counts.append(f"{fewer:,} fewer" if more else f"{fewer:,} file{'' if fewer == 1 else 's'} fewer")
        yield f"The tag {tag}: {', '.join(counts)}"


def rule_changes(old: Iterable[CacheRuleVersion], new: Iterable[CacheRuleVersion]) -> Iterator[RuleChange]:
    """Yield the rules of which `new` has another version than `old`, or which only one of them has."""
    before, after = _versions(old), _versions(new)
    for rule in sorted({*before, *after}):
        was, will_be = before.get(rule), after.get(rule)
        if was != will_be:
            name = (will_be or was or (rule, 0))[0]
            yield RuleChange(str(name), was and was[1], will_be and will_be[1])


def _versions(versions: Iterable[CacheRuleVersion]) -> dict[int, tuple[str, int]]:
    """Return the name and number of the version of each rule, by rule."""
    return {version.rule_id: (version.name, version.number) for version in versions}
