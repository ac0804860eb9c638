from functools import lru_cache
from pathlib import Path

from apps.releases.exceptions import ManifestMissing
from apps.releases.files import manifest_file
from apps.releases.manifest import ManifestFault, ManifestReader
from apps.releases.models import ManifestFile, Release


def open_manifest(manifest: ManifestFile) -> ManifestReader:
    """Return a reader of the manifest's newest file. Raises `ManifestMissing`."""
    return open_file(manifest_file(manifest))


def manifest_reader_of(release: Release) -> ManifestReader:
    """Return a reader of what `release` serves. Raises `ManifestMissing` where it was not built yet."""
    if release.manifest is None:
        raise ManifestMissing(
            f"Release {release.pk} has no manifest yet.", next_step="Submit it for review; that builds it."
        )
    return open_manifest(release.manifest)


def built_manifest_of(release: Release) -> ManifestReader | None:
    """Return a reader of what `release` serves, or None where it was not built or storage lacks it."""
    try:
        return manifest_reader_of(release)
    except ManifestMissing:
        return None


@lru_cache(maxsize=16)
def open_file(file: Path) -> ManifestReader:
    """Return a reader of a manifest's file, which never changes. Raises `ManifestMissing`."""
    try:
        return ManifestReader(file)
    except ManifestFault as fault:
        raise ManifestMissing(str(fault), next_step="Restore that file from a backup.") from fault
