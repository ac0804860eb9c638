from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.assets import rows
from apps.assets.intake import Content, take_in
from apps.audit.services import record
from apps.releases.conflicts.combinations import Combination, Contenders, combination_of
from apps.releases.conflicts.standing import Kind, rule_versions
from apps.releases.conflicts.text_merging import leftover_markers
from apps.releases.conflicts.texts import clean_merge, mergeable, texts_of
from apps.releases.contents import PutChange
from apps.releases.exceptions import CannotCombine, ConflictsOpen, UnknownConflict, WrongResolution
from apps.releases.models import Channel, Origin, RedirectChange, Release
from apps.releases.selectors import is_promoted
from apps.releases.services.authorship import contribute
from apps.releases.services.drafts import BRIEF_FIELDS, write_changes
from apps.releases.services.pins import pin

_NAMED = 20
_COPIED = """
    INSERT INTO releases_change
        (release_id, asset_id, kind, version_id, replaced_blob_id, author_id, created_at)
    SELECT %s, change.asset_id, change.kind, change.version_id, change.replaced_blob_id, change.author_id, %s
    FROM releases_change AS change
    WHERE change.release_id = %s AND NOT EXISTS (
        SELECT 1 FROM releases_change AS mine WHERE mine.release_id = %s AND mine.asset_id = change.asset_id)
    AND change.asset_id NOT IN (
        SELECT asset.id FROM {rows} AS given JOIN assets_asset AS asset ON asset.path = given.value ->> 0)
"""


@dataclass(frozen=True, slots=True)
class Take:
    """What is to become of something that drafts change differently: that of `release`, or this `content`."""

    release: int | None = None
    content: bytes | None = None


@transaction.atomic
def combine(
    *,
    releases: Sequence[Release],
    title: str,
    actor: User,
    takes: Mapping[str, Take] | None = None,
    rest: int | None = None,
) -> Release:
    """Make one draft of several for the same channel; return it.

    What they change differently is decided by `takes`, by label, and what is left by `rest`, the number
    of the release whose side it is; text whose lines do not clash is merged by itself. Authors stay those
    of their changes. The drafts are kept, so that withdrawing the new one undoes it.

    Raises `Forbidden`, `CannotCombine`, `UnknownConflict`, `WrongResolution`, and `ConflictsOpen` where
    somebody has to decide first; nothing is made then.
    """
    require(actor, "releases.add_release", to="combine releases")
    sources = _locked(releases)
    refuse_to_combine(sources)
    combination = combination_of(sources)
    taken = _settled(combination, takes or {}, rest)
    made = _begin(sources, title, actor)
    _write(made, sources, combination, taken, actor)
    for source in sources:
        Origin.objects.create(release=made, kind=Origin.Kind.COMBINE, source=source)
    numbers = _listed(sources)
    record(
        actor=actor,
        action="release.combine",
        target=f"release {made.pk}",
        summary=f"Combined {numbers} into release {made.pk}: {combination.count} changes.",
        details={
            "sources": [source.pk for source in sources],
            "decided": {label: take.release or "merged" for label, take in list(taken.items())[:50]},
        },
    )
    return made


def refuse_to_combine(sources: Sequence[Release]) -> None:
    """Raise `CannotCombine`, in words, unless these are drafts for one channel on one base."""
    for source in sources:
        if not source.is_editable:
            raise CannotCombine(
                f"Release {source.pk} is {source.get_state_display()}; only drafts are combined.",
                next_step="Take it back to draft first.",
            )
        if is_promoted(source):
            raise CannotCombine(
                f"Release {source.pk} promotes exactly what was served elsewhere.",
                next_step="Combine those releases on the channel that it came from, and promote that.",
            )
    if len(sources) < 2:
        raise CannotCombine("Two drafts at least are combined.", next_step="Name another one.")
    if len({source.channel_id for source in sources}) > 1:
        raise CannotCombine(
            f"{_listed(sources).capitalize()} are for different channels.",
            next_step="Combine drafts for one channel.",
        )
    if len({source.base_manifest_id for source in sources}) > 1:
        behind = [source.pk for source in sources if source.base_id != max(s.base_id or 0 for s in sources)]
        raise CannotCombine(
            f"{_listed(sources).capitalize()} were begun on different releases.",
            next_step="Rebase first: "
            + ", ".join(f"`scripts/manage release rebase {number}`" for number in behind or [sources[0].pk])
            + ".",
        )


def _locked(releases: Iterable[Release]) -> list[Release]:
    """Lock channels, then releases, in the order of their numbers; return them in the order given."""
    numbers = list(dict.fromkeys(release.pk for release in releases))
    channels = {release.channel_id for release in releases}
    list(Channel.objects.select_for_update(no_key=True).filter(pk__in=channels).order_by("pk"))
    found = Release.objects.select_for_update(no_key=True).filter(pk__in=numbers).order_by("pk")
    by_number = {release.pk: release for release in found}
    return [by_number[number] for number in numbers]


def _settled(combination: Combination, takes: Mapping[str, Take], rest: int | None) -> dict[str, Take]:
    """Return what becomes of every conflict, by label. Raises `ConflictsOpen`, `UnknownConflict`."""
    by_label = {conflict.label: conflict for conflict in combination.conflicts}
    for label, take in takes.items():
        _refuse_wrong(label, take, by_label)
    settled = dict(takes)
    undecided = [conflict for conflict in combination.conflicts if conflict.label not in settled]
    pairs = {conflict.as_conflict: conflict for conflict in undecided if conflict.is_of_two}
    for pair in mergeable(pairs):
        if merged := clean_merge(pair):
            settled[pairs[pair].label] = Take(content=merged.text.encode())
    still_open = [conflict for conflict in undecided if conflict.label not in settled]
    if rest is not None:
        settled |= {each.label: Take(rest) for each in still_open if rest in each.releases}
        still_open = [conflict for conflict in still_open if conflict.label not in settled]
    if still_open:
        names = ", ".join(conflict.as_conflict.in_words for conflict in still_open[:_NAMED])
        more = f" and {len(still_open) - _NAMED} more" if len(still_open) > _NAMED else ""
        raise ConflictsOpen(
            f"They change differently: {names}{more}.",
            next_step="Say for each which release's is to be taken: --take PATH=RELEASE, --merged PATH=FILE,"
            " or --rest RELEASE for all.",
            names=tuple(conflict.label for conflict in still_open),
        )
    return settled


def _refuse_wrong(label: str, take: Take, known: Mapping[str, Contenders]) -> None:
    if label not in known:
        raise UnknownConflict(
            f"No two of them change {label} differently.",
            next_step=f"In conflict: {', '.join(list(known)[:_NAMED]) or 'nothing'}.",
        )
    conflict = known[label]
    if take.release is not None and take.release not in conflict.releases:
        raise WrongResolution(
            f"Release {take.release} does not change {label}.",
            next_step=f"Take that of one of {', '.join(map(str, conflict.releases))}.",
        )
    if take.content is not None:
        _refuse_content(conflict, take.content)


def _refuse_content(conflict: Contenders, content: bytes) -> None:
    if conflict.kind is not Kind.FILE:
        raise WrongResolution(
            f"It is no text that could be merged: {conflict.label}.",
            next_step="Take that of one of the releases.",
        )
    texts = texts_of(conflict.as_conflict)
    left = leftover_markers(content.decode(errors="replace"), texts.all) if texts else []
    if left:
        raise WrongResolution(
            f"Markers of a conflict are left in {conflict.label}, in line {left[0]}.",
            next_step="Put what should be served there, and take the markers out.",
        )


def _begin(sources: Sequence[Release], title: str, actor: User) -> Release:
    first = sources[0]
    made = Release.objects.create(
        channel=first.channel,
        base=first.base,
        base_manifest=first.base_manifest,
        created_by=actor,
        owner=actor,
        title=(title.strip() or " + ".join(source.title for source in sources))[:200],
        **{name: _joined(sources, name) for name in BRIEF_FIELDS if name not in ("title", "owner")},
    )
    people = {("", source.created_by_id) for source in sources}
    people |= {("", source.owner_id) for source in sources if source.owner_id}
    for source in sources:
        people.update(source.contributors.values_list("path", "person_id"))
        people.update(("", person) for person in source.involvements.values_list("person_id", flat=True))
    contribute(made, people)
    return made


def _joined(sources: Sequence[Release], name: str) -> str:
    """Return what the briefs of all say, each thing once."""
    said = dict.fromkeys(value for source in sources if (value := getattr(source, name)))
    return (" · " if name == "route" else "\n").join(said)[: 500 if name == "route" else None]


def _write(
    made: Release,
    sources: Sequence[Release],
    combination: Combination,
    taken: Mapping[str, Take],
    actor: User,
) -> None:
    kinds = {conflict.label: conflict for conflict in combination.conflicts}
    merged = [
        PutChange(_content(conflict.name, taken[label].content or b""))
        for label, conflict in kinds.items()
        if taken[label].content is not None
    ]
    write_changes(made, merged, actor)
    dropped = {change.path for change in merged} - set(made.changes.values_list("asset__path", flat=True))
    for source in sources:
        _copy(made, source, _lost(kinds.values(), taken, source) | dropped)
    _copy_redirects(made, sources, taken)
    _pin_rules(made, sources, combination, taken)
    contribute(made, combination.authors)


def _lost(conflicts: Iterable[Contenders], taken: Mapping[str, Take], source: Release) -> set[str]:
    """Return the paths that `source` changes and that another draft's are taken of."""
    return {
        conflict.name
        for conflict in conflicts
        if conflict.kind is Kind.FILE and taken[conflict.label].release not in (None, source.pk)
    }


def _content(path: str, content: bytes) -> Content:
    return take_in([content], path=path)


def _copy(made: Release, source: Release, without: set[str]) -> None:
    """Copy the changes of a draft, less some paths and those that are there already."""
    left_out = [("",), *((path,) for path in sorted(without))]
    rows.write(_COPIED, left_out, made.pk, rows.now(), source.pk, made.pk)


def _copy_redirects(made: Release, sources: Sequence[Release], taken: Mapping[str, Take]) -> None:
    copies: dict[str, RedirectChange] = {}
    for source in sources:
        for change in source.redirect_changes.all():
            take = taken.get(Contenders(Kind.REDIRECT, change.source, "", ()).label)
            if take and take.release != source.pk:
                continue
            copies.setdefault(
                change.source,
                RedirectChange(
                    release=made,
                    source=change.source,
                    kind=change.kind,
                    target=change.target,
                    status=change.status,
                    author_id=change.author_id,
                ),
            )
    RedirectChange.objects.bulk_create(copies.values(), batch_size=500)


def _pin_rules(
    made: Release, sources: Sequence[Release], combination: Combination, taken: Mapping[str, Take]
) -> None:
    pinned = {source.pk: rule_versions(source) for source in sources}
    by_number = {
        (slug, str(version.number)): version
        for versions in (rule_versions(made.base), *pinned.values())
        for slug, version in versions.items()
    }
    chosen = {slug: by_number[slug, number] for slug, number in combination.rules.items()}
    for conflict in combination.conflicts:
        if conflict.kind is Kind.RULE:
            chosen[conflict.name] = pinned[taken[conflict.label].release or 0][conflict.name]
    pin(made, chosen.values(), combination.rule_combination, combination.tagging)


def _listed(sources: Sequence[Release]) -> str:
    numbers = [str(source.pk) for source in sources]
    return f"releases {', '.join(numbers[:-1])} and {numbers[-1]}" if len(numbers) > 1 else "one release"
