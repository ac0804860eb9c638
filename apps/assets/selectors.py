from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import batched, groupby
from operator import itemgetter
from typing import NamedTuple

from django.db import connection
from django.db.models import Q

from apps.assets.models import AssetTag, AssetVersion, Blob, Effort, Representation, Tagging

# Values in one statement: far below SQLite's limit (32,766 before 3.32 was 999; 250,000 in most builds).
VALUES_AT_ONCE = 5_000
_LAST_CODE_POINT = "\U0010ffff"


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
        is_carried = _is_within(times, after)
        for before, differences in found.items():
            if _is_within(times, before) != is_carried:
                more, fewer = differences.get(name, TagDifference(0, 0))
                differences[name] = TagDifference(more + is_carried, fewer + (not is_carried))
    return found


def _carried(at: int) -> Q:
    """Return the condition that a tag was carried after the tagging `at`."""
    return Q(since__lte=at) & (Q(until__isnull=True) | Q(until__gt=at))


def _is_within(spans: Iterable[tuple[int, int | None]], number: int | None) -> bool:
    return any(since <= (number or 0) and (until is None or until > (number or 0)) for since, until in spans)


def _frozen(found: dict[str, set[str]]) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the paths with their tags, equal tags as one object: a million paths share a few."""
    known: dict[frozenset[str], frozenset[str]] = {}
    for path, names in found.items():
        tags = frozenset(names)
        yield path, known.setdefault(tags, tags)
