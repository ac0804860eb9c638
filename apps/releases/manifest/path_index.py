"""A path index: a file beside a large manifest in which delivery finds a path with one read.

A manifest is a tree that thousands of visitors' paths are looked up in at random: several pages of it
for each, every one unpacked by SQLite. The index is a hash table of what `ManifestReader.served` returns,
so it answers the same from one read of 1 KB, without taking memory. It is derived: it is made from the
manifest alone, names it by its SHA-256, and where it is missing the manifest answers.

The file is a head and as many buckets, of 1,024 bytes each. A bucket holds up to 21 slots one after
another: 8 bytes of the path's hash, the blob's SHA-256, the header set's id and the release (4 bytes
each, little-endian). What a full bucket cannot take is in the next one that can. Which bucket comes
first, and what a slot begins with, are the halves of a 16-byte BLAKE2b of the path: of two paths
that had the same 8 bytes the writer would make no index, and that a path which is not served meets
them is as likely as a disk's undetected fault.
"""

import fcntl
import mmap
import os
import struct
import weakref
from array import array
from hashlib import blake2b
from pathlib import Path

from apps.releases.manifest.format import ManifestFault
from apps.releases.manifest.reader import ManifestReader, ServedRow
from apps.releases.manifest.writer import file_sha256

BUCKET_BYTES = 1_024
_SLOTS = 21
_SLOT_BYTES = 48
_LAST_SLOT = (_SLOTS - 1) * _SLOT_BYTES
_MOST_FULL = 0.75  # of all slots: fuller, and many a path is found in its second bucket
_KEY_BYTES = 8
_NO_KEY = bytes(_KEY_BYTES)
_SERVED = struct.Struct("<32sII")
_HEAD = struct.Struct("<8sQ32s32s")  # magic and format, number of buckets, the manifest's SHA-256, checksum
_MAGIC = b"ASSEIDX1"
_CHECKED_BYTES = 1 << 20


class PathIndex:
    """Finds paths in the index `file` of the manifest with this SHA-256 (hex).

    Every byte is compared with the checksum first. Raises `ManifestFault` where they differ, or the file
    is another manifest's; `OSError` where it cannot be read. Safe for use by several threads.
    """

    def __init__(self, file: Path, *, sha256: str) -> None:
        self.file = file
        self._handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._handle)
        head = os.pread(self._handle, _HEAD.size, 0)
        if len(head) < _HEAD.size:
            raise ManifestFault(f"{file} is cut short")
        magic, self._buckets, manifest, checksum = _HEAD.unpack(head)
        if magic != _MAGIC or manifest.hex() != sha256:
            raise ManifestFault(f"{file} is not the index of the manifest {sha256}")
        if _checksum(self._handle, self._buckets) != checksum:
            raise ManifestFault(f"{file} is damaged")

    def served(self, path: str) -> ServedRow | None:
        """Return what `ManifestReader.served` does. Raises `OSError` where it cannot be read any more."""
        number, key = _place(path, self._buckets)
        while True:
            bucket = os.pread(self._handle, BUCKET_BYTES, (number + 1) * BUCKET_BYTES)
            at = _find(bucket, key)
            if at >= 0:
                return _SERVED.unpack_from(bucket, at + _KEY_BYTES)
            if bucket[_LAST_SLOT : _LAST_SLOT + _KEY_BYTES] == _NO_KEY:
                return None
            if len(bucket) < BUCKET_BYTES:
                raise OSError(f"{self.file} has been cut short")
            number = (number + 1) % self._buckets


def write_index(manifest: Path, file: Path, *, sha256: str) -> None:
    """Write the index of `manifest`, whose SHA-256 (hex) is given, to `file`, which appears whole.

    Does nothing where it is there, or another process is writing it. Raises `ManifestFault` where the
    manifest has other bytes or cannot be indexed, `OSError` where the file cannot be written.
    """
    part = file.with_suffix(".part")
    with part.open("a+b") as stream:
        if file.exists() or not _is_ours(stream.fileno(), part):
            return
        if file_sha256(manifest) != sha256:
            raise ManifestFault(f"{manifest} does not have the SHA-256 {sha256}")
        stream.truncate(0)  # what a process that was killed has left
        _write(manifest, stream.fileno(), sha256)
        part.replace(file)


def _is_ours(handle: int, part: Path) -> bool:
    """Lock the file that is written, and see that it is still the one of that name."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(handle), part.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _write(manifest: Path, handle: int, sha256: str) -> None:
    with ManifestReader(manifest) as reader:
        buckets = int(reader.path_count / (_SLOTS * _MOST_FULL)) + 1
        # The room is taken first: a map of a file that the disk has no room for would kill its writer.
        os.posix_fallocate(handle, 0, (buckets + 1) * BUCKET_BYTES)
        with mmap.mmap(handle, 0) as table:
            _fill(table, reader, buckets)
            table.flush()
            checksum = _checksum(handle, buckets)
            table[: _HEAD.size] = _HEAD.pack(_MAGIC, buckets, bytes.fromhex(sha256), checksum)
            table.flush()


def _fill(table: mmap.mmap, reader: ManifestReader, buckets: int) -> None:
    taken = array("B", bytes(buckets))
    for path, served in reader.all_served():
        number, key = _place(path, buckets)
        if key == _NO_KEY:
            raise ManifestFault(f"{path!r} has the hash of an empty slot")
        while True:
            start = (number + 1) * BUCKET_BYTES
            end = start + taken[number] * _SLOT_BYTES
            if _find(table[start:end], key) >= 0:
                raise ManifestFault(f"{path!r} and another path have the same hash")
            if taken[number] < _SLOTS:
                break
            number = (number + 1) % buckets
        table[end : end + _SLOT_BYTES] = key + _SERVED.pack(*served)
        taken[number] += 1


def _place(path: str, buckets: int) -> tuple[int, bytes]:
    """Return the number of the bucket that a path is looked for in first, and what its slot begins with."""
    digest = blake2b(path.encode(), digest_size=16).digest()
    return int.from_bytes(digest[_KEY_BYTES:], "little") % buckets, digest[:_KEY_BYTES]


def _find(bucket: bytes, key: bytes) -> int:
    """Return where in `bucket` the slot with this key begins, -1 if there is none."""
    at = bucket.find(key)
    while at > 0 and at % _SLOT_BYTES:  # these bytes occur in a blob's digest
        at = bucket.find(key, at + 1)
    return at


def _checksum(handle: int, buckets: int) -> bytes:
    checksum, size = blake2b(digest_size=32), 0
    while content := os.pread(handle, _CHECKED_BYTES, BUCKET_BYTES + size):
        checksum.update(content)
        size += len(content)
    return checksum.digest() if size == buckets * BUCKET_BYTES else b""
