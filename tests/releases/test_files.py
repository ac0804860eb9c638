"""Manifests where storage is elsewhere: each is fetched once, compared, and kept for a while."""

import hashlib
import os
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage, storages
from pytest_django.fixtures import Settings

from apps.releases import files
from apps.releases.exceptions import ManifestMissing
from apps.releases.files import manifest_file
from apps.releases.models import Manifest

CONTENT = b"what a manifest holds"


@pytest.fixture
def elsewhere(settings: Settings) -> InMemoryStorage:
    settings.STORAGES = {
        **settings.STORAGES,
        "blobs": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    }
    place = storages["blobs"]
    assert isinstance(place, InMemoryStorage)
    return place


def stored(content: bytes, place: InMemoryStorage, *, name: str = "one") -> Manifest:
    """Return a manifest whose file is in storage."""
    manifest = Manifest(
        digest=name,
        file_name=f"manifests/{name}.sqlite",
        file_sha256=hashlib.sha256(content).hexdigest(),
        file_size_bytes=len(content),
    )
    place.save(manifest.file_name, ContentFile(content))
    return manifest


def test_it_is_fetched_once(elsewhere: InMemoryStorage, tmp_path: Path) -> None:
    manifest = stored(CONTENT, elsewhere)
    assert manifest_file(manifest).read_bytes() == CONTENT
    elsewhere.delete(manifest.file_name)
    assert manifest_file(manifest).read_bytes() == CONTENT
    assert not list((tmp_path / "unfinished").iterdir())


def test_a_copy_that_is_not_whole_is_fetched_again(elsewhere: InMemoryStorage) -> None:
    manifest = stored(CONTENT, elsewhere)
    copy = manifest_file(manifest)
    copy.chmod(0o644)
    copy.write_bytes(CONTENT[:5])
    assert manifest_file(manifest).read_bytes() == CONTENT


@pytest.mark.parametrize("content", [None, b"WHAT a manifest holds", CONTENT[:5]])
def test_what_storage_lacks_or_has_damaged_is_refused(
    elsewhere: InMemoryStorage, tmp_path: Path, content: bytes | None
) -> None:
    manifest = stored(CONTENT, elsewhere)
    elsewhere.delete(manifest.file_name)
    if content is not None:
        elsewhere.save(manifest.file_name, ContentFile(content))
    with pytest.raises(ManifestMissing, match="missing from storage or damaged"):
        manifest_file(manifest)
    assert not list(tmp_path.rglob("*.sqlite"))
    assert not list((tmp_path / "unfinished").iterdir())


def test_those_that_were_used_lately_are_kept(
    elsewhere: InMemoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_KEPT_FILES", 2)
    first, second, third = (stored(CONTENT, elsewhere, name=name) for name in ("one", "two", "three"))
    for seconds, manifest in enumerate((first, second), start=1):
        os.utime(manifest_file(manifest), (seconds, seconds))
    manifest_file(first)
    kept = manifest_file(third).parent
    assert {file.name for file in kept.iterdir()} == {"one.sqlite", "three.sqlite"}
