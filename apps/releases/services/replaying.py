"""Bringing changes of a release onto what its channel serves by now: what rebasing and reverting share."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched

from apps.accounts.models import User
from apps.assets import rows
from apps.assets.intake import Content, take_in_many
from apps.assets.media_types import media_type_of
from apps.caching.models import CacheRuleVersion
from apps.releases.conflicts.standing import Conflict, Kind, Standing, rule_versions
from apps.releases.conflicts.texts import clean_merge, mergeable
from apps.releases.contents import PutChange
from apps.releases.models import Contributor, Publication, Release, Resolution
from apps.releases.services.drafts import write_changes
from apps.releases.services.pins import pin

Choice = Resolution.Choice

_ROWS_AT_ONCE = 5_000
_NAMED = 50
_REPLACED = """
    UPDATE releases_change SET replaced_blob_id = given.value ->> 1 FROM {rows} AS given
    WHERE releases_change.id = CAST(given.value ->> 0 AS bigint)
"""


@dataclass(frozen=True, slots=True)
class Settled:
    """A conflict and what becomes of it; `content` is what it is merged to, `by` who decided, if anybody."""

    conflict: Conflict
    choice: Choice
    content: Content | None = None
    by: int | None = None


def settle(
    conflicts: Sequence[Conflict], decisions: Mapping[Conflict, Resolution]
) -> tuple[list[Settled], list[Conflict]]:
    """Return what is settled, by a decision or since lines do not clash, and what is still open."""
    settled = [_decided(conflict, decision) for conflict, decision in decisions.items()]
    undecided = [conflict for conflict in conflicts if conflict not in decisions]
    by_path = {conflict.name: conflict for conflict in mergeable(undecided)}
    merged = take_in_many(_merged(by_path.values()))
    settled += [Settled(by_path[content.path], Choice.MERGED, content) for content in merged]
    known = {each.conflict for each in settled}
    return settled, [conflict for conflict in undecided if conflict not in known]


def replay(
    release: Release, live: Publication | None, standing: Standing, settled: Sequence[Settled], actor: User
) -> None:
    """Make the changes of a locked draft, whose base is `live` by now, what they are on that.

    Rows of what nobody else has touched stay as they are, and with them their authors.
    """
    files = [each for each in settled if each.conflict.kind is Kind.FILE]
    _contribute(release, [each for each in settled if each.choice != Choice.THEIRS], actor)
    gone = [name for kind, name in standing.same if kind is Kind.FILE]
    gone += [each.conflict.name for each in files if each.choice == Choice.THEIRS]
    for some in batched(gone, _ROWS_AT_ONCE):
        release.changes.filter(asset__path__in=some).delete()
    _replace(release, [each.conflict for each in files if each.choice == Choice.OURS])
    merged = [PutChange(each.content) for each in files if each.content]
    write_changes(release, merged, actor)
    _drop_redirects(release, standing, settled)
    _pin_rules(release, live, standing, settled)


def as_details(standing: Standing, settled: Sequence[Settled]) -> dict[str, object]:
    """Describe for the audit log what came of the changes: counts, and the names of what was decided."""
    named = sorted(settled, key=lambda each: each.conflict.label)
    return {
        "kept": standing.kept,
        "already_live": len(standing.same),
        **{choice.value: sum(each.choice == choice for each in settled) for choice in Choice},
        "decided": {each.conflict.label: each.choice.value for each in named[:_NAMED]},
    }


def in_words(standing: Standing, settled: Sequence[Settled]) -> str:
    """Say what came of the changes, after a colon."""
    counts = {choice: sum(each.choice == choice for each in settled) for choice in Choice}
    parts = [
        (standing.kept, "kept"),
        (len(standing.same), "live already"),
        (counts[Choice.MERGED], "merged"),
        (counts[Choice.OURS], "kept against what is live"),
        (counts[Choice.THEIRS], "given up for what is live"),
    ]
    return ", ".join(f"{count} {words}" for count, words in parts if count) or "no change"


def _decided(conflict: Conflict, decision: Resolution) -> Settled:
    content = None
    if decision.blob:
        media_type = media_type_of(conflict.name, b"")
        content = Content(conflict.name, decision.blob.digest, decision.blob.size_bytes, media_type)
    return Settled(conflict, Choice(decision.choice), content, decision.decided_by_id)


def _merged(conflicts: Iterable[Conflict]) -> Iterator[tuple[str, Iterable[bytes]]]:
    for conflict in conflicts:
        if merged := clean_merge(conflict):
            yield conflict.name, [merged.text.encode()]


def _contribute(release: Release, settled: Sequence[Settled], actor: User) -> None:
    """Keep who has a part in what was decided: whose change was merged, and who decided."""
    people: set[tuple[str, int]] = {(each.conflict.label, each.by) for each in settled if each.by}
    merged = [each.conflict.name for each in settled if each.content]
    for some in batched(merged, _ROWS_AT_ONCE):
        rows_of = release.changes.filter(asset__path__in=some)
        people.update(rows_of.order_by().values_list("asset__path", "author"))
    new = [Contributor(release=release, person_id=person, path=path) for path, person in sorted(people)]
    Contributor.objects.bulk_create(new, batch_size=_ROWS_AT_ONCE, ignore_conflicts=True)


def _replace(release: Release, conflicts: Sequence[Conflict]) -> None:
    """Let changes that stand against what is live say what they replace now."""
    theirs = {conflict.name: conflict.theirs or None for conflict in conflicts}
    for some in batched(theirs, _ROWS_AT_ONCE):
        numbers = release.changes.filter(asset__path__in=some).order_by().values_list("pk", "asset__path")
        rows.write(_REPLACED, [(number, theirs[path]) for number, path in numbers])


def _drop_redirects(release: Release, standing: Standing, settled: Sequence[Settled]) -> None:
    gone = [name for kind, name in standing.same if kind is Kind.REDIRECT]
    gone += [
        each.conflict.name
        for each in settled
        if each.conflict.kind is Kind.REDIRECT and each.choice == Choice.THEIRS
    ]
    for some in batched(gone, _ROWS_AT_ONCE):
        release.redirect_changes.filter(source__in=some).delete()


def _pin_rules(
    release: Release, live: Publication | None, standing: Standing, settled: Sequence[Settled]
) -> None:
    wanted = dict(standing.rules)
    for each in settled:
        if each.conflict.kind is Kind.RULE:
            is_ours = each.choice == Choice.OURS
            wanted[each.conflict.name] = each.conflict.ours if is_ours else each.conflict.theirs
    known: dict[tuple[str, str], CacheRuleVersion] = {}
    for versions in (rule_versions(release), rule_versions(live.release if live else None)):
        known |= {(slug, str(version.number)): version for slug, version in versions.items()}
    chosen = [known[each] for each in wanted.items() if each[1]]
    pin(release, chosen, standing.rule_combination, standing.tagging)
