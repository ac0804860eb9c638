"""Content codings, prepared in the background (see `encoding`): fast ones first, then the best."""

import os
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from typing import Any

from apps.assets import store
from apps.assets.encoding import MAX_ENCODED_BYTES, encoded, is_compressible, is_worth_keeping
from apps.assets.exceptions import BlobDamaged
from apps.assets.models import Blob, Effort, Representation
from apps.assets.selectors import blobs_to_encode, media_types_of, representations_of
from apps.assets.services import NewCoding, keep_codings
from apps.jobs.log import JobLog
from apps.jobs.registry import handler

_BLOBS_AT_ONCE = 32
_LAST_IN_LINE = 19


def _give_way() -> None:
    """Let everything else on this machine go first: visitors do not wait for smaller files."""
    if sys.platform == "linux":  # elsewhere a priority is the whole process's, which also publishes
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LAST_IN_LINE)


_encoder = ThreadPoolExecutor(1, "encoder", initializer=_give_way)

type _Sizes = dict[Representation.Coding, int]
"""Bytes of the content codings that a blob has."""


@handler("assets.encode_fast")
def encode_fast(payload: dict[str, Any], log: JobLog) -> None:
    """Do what `encode` does, with little effort, so that visitors soon get something smaller."""
    _encode(payload, log, Effort.FAST)


@handler("assets.encode", priority=-10)
def encode(payload: dict[str, Any], log: JobLog) -> None:
    """Try the content codings for the blobs of `payload["digests"]`, keep what saves 5 %.

    Every 32 blobs it is recorded what was done, and blobs that are done are passed over: interrupted,
    it goes on where it was. `payload["are_texts"]` says that they are worth it whatever is known of them.
    Raises `BlobDamaged` at its end where storage lacks a blob.
    """
    _encode(payload, log, Effort.BEST)


def _encode(payload: dict[str, Any], log: JobLog, effort: Effort) -> None:
    missing: list[str] = []
    are_texts = payload.get("are_texts", False)
    for blobs in batched(blobs_to_encode(payload["digests"], effort), _BLOBS_AT_ONCE):
        missing += _encode_some(blobs, log, effort, are_texts=are_texts)
    if missing:
        raise BlobDamaged(
            f"Storage lacks {len(missing)} blobs: {', '.join(missing)}.",
            next_step="Restore them from a backup or import their files again, then run this job again.",
        )


def _encode_some(blobs: Sequence[Blob], log: JobLog, effort: Effort, *, are_texts: bool) -> list[str]:
    """Encode some blobs and record it; return the digests of those that storage lacks."""
    digests = [blob.digest for blob in blobs]
    media_types, known = media_types_of(digests), representations_of(digests)
    done: list[str] = []
    found: list[NewCoding] = []
    missing: list[str] = []
    with store.writing() as batch:
        for blob in blobs:
            try:
                if _is_worth_trying(blob, media_types[blob.digest], log, are_texts=are_texts):
                    sizes = {
                        Representation.Coding(r.coding): r.encoded.size_bytes for r in known[blob.digest]
                    }
                    found += _codings(blob, batch, sizes, effort)
                done.append(blob.digest)
            except FileNotFoundError:
                missing.append(blob.digest)
    keep_codings(found, tried=done, effort=effort)
    saved = ", ".join(
        f"{kind.value} {sum(e.coding == kind for e in found)}" for kind in Representation.Coding
    )
    log.write(f"Blobs tried: {len(done)}; codings kept: {saved}.")
    return missing


def _is_worth_trying(blob: Blob, media_types: set[str], log: JobLog, *, are_texts: bool) -> bool:
    if not (are_texts or any(map(is_compressible, media_types))):
        return False
    if blob.size_bytes > MAX_ENCODED_BYTES:
        log.write(
            f"{blob} has {blob.size_bytes >> 20} MiB: above {MAX_ENCODED_BYTES >> 20} it is left as it is."
        )
        return False
    return True


def _codings(blob: Blob, batch: store.Batch, known: _Sizes, effort: Effort) -> list[NewCoding]:
    """Add to `batch` the codings of a blob that are worth keeping and smaller than those it has."""
    found = []
    for coding in Representation.Coding:
        with store.open_blob(blob.digest) as source:
            pieces = encoded(coding, source, size_bytes=blob.size_bytes, effort=effort)
            stored = _encoder.submit(batch.add, pieces).result()
        is_smaller = coding not in known or stored.size_bytes < known[coding]
        if is_smaller and is_worth_keeping(encoded_bytes=stored.size_bytes, size_bytes=blob.size_bytes):
            found.append(NewCoding(blob.digest, coding, stored))
        else:
            batch.take_out(stored.digest)
    return found
