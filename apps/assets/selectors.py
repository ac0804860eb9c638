from collections.abc import Iterable, Iterator, Sequence
from itertools import batched

from django.db import connection
from django.db.models import Q

from apps.assets.models import AssetVersion, Blob, Effort, Representation

# Values in one statement: far below SQLite's limit (32,766 before 3.32 was 999; 250,000 in most builds).
VALUES_AT_ONCE = 5_000
_LAST_CODE_POINT = "\U0010ffff"


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
