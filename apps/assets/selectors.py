from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import batched, groupby
from operator import itemgetter
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Count, Max, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from apps.assets.exceptions import UnknownPath, UnknownTagging
from apps.assets.models import Asset, AssetTag, AssetVersion, Blob, Effort, Representation, Tagging
from apps.assets.tag_words import TagCounts
from apps.tag_names import tag_fault

# Values in one statement: far below SQLite's limit (32,766 before 3.32 was 999; 250,000 in most builds).
VALUES_AT_ONCE = 5_000
# What a path is compared with that there is not: its neighbours in the index, and some of its folder.
_NEIGHBOURS = 50
_COMPARED = 300
_ALIKE = 0.6
_HIGHEST = 2**63 - 1  # that databases count to
_TAG_AFTER_TAG = """
WITH RECURSIVE tag (name) AS (
    SELECT min(name) FROM assets_assettag
    UNION ALL
    SELECT (SELECT min(name) FROM assets_assettag WHERE name > tag.name) FROM tag WHERE name IS NOT NULL
)
SELECT name FROM tag
WHERE EXISTS (SELECT 1 FROM assets_assettag AS t WHERE t.name = tag.name AND t.until_id IS NULL)
LIMIT %s
"""
_LAST_CODE_POINT = "\U0010ffff"


class TagCount(NamedTuple):
    """A tag, and how many files carry it."""

    name: str
    files: int


class TagChange(NamedTuple):
    """A tag that was given once, how many files carry it now, and the act that last gave or took it."""

    name: str
    files: int
    act: Tagging


class TagDifference(NamedTuple):
    """How many paths more carry a tag, and how many fewer."""

    more: int
    fewer: int


def representations_of(digests: Iterable[str]) -> dict[str, list[Representation]]:
    """Return the content codings of each of these blobs with their encoded blobs; every digest is a key.

    Any number of digests; one query for each 5,000 of them.
    """
    found: dict[str, list[Representation]] = {digest: [] for digest in digests}
    for some in batched(found, VALUES_AT_ONCE):
        rows = Representation.objects.filter(blob__in=some).select_related("encoded").order_by("id")
        for representation in rows:
            found[representation.blob_id].append(representation)
    return found


def media_types_of(digests: Sequence[str]) -> dict[str, set[str]]:
    """Return the media types under which each of these blobs is known; every digest is a key."""
    found: dict[str, set[str]] = {digest: set() for digest in digests}
    for some in batched(digests, VALUES_AT_ONCE):
        rows = AssetVersion.objects.filter(blob__in=some).order_by().values_list("blob_id", "media_type")
        for digest, media_type in rows.distinct():
            found[digest].add(media_type)
    return found


def newest_representation() -> int:
    """Return the id of the newest content coding, 0 where there is none."""
    return Representation.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def representations_since(number: int) -> Iterator[Representation]:
    """Yield the content codings newer than the one with this id, with their encoded blobs, oldest first."""
    newer = Representation.objects.filter(pk__gt=number).select_related("encoded").order_by("pk")
    yield from newer.iterator(chunk_size=VALUES_AT_ONCE)


def blobs_to_encode(digests: Iterable[str], effort: Effort) -> Iterator[Blob]:
    """Yield those of these blobs whose content codings have not been tried so hard yet, by digest."""
    for some in batched(sorted(set(digests)), VALUES_AT_ONCE):
        yield from Blob.objects.filter(digest__in=some, effort__lt=effort).order_by("digest")


def path_begins_with(prefix: str, *, field: str = "path") -> Q:
    """Return the condition that a path begins with `prefix`, exactly, in the form that an index answers.

    Django gives PostgreSQL an index for LIKE beside the unique one. SQLite's LIKE ignores case and
    indexes, but its order is that of the bytes, so there a prefix is a range.
    """
    if connection.vendor == "sqlite":
        return Q(**{f"{field}__gte": prefix, f"{field}__lt": prefix + _LAST_CODE_POINT})
    return Q(**{f"{field}__startswith": prefix})


def found_assets(*, tag: str = "", prefix: str = "") -> QuerySet[Asset]:
    """Return the assets that carry `tag`, below or at paths that begin with `prefix`; all without either."""
    if "\0" in prefix or (tag and tag_fault(tag)):
        return Asset.objects.none()
    found = Asset.objects.order_by("path")
    if prefix:
        found = found.filter(path_begins_with(prefix))
    return found.filter(carries(tag)) if tag else found


def asset_at(path: str) -> Asset:
    """Return the asset of this path. Raises `UnknownPath`, which names those near it."""
    asset = None if "\0" in path else Asset.objects.filter(path=path).first()
    if asset is None:
        raise UnknownPath.at(path, near=near_path(path))
    return asset


def with_contents(assets: QuerySet[Asset], *, versions: int = 1) -> QuerySet[Asset]:
    """Fetch what each asset consisted of last, as `newest_versions`, and what it carries, as `carried_tags`.

    Two queries more, however many assets there are.
    """
    newest = AssetVersion.objects.select_related("blob", "created_by").order_by("-id")[:versions]
    carried = AssetTag.objects.filter(until__isnull=True).order_by("name")
    return assets.prefetch_related(
        Prefetch("versions", newest, to_attr="newest_versions"),
        Prefetch("tags", carried, to_attr="carried_tags"),
    )


def carries(tag: str) -> Q:
    """Return the condition that an asset carries `tag` now; the index of names answers it."""
    return Q(pk__in=AssetTag.objects.filter(name=tag, until__isnull=True).order_by().values("asset"))


def near_path(path: str) -> list[str]:
    """Return paths that look most like one that there is not, the likeliest first; a few index look-ups."""
    typed = path.removeprefix("/").replace("\0", "").encode(errors="replace").decode()
    paths = Asset.objects.order_by("path").values_list("path", flat=True)
    folder = typed.rpartition("/")[0]
    known = dict.fromkeys(
        (
            *paths.filter(path__lt=typed).reverse()[:_NEIGHBOURS],
            *paths.filter(path__gte=typed)[:_NEIGHBOURS],
            *paths.filter(path_begins_with(f"{folder}/" if folder else ""))[:_COMPARED],
            *paths[:_COMPARED],
        )
    )
    return get_close_matches(typed, list(known), n=3, cutoff=_ALIKE)


def tag_counts(names: Collection[str] | None = None) -> list[TagCount]:
    """Return how many files carry each tag now, the most carried first; of `names` those that any does."""
    carried = AssetTag.objects.filter(until__isnull=True)
    carried = carried if names is None else carried.filter(name__in=names)
    counted = carried.order_by().values_list("name").annotate(files=Count("pk"))
    return [TagCount(*row) for row in counted.order_by("-files", "name")]


def some_tags(most: int) -> list[str]:
    """Return tags that files carry, by name, the first `most`. One query.

    It goes from name to name in the index, however many files carry each.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TAG_AFTER_TAG, [most])
        return [name for (name,) in cursor.fetchall()]


def tags_carried_by(assets: QuerySet[Asset]) -> list[TagCount]:
    """Return the tags that any of these assets carries, with how many of them do, by name."""
    carried = AssetTag.objects.filter(until__isnull=True, asset__in=assets.order_by().values("pk"))
    counted = carried.order_by().values_list("name").annotate(files=Count("pk"))
    return [TagCount(*row) for row in counted.order_by("name")]


def tags_ever() -> QuerySet[AssetTag, Any]:
    """Return each tag that was ever given: its `name`, how many `files` carry it, and the acts that last
    gave and last took it (`given`, `taken`). `last_changes_of` says more of them.
    """
    is_carried = Q(until__isnull=True)
    return (
        AssetTag.objects.order_by("name")
        .values("name")
        .annotate(files=Count("pk", filter=is_carried), given=Max("since"), taken=Max("until"))
    )


def last_changes_of(tags: Collection[dict[str, Any]]) -> list[TagChange]:
    """Return these rows of `tags_ever` with the act that last gave or took each. One query."""
    last = {row["name"]: max(row["given"], row["taken"] or 0) for row in tags}
    acts = Tagging.objects.select_related("created_by").in_bulk(set(last.values()))
    return [TagChange(row["name"], row["files"], acts[last[row["name"]]]) for row in tags]


def tag_history(asset: Asset) -> QuerySet[AssetTag]:
    """Return what tags an asset has carried, from which act until which, the newest first."""
    acts = ("since__created_by", "until__created_by")
    return AssetTag.objects.filter(asset=asset).select_related(*acts).order_by("-since_id", "name", "-pk")


def newest_taggings() -> QuerySet[Tagging]:
    """Return the acts of tagging, the newest first."""
    return Tagging.objects.select_related("created_by").order_by("-pk")


def tagging_numbered(number: int) -> Tagging:
    """Return an act of tagging. Raises `UnknownTagging`."""
    tagging = Tagging.objects.select_related("created_by").filter(pk=min(number, _HIGHEST)).first()
    if tagging is None:
        raise UnknownTagging(
            f"There is no tagging {number}.",
            next_step="`scripts/manage asset show PATH` says which have changed the tags of a file.",
        )
    return tagging


def changed_by(tagging: Tagging) -> QuerySet[Asset]:
    """Return the assets whose tags an act changed, with those as `changed_tags`: given (`since`) or taken."""
    changed = AssetTag.objects.filter(Q(since=tagging) | Q(until=tagging)).order_by("name")
    assets = Asset.objects.filter(pk__in=changed.order_by().values("asset")).order_by("path")
    return assets.prefetch_related(Prefetch("tags", changed, to_attr="changed_tags"))


def later_tagging_of(tagging: Tagging) -> Tagging | None:
    """Return the last act that has changed again what `tagging` changed, None where none has."""
    same = AssetTag.objects.filter(asset=OuterRef("asset"), name=OuterRef("name")).order_by("-since_id")
    last = same.annotate(act=Coalesce("until_id", "since_id")).values("act")[:1]
    changed = AssetTag.objects.filter(Q(since=tagging) | Q(until=tagging)).annotate(last=Subquery(last))
    number: int = changed.aggregate(Max("last"))["last__max"] or 0
    acts = Tagging.objects.select_related("created_by").filter(pk__gt=tagging.pk)
    return acts.filter(pk=number).first()


def counts_of_taggings(numbers: Collection[int]) -> dict[int, TagCounts]:
    """Return what each of these acts changed. Two queries."""
    found: dict[int, tuple[dict[str, int], dict[str, int]]] = {number: ({}, {}) for number in numbers}
    for at, field in enumerate(("since", "until")):
        rows = AssetTag.objects.filter(**{f"{field}__in": numbers}).order_by("name")
        for number, name, count in rows.values_list(field, "name").annotate(Count("pk")):
            found[number][at][name] = count
    return {number: TagCounts(*counts) for number, counts in found.items()}


def newest_tagging() -> Tagging | None:
    """Return the act of tagging that was the last one, None where nothing was ever tagged."""
    return Tagging.objects.order_by("-pk").first()


def tagged_paths(names: Collection[str], *, at: int | None) -> dict[str, frozenset[str]]:
    """Return the paths that carried any of these tags after the tagging `at`, each with those of them.

    None is before the first: no path. One query, however many there are, and none without names.
    """
    found: dict[str, set[str]] = defaultdict(set)
    if names and at is not None:
        rows = AssetTag.objects.filter(_carried(at), name__in=names).order_by()
        for path, name in rows.values_list("asset__path", "name").iterator(chunk_size=VALUES_AT_ONCE):
            found[path].add(name)
    return dict(_frozen(found))


def tags_of(paths: Iterable[str], *, at: int | None) -> dict[str, frozenset[str]]:
    """Return the tags that each of these paths carried after the tagging `at`; every path is a key."""
    found: dict[str, set[str]] = {path: set() for path in paths}
    if at is not None:
        for some in batched(found, VALUES_AT_ONCE):
            rows = AssetTag.objects.filter(_carried(at), asset__path__in=some).order_by()
            for path, name in rows.values_list("asset__path", "name"):
                found[path].add(name)
    return dict(_frozen(found))


def tag_differences(
    befores: Iterable[int | None], after: int | None, names: Collection[str]
) -> dict[int | None, dict[str, TagDifference]]:
    """Return how otherwise these tags are carried after the tagging `after` than after each of `befores`.

    Tags that the same paths carry are left out. One query, and none where nothing can differ.
    """
    found: dict[int | None, dict[str, TagDifference]] = {before: {} for before in befores}
    numbers = [before or 0 for before in found]
    first, last = min([*numbers, after or 0]), max([*numbers, after or 0])
    if first == last or not names:
        return found
    moved = Q(since__gt=first, since__lte=last) | Q(until__gt=first, until__lte=last)
    rows = AssetTag.objects.filter(moved, name__in=names).order_by("name", "asset")
    spans = rows.values_list("name", "asset", "since", "until").iterator(chunk_size=VALUES_AT_ONCE)
    for (name, _), group in groupby(spans, key=itemgetter(0, 1)):
        times = [(since, until) for _, _, since, until in group]
        has = any(is_carried(*span, at=after) for span in times)
        for before, differences in found.items():
            if any(is_carried(*span, at=before) for span in times) != has:
                more, fewer = differences.get(name, TagDifference(0, 0))
                differences[name] = TagDifference(more + has, fewer + (not has))
    return found


def taggers_between(before: int | None, after: int | None, names: Collection[str]) -> set[int]:
    """Return the ids of who gave or took these tags after the tagging `before`, where `after` still shows it.

    What was given and taken away again in between is nobody's. Two queries, and none for nothing.
    """
    first, last = before or 0, after or 0
    if first >= last or not names:
        return set()
    tags = AssetTag.objects.filter(name__in=names).order_by()
    given = tags.filter(_carried(last), since__gt=first).values_list("since__created_by", flat=True)
    taken = tags.filter(since__lte=first, until__gt=first, until__lte=last)
    return {*given.distinct(), *taken.values_list("until__created_by", flat=True).distinct()}


def _carried(at: int) -> Q:
    """Return the condition that a tag was carried after the tagging `at`."""
    return Q(since__lte=at) & (Q(until__isnull=True) | Q(until__gt=at))


def is_carried(since: int, until: int | None, *, at: int | None) -> bool:
    """Say whether a tag that was carried `since` one act `until` another was, after the tagging `at`."""
    return since <= (at or 0) and (until is None or until > (at or 0))


def _frozen(found: dict[str, set[str]]) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the paths with their tags, equal tags as one object: a million paths share a few."""
    known: dict[frozenset[str], frozenset[str]] = {}
    for path, names in found.items():
        tags = frozenset(names)
        yield path, known.setdefault(tags, tags)
