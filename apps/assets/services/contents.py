from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import batched

from django.db import connection, transaction

from apps.accounts.models import User
from apps.assets import rows
from apps.assets.intake import Content
from apps.assets.models import Blob, Effort, Representation
from apps.assets.selectors import VALUES_AT_ONCE, blobs_to_encode, representations_of
from apps.assets.store import StoredBlob
from apps.jobs.models import Job
from apps.jobs.services import enqueue

# Rows in one INSERT: four values each at most, so below every limit on values in a statement.
_ROWS_AT_ONCE = 5_000
# A job's blobs and bytes at most: some seconds of work at the fast effort, up to 20 at the best.
_JOB_LIMITS = {Effort.FAST: (1_000, 32 << 20), Effort.BEST: (200, 8 << 20)}
_JOB_KINDS = {Effort.FAST: "assets.encode_fast", Effort.BEST: "assets.encode"}

# Rows that others have written are left as they are; the next statement sees them (READ COMMITTED).
_NEW_ASSETS = """
    INSERT INTO assets_asset (path, description, created_at)
    SELECT value ->> 0, '', %s FROM {rows} AS given WHERE true
    ON CONFLICT (path) DO NOTHING
"""
_ASSETS = """
    SELECT asset.path, asset.id FROM {rows} AS given JOIN assets_asset AS asset ON asset.path = value ->> 0
"""
_NEW_VERSIONS = """
    INSERT INTO assets_assetversion (asset_id, blob_id, media_type, created_by_id, created_at)
    SELECT asset.id, value ->> 1, value ->> 2, %s, %s
    FROM {rows} AS given JOIN assets_asset AS asset ON asset.path = value ->> 0
    WHERE true
    ON CONFLICT (asset_id, blob_id, media_type) DO NOTHING
"""
_VERSIONS = """
    SELECT asset.path, version.id
    FROM {rows} AS given
    JOIN assets_asset AS asset ON asset.path = value ->> 0
    JOIN assets_assetversion AS version
        ON version.asset_id = asset.id AND version.blob_id = value ->> 1 AND version.media_type = value ->> 2
"""


@transaction.atomic
def ensure_versions(contents: Sequence[Content], *, actor: User) -> dict[str, int]:
    """Make what lacks of blobs, assets and versions for `contents`; return the id of each path's version.

    Any number of contents, in a few statements for each 5,000; of a path named twice the last counts.
    Two that run at once meet in the same rows. Rows are written in the order of their keys, so that
    they do not wait for each other in a circle. The calling service writes the audit entry.
    """
    by_path = {content.path: content for content in contents}
    _ensure_blobs({content.digest: content.size_bytes for content in contents})
    versions: dict[str, int] = {}
    for some in batched(sorted(by_path), _ROWS_AT_ONCE):
        given = [(path, by_path[path].digest, by_path[path].media_type) for path in some]
        now = rows.now()
        rows.write(_NEW_ASSETS, given, now)
        rows.write(_NEW_VERSIONS, given, actor.pk, now)
        versions.update(rows.read(_VERSIONS, given))
    return versions


def ensure_blobs(blobs: Iterable[StoredBlob]) -> None:
    """Make what lacks of rows for blobs that the site made itself and that lie in storage already.

    The calling service writes the audit entry.
    """
    _ensure_blobs({blob.digest: blob.size_bytes for blob in blobs})


def enqueue_encoding(digests: Iterable[str], *, are_texts: bool = False) -> list[Job]:
    """Queue jobs that prepare content codings for these blobs, where that has not been tried; return them.

    First those of a fast effort, which workers also take first, then those of the best. A job is bounded
    in blobs and bytes, so that neither other jobs nor a worker that is to end wait for long. The same
    digests make the same jobs, which are done once. What a blob holds is known from its versions; those
    that the site made itself have none, so it has to be said that they `are_texts`.
    """
    wanted = set(digests)
    jobs = []
    for effort, kind in _JOB_KINDS.items():
        for part in _split(blobs_to_encode(wanted, effort), *_JOB_LIMITS[effort]):
            key = sha256("".join(part).encode()).hexdigest()
            payload = {"digests": part, **({"are_texts": True} if are_texts else {})}
            jobs.append(enqueue(kind=kind, key=f"{kind}:{key}", payload=payload))
    return jobs


@dataclass(frozen=True, slots=True)
class NewCoding:
    """A content coding of a blob (SHA-256 in hex) that is worth keeping, in storage already."""

    blob: str
    coding: Representation.Coding
    encoded: StoredBlob


@transaction.atomic
def keep_codings(codings: Iterable[NewCoding], *, tried: Sequence[str], effort: Effort) -> None:
    """Record the codings that were made of the blobs `tried`, with `effort`.

    Of two for the same blob and coding the smaller one stays, and the earlier where they are alike, so
    it may be said twice and in any order. Bytes that were beaten stay in storage: manifests name them.
    The job is the record of it, so there is no audit entry.
    """
    _lock_codings()
    known = {(r.blob_id, r.coding): r for found in representations_of(tried).values() for r in found}
    kept, beaten = [], []
    for new in codings:
        present = known.get((new.blob, new.coding))
        if present is None or new.encoded.size_bytes < present.encoded.size_bytes:
            kept.append(new)
            beaten += [present.pk] if present else []
    sizes = {new.encoded.digest: new.encoded.size_bytes for new in kept}
    rows = [Blob(digest=digest, size_bytes=sizes[digest], effort=Effort.BEST) for digest in sorted(sizes)]
    Blob.objects.bulk_create(rows, ignore_conflicts=True)
    Representation.objects.filter(pk__in=beaten).delete()
    Representation.objects.bulk_create(
        Representation(blob_id=new.blob, coding=new.coding, encoded_id=new.encoded.digest, effort=effort)
        for new in kept
    )
    Blob.objects.filter(digest__in=tried, effort__lt=effort).update(effort=effort)


def _lock_codings() -> None:
    """Let one transaction at a time write content codings, so that they commit in the order of their ids.

    SQLite has one writer anyway. PostgreSQL gives ids out before the commit: without the lock, a reader
    that knows number 11 would never look for a number 10 that was committed after it.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {Representation._meta.db_table} IN SHARE ROW EXCLUSIVE MODE")


@transaction.atomic
def ensure_assets(paths: Iterable[str]) -> dict[str, int]:
    """Make what lacks of assets for `paths`; return the id of each. Any number, as `ensure_versions`."""
    assets: dict[str, int] = {}
    for some in batched(sorted(set(paths)), _ROWS_AT_ONCE):
        given = [(path,) for path in some]
        rows.write(_NEW_ASSETS, given, rows.now())
        assets.update(rows.read(_ASSETS, given))
    return assets


def _ensure_blobs(sizes: Mapping[str, int]) -> None:
    lacking = sorted(sizes.keys() - _known_blobs(sizes))
    new = [Blob(digest=digest, size_bytes=sizes[digest]) for digest in lacking]
    Blob.objects.bulk_create(new, batch_size=_ROWS_AT_ONCE, ignore_conflicts=True)


def _known_blobs(digests: Iterable[str]) -> set[str]:
    known: set[str] = set()
    for some in batched(digests, VALUES_AT_ONCE):
        known.update(Blob.objects.filter(digest__in=some).values_list("digest", flat=True))
    return known


def _split(blobs: Iterable[Blob], most_blobs: int, most_bytes: int) -> Iterator[list[str]]:
    """Yield the digests of `blobs` in groups that are small enough for a job."""
    group: list[str] = []
    size_bytes = 0
    for blob in blobs:
        if group and (len(group) >= most_blobs or size_bytes + blob.size_bytes > most_bytes):
            yield group
            group, size_bytes = [], 0
        group.append(blob.digest)
        size_bytes += blob.size_bytes
    if group:
        yield group
