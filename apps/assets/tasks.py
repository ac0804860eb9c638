"""Content codings, prepared in the background (see `encoding`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any

from django.db import transaction

from apps.assets import store
from apps.assets.encoding import MAX_ENCODED_BYTES, encoded, is_compressible, is_worth_keeping
from apps.assets.exceptions import BlobDamaged
from apps.assets.models import Blob, Representation
from apps.assets.selectors import blobs_to_encode, media_types_of
from apps.jobs.log import JobLog
from apps.jobs.registry import handler

_BLOBS_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class _Encoding:
    """A content coding of a blob that is worth keeping, on its way into storage."""

    blob: Blob
    coding: Representation.Coding
    encoded: store.StoredBlob


@handler("assets.encode")
def encode(payload: dict[str, Any], log: JobLog) -> None:
    """Try the content codings for the blobs of `payload["digests"]`, keep what saves 5 %.

    Every 32 blobs it is recorded what was done, and blobs that are done are passed over: interrupted,
    it goes on where it was. Raises `BlobDamaged` at its end where storage lacks a blob.
    """
    digests: list[str] = payload["digests"]
    missing: list[str] = []
    for blobs in batched(blobs_to_encode(digests), _BLOBS_AT_ONCE):
        missing += _encode_some(blobs, log)
    if missing:
        raise BlobDamaged(
            f"Storage lacks {len(missing)} blobs: {', '.join(missing)}.",
            next_step="Restore them from a backup or import their files again, then run this job again.",
        )


def _encode_some(blobs: Sequence[Blob], log: JobLog) -> list[str]:
    """Encode some blobs and record it; return the digests of those that storage lacks."""
    media_types = media_types_of([blob.digest for blob in blobs])
    done: list[Blob] = []
    kept: list[_Encoding] = []
    missing: list[str] = []
    with store.writing() as batch:
        for blob in blobs:
            try:
                if _is_worth_trying(blob, media_types[blob.digest], log):
                    kept += _encodings(blob, batch)
                done.append(blob)
            except FileNotFoundError:
                missing.append(blob.digest)
    _record(done, kept)
    saved = ", ".join(f"{kind.value} {sum(e.coding == kind for e in kept)}" for kind in Representation.Coding)
    log.write(f"Blobs tried: {len(done)}; codings kept: {saved}.")
    return missing


def _is_worth_trying(blob: Blob, media_types: set[str], log: JobLog) -> bool:
    if not any(map(is_compressible, media_types)):
        return False
    if blob.size_bytes > MAX_ENCODED_BYTES:
        log.write(
            f"{blob} has {blob.size_bytes >> 20} MiB: above {MAX_ENCODED_BYTES >> 20} it is left as it is."
        )
        return False
    return True


def _encodings(blob: Blob, batch: store.Batch) -> list[_Encoding]:
    kept = []
    for coding in Representation.Coding:
        with store.open_blob(blob.digest) as source:
            stored = batch.add(encoded(coding, source, size_bytes=blob.size_bytes))
        if is_worth_keeping(encoded_bytes=stored.size_bytes, size_bytes=blob.size_bytes):
            kept.append(_Encoding(blob, coding, stored))
        else:
            batch.take_out(stored.digest)
    return kept


@transaction.atomic
def _record(done: Sequence[Blob], kept: Sequence[_Encoding]) -> None:
    """Write what was found; what another run wrote meanwhile stands."""
    sizes = {each.encoded.digest: each.encoded.size_bytes for each in kept}
    rows = [Blob(digest=digest, size_bytes=sizes[digest], is_encoded=True) for digest in sorted(sizes)]
    Blob.objects.bulk_create(rows, ignore_conflicts=True)
    representations = [
        Representation(blob=each.blob, coding=each.coding, encoded_id=each.encoded.digest) for each in kept
    ]
    Representation.objects.bulk_create(representations, ignore_conflicts=True)
    Blob.objects.filter(digest__in=[blob.digest for blob in done]).update(is_encoded=True)
