"""Manifest files in storage, and where they lie on this machine."""

import os
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

from django.conf import settings

from apps.assets import store
from apps.releases.exceptions import ManifestMissing
from apps.releases.manifest.writer import file_sha256
from apps.releases.models import Manifest, ManifestFile
from apps.releases.verified_files import note_verified

_KEPT_FILES = 20  # of those that were fetched; a manifest of a million paths has 87 MB


def manifest_name(digest: str, file_sha256: str) -> str:
    """Return the name in storage of one file of a manifest: files that differ never share a name."""
    return f"manifests/{digest[:2]}/{digest}.{file_sha256[:16]}.sqlite"


class StoredFile(TypedDict):
    """The fields of a `ManifestFile` that say where a file is and what it has."""

    file_name: str
    file_sha256: str
    file_size_bytes: int


def put_manifest_file(file: Path, *, digest: str) -> StoredFile:
    """Bring a finished temporary file, of a manifest of this digest, to storage as `store.put_file` does."""
    sha256, size_bytes = file_sha256(file), file.stat().st_size
    name = manifest_name(digest, sha256)
    store.put_file(name, file, sha256=sha256)
    if (stored := store.local_path(name)) and store.is_stored(name, size_bytes=size_bytes):
        note_verified(stored, sha256)
    return {"file_name": name, "file_sha256": sha256, "file_size_bytes": size_bytes}


def manifest_file(manifest: ManifestFile) -> Path:
    """Return a local file that holds `manifest`, fetched first where storage is elsewhere.

    Raises `ManifestMissing` where storage lacks it, or holds other bytes under its name.
    """
    if isinstance(manifest, Manifest) and manifest.cleared_at:
        raise ManifestMissing(
            f"Manifest {manifest} was removed at {manifest.cleared_at:%Y-%m-%d}, since nobody could need it.",
            next_step="Make a release of the same changes: that builds it again.",
        )
    file = store.local_path(manifest.file_name)
    if file is None:
        file = _fetched(manifest)
    if not file.is_file() or file.stat().st_size != manifest.file_size_bytes:
        raise ManifestMissing(
            f"Manifest {manifest} is missing from storage or damaged ({manifest.file_name}).",
            next_step="Restore that file from a backup; what is live has not been changed.",
        )
    return file


def manifest_file_here(manifest: ManifestFile) -> Path | None:
    """Return the local file that holds `manifest`; None where it is not here whole. Nothing is fetched."""
    file = store.local_path(manifest.file_name) or _place_of(manifest)
    try:
        return file if file.stat().st_size == manifest.file_size_bytes else None
    except FileNotFoundError:
        return None


def _place_of(manifest: ManifestFile) -> Path:
    """Return where a manifest is kept once it was fetched."""
    return Path(settings.DATA_DIR) / "fetched" / Path(manifest.file_name).name


def _fetched(manifest: ManifestFile) -> Path:
    """Return where a manifest is kept that was fetched, now or earlier; there may be no such file."""
    file = _place_of(manifest)
    if file.is_file() and file.stat().st_size == manifest.file_size_bytes:
        os.utime(file)
        return file
    with store.temporary_file() as unfinished, suppress(FileNotFoundError):
        if store.download(manifest.file_name, unfinished) == manifest.file_sha256:
            file.parent.mkdir(parents=True, exist_ok=True)
            unfinished.replace(file)
            note_verified(file, manifest.file_sha256)
            _remove_oldest(file.parent)
    return file


def _remove_oldest(folder: Path) -> None:
    by_use = sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime)
    for file in by_use[:-_KEPT_FILES]:
        file.unlink(missing_ok=True)
