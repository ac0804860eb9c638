"""Tags of assets: given and taken away in numbered acts, and acts that take back others."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched

from django.db import connection, transaction
from django.db.models import Count

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.assets.exceptions import TaggedSince, UnknownPath, WrongReason, WrongTag
from apps.assets.models import Asset, AssetTag, Tagging
from apps.assets.selectors import VALUES_AT_ONCE, near_path
from apps.assets.tag_words import TagCounts
from apps.audit.services import record
from apps.tag_names import MAX_TAGS, tag_fault, typed_tag
from apps.texts import is_storable

MAX_REASON_CHARACTERS = 2_000
_ROWS_AT_ONCE = 5_000
_PATHS_TOLD = 100  # in one entry of the log; the rows themselves say all
_MAY = "assets.change_asset"


@transaction.atomic
def tag_assets(
    *,
    paths: Iterable[str],
    actor: User,
    add: Iterable[str] = (),
    remove: Iterable[str] = (),
    reason: str = "",
) -> Tagging | None:
    """Give tags to the assets at `paths`, and take others away; return the act, None where nothing changes.

    Any number of paths, all or none. What is served stays as it is until a release pins the act. Raises
    `Forbidden`, `WrongTag`, `WrongReason`, `UnknownPath`.
    """
    require(actor, _MAY, to="tag files")
    names, why = _Names.typed(add, remove), _checked_reason(reason)
    _lock_tagging()
    plan = _plan(paths, names)
    return _carry_out(plan, actor=actor, reason=why) if plan.counts else None


def planned_tagging(
    *, paths: Iterable[str], actor: User, add: Iterable[str] = (), remove: Iterable[str] = ()
) -> TagCounts:
    """Return what `tag_assets` would do with these, and refuse what it would refuse. Nothing is written."""
    require(actor, _MAY, to="tag files")
    return _plan(paths, _Names.typed(add, remove)).counts


@transaction.atomic
def undo_tagging(*, tagging: Tagging, actor: User, reason: str = "") -> Tagging:
    """Take back exactly what an act changed; return the act that does. It can be taken back in its turn.

    Raises `Forbidden`, `TaggedSince` where a later act has given or taken one of these tags of one of these
    files, `WrongTag` where a file would carry too many, and `WrongReason`.
    """
    require(actor, _MAY, to="tag files")
    why = _checked_reason(reason) or f"Takes back {tagging}."
    _lock_tagging()
    given = list(AssetTag.objects.filter(since=tagging).order_by("pk"))
    taken = list(AssetTag.objects.filter(until=tagging).order_by("pk"))
    assets = _paths_of({tag.asset_id for tag in (*given, *taken)})
    _refuse_touched(tagging, assets, [*given, *taken])
    plan = _Plan(assets, [(tag.asset_id, tag.name) for tag in taken], given)
    _refuse_too_many(plan)
    return _carry_out(plan, actor=actor, reason=why, undoes=tagging)


@dataclass(frozen=True, slots=True)
class _Names:
    """The tags that are to be given, and those that are to be taken away."""

    add: frozenset[str]
    remove: frozenset[str]

    @classmethod
    def typed(cls, add: Iterable[str], remove: Iterable[str]) -> "_Names":
        names = cls(_checked_tags(add), _checked_tags(remove))
        if both := names.add & names.remove:
            raise WrongTag(
                f"{min(both)} is to be given and to be taken away.",
                next_step="Leave it out of one of the two.",
            )
        return names


@dataclass(frozen=True, slots=True)
class _Plan:
    """The paths by the ids of their assets, what each is given, and the rows that end."""

    assets: Mapping[int, str]
    new: Sequence[tuple[int, str]]
    ended: Sequence[AssetTag]

    @property
    def counts(self) -> TagCounts:
        return TagCounts.of((name for _, name in self.new), (tag.name for tag in self.ended))


def _checked_tags(names: Iterable[str]) -> frozenset[str]:
    found = frozenset(map(typed_tag, names))
    for name in sorted(found):
        if fault := tag_fault(name):
            raise WrongTag(f"{name!r} is no tag.", next_step=fault)
    return found


def _checked_reason(text: str) -> str:
    reason = text.strip()
    if len(reason) > MAX_REASON_CHARACTERS or not is_storable(reason):
        raise WrongReason(
            "The reason cannot be kept: it is too long, or no text.",
            next_step=f"Say it in {MAX_REASON_CHARACTERS:,} characters at most.",
        )
    return reason


def _lock_tagging() -> None:
    """Let one transaction at a time tag, so that acts commit in the order of their ids.

    SQLite has one writer anyway. On PostgreSQL, without the lock, a release could pin number 11 before
    number 10 is committed, which would then change what it has pinned.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {Tagging._meta.db_table} IN SHARE ROW EXCLUSIVE MODE")


def _plan(paths: Iterable[str], names: _Names) -> _Plan:
    assets = _assets_at(sorted(set(paths)))
    kept = {(tag.asset_id, tag.name) for tag in _carried_now(assets, names.add)}
    new = [(asset, name) for asset in assets for name in sorted(names.add) if (asset, name) not in kept]
    plan = _Plan(assets, new, _carried_now(assets, names.remove))
    _refuse_too_many(plan)
    return plan


def _assets_at(paths: Sequence[str]) -> dict[int, str]:
    """Return the paths by the ids of their assets. Raises `UnknownPath` for the first that has none."""
    assets: dict[int, str] = {}
    for some in batched(filter(is_storable, paths), VALUES_AT_ONCE):
        assets.update(Asset.objects.filter(path__in=some).order_by("path").values_list("pk", "path"))
    if lacking := set(paths) - set(assets.values()):
        raise UnknownPath.at(min(lacking), near=near_path(min(lacking)), others=len(lacking) - 1)
    return assets


def _paths_of(assets: Collection[int]) -> dict[int, str]:
    paths: dict[int, str] = {}
    for some in batched(assets, VALUES_AT_ONCE):
        paths.update(Asset.objects.filter(pk__in=some).order_by().values_list("pk", "path"))
    return paths


def _carried_now(assets: Iterable[int], names: Collection[str]) -> list[AssetTag]:
    if not names:
        return []
    carried = AssetTag.objects.filter(name__in=names, until__isnull=True).order_by("pk")
    return [tag for some in batched(assets, VALUES_AT_ONCE) for tag in carried.filter(asset__in=some)]


def _refuse_too_many(plan: _Plan) -> None:
    coming = Counter(asset for asset, _ in plan.new)
    going = Counter(tag.asset_id for tag in plan.ended)
    for some in batched(coming, VALUES_AT_ONCE):
        carried = AssetTag.objects.filter(asset__in=some, until__isnull=True).order_by()
        counts = dict(carried.values_list("asset").annotate(Count("pk")))
        for asset in some:
            if counts.get(asset, 0) + coming[asset] - going[asset] > MAX_TAGS:
                raise WrongTag(
                    f"{plan.assets[asset]} would carry more than {MAX_TAGS} tags.",
                    next_step="Take some away that nothing asks for any more.",
                )


def _refuse_touched(tagging: Tagging, assets: Mapping[int, str], changed: Sequence[AssetTag]) -> None:
    """Raise `TaggedSince` where a later act has changed what `tagging` changed; the last one is named."""
    pairs = {(tag.asset_id, tag.name) for tag in changed}
    names = {name for _, name in pairs}
    touched: dict[tuple[int, str], int] = {}
    for some in batched(assets, VALUES_AT_ONCE):
        rows = AssetTag.objects.filter(asset__in=some, name__in=names).order_by()
        for asset, name, since, until in rows.values_list("asset", "name", "since", "until"):
            last = max(since, until or 0)
            if last > tagging.pk and (asset, name) in pairs:
                touched[asset, name] = max(last, touched.get((asset, name), 0))
    if touched:
        last = max(touched.values())
        asset, name = min(pair for pair, number in touched.items() if number == last)
        later = Tagging.objects.select_related("created_by").get(pk=last)
        raise TaggedSince(
            f"Tagging {tagging.pk} cannot be taken back: {later} of {later.created_by} has changed"
            f" {name} of {assets[asset]}{_and_more(len(touched) - 1)} since.",
            next_step=f"Take back {later} first, or change the tags of those files by hand.",
        )


def _and_more(count: int) -> str:
    return f" (and {count:,} more)" if count else ""


def _carry_out(plan: _Plan, *, actor: User, reason: str, undoes: Tagging | None = None) -> Tagging:
    tagging = Tagging.objects.create(created_by=actor, reason=reason)
    for some in batched([tag.pk for tag in plan.ended], VALUES_AT_ONCE):
        AssetTag.objects.filter(pk__in=some).update(until=tagging)
    AssetTag.objects.bulk_create(
        (AssetTag(asset_id=asset, name=name, since=tagging) for asset, name in plan.new),
        batch_size=_ROWS_AT_ONCE,
    )
    _record_tagging(tagging, plan, undoes)
    return tagging


def _record_tagging(tagging: Tagging, plan: _Plan, undoes: Tagging | None) -> None:
    paths = sorted(plan.assets.values())
    record(
        actor=tagging.created_by,
        action="asset.tag",
        target=f"asset {paths[0]}" if len(paths) == 1 else "assets",
        summary=plan.counts.words,
        details={"tagging": tagging.pk, **plan.counts.as_json(), "paths": paths[:_PATHS_TOLD]}
        | ({"undoes": undoes.pk} if undoes else {})
        | ({"reason": tagging.reason} if tagging.reason else {}),
    )
