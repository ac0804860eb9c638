"""How bytes come in: hashed while they are written, typed by name and head, durable before they count."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from apps.assets import store
from apps.assets.exceptions import AssetRefusal
from apps.assets.media_types import HEAD_BYTES, media_type_of
from apps.refusals import Refusal

# What is written before it is synced together: enough to overlap, little enough to lose and repeat.
_FILES_AT_ONCE = 4096
_BYTES_AT_ONCE = 64 << 20

type Source = tuple[str, Iterable[bytes]]
"""A path and its bytes in pieces, which are asked for once and only when it is the file's turn."""


@dataclass(frozen=True, slots=True)
class Content:
    """A path with bytes that lie in storage: SHA-256 in hex, size, media type without a charset."""

    path: str
    digest: str
    size_bytes: int
    media_type: str


def take_in(chunks: Iterable[bytes], *, path: str) -> Content:
    """Store bytes for `path`; return what they are. Raises what `chunks` and `store.put_blob` raise."""
    with store.writing() as batch:
        return _add(batch, path, chunks)


def take_in_many(
    sources: Iterable[Source], *, on_refusal: Callable[[str, Refusal], None] | None = None
) -> Iterator[Content]:
    """Store many files, in batches whose syncs overlap; yield each when it is durable, in their order.

    A `Refusal` from a source's own bytes (unreadable, changed meanwhile) concerns that file: with
    `on_refusal`, which gets its path, the others go on; without, it is raised. Raises what
    `store.put_blob` raises; the unfinished batch is then gone, and what was yielded before stays.
    """
    remaining = iter(sources)
    while contents := _take_in_batch(remaining, on_refusal):
        yield from filter(None, contents)


def _take_in_batch(
    sources: Iterator[Source], on_refusal: Callable[[str, Refusal], None] | None
) -> list[Content | None]:
    """Store the next batch; return what came of each of its files: nothing at the end of the sources."""
    contents: list[Content | None] = []
    with store.writing() as batch:
        for path, chunks in sources:
            try:
                contents.append(_add(batch, path, chunks))
            except AssetRefusal:
                raise
            except Refusal as refusal:
                if on_refusal is None:
                    raise
                on_refusal(path, refusal)
                contents.append(None)
            if len(contents) >= _FILES_AT_ONCE or batch.size_bytes >= _BYTES_AT_ONCE:
                break
    return contents


def _add(batch: store.Batch, path: str, chunks: Iterable[bytes]) -> Content:
    head = bytearray()
    blob = batch.add(_watched(chunks, head))
    return Content(path, blob.digest, blob.size_bytes, media_type_of(path, bytes(head)))


def _watched(chunks: Iterable[bytes], head: bytearray) -> Iterator[bytes]:
    """Pass `chunks` on, keeping the first bytes in `head`."""
    for chunk in chunks:
        if len(head) < HEAD_BYTES:
            head += chunk[: HEAD_BYTES - len(head)]
        yield chunk
