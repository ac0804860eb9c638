"""A build that follows references: how little it reads, and what becomes of it where something fails."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage

from apps.accounts.models import User
from apps.assets import store
from apps.assets.exceptions import BlobDamaged
from apps.assets.models import Blob
from apps.caching.headers import HeaderCompiler
from apps.caching.selectors import as_rules
from apps.jobs.models import Job
from apps.releases.files import manifest_name
from apps.releases.manifest import ManifestWriter
from apps.releases.manifest.names import choose_fingerprint
from apps.releases.manifest.writer import file_sha256
from apps.releases.models import Channel, Manifest, Release
from apps.releases.selectors import open_manifest
from apps.releases.services import building, channels, drafts, fingerprinting, review
from tests.releases.conftest import MakeRelease, put

PAGES = {f"p{number}.html": f'<link rel=stylesheet href="/app.css"><p>{number}' for number in range(5)}
SITE = {**PAGES, "app.css": "a { background: url(/logo.svg) }", "logo.svg": "<svg/>"}


@pytest.fixture
def named(production: Channel, administrator: User) -> Channel:
    """production, whose releases are built with fingerprinted names."""
    return channels.set_options(channel=production, actor=administrator, fingerprints=True)


def release_on(base: Manifest | None, editor: User, *changes: Any) -> Release:
    """Return a draft on a base that need not have been published."""
    channel = Channel.objects.get(name="production")
    release = drafts.create_release(title="x", channel=channel, changes=[], actor=editor)
    release.base_manifest = base
    release.save()
    drafts.apply_changes(release=release, changes=changes, actor=editor)
    return Release.objects.get(pk=release.pk)


def large_manifest(release: Release, path_count: int, tmp_path: Path) -> Manifest:
    """Store a manifest of so many paths beside `SITE`, built with fingerprinted names."""
    compiler = HeaderCompiler(as_rules(list(release.rules.all())))
    built = building.build(release)
    file = tmp_path / f"{path_count}.sqlite"
    headers = compiler.header_set("x/0.png", "image/png", 1)
    named = compiler.header_set("x/0.3f2a9c1b0d4e.png", "image/png", 1)
    with ManifestWriter(file, base=store.local_path(built.file_name)) as writer:
        for number in range(path_count):
            path, blob = f"x/{number}.png", f"{number:064x}"
            fingerprint = choose_fingerprint(path, blob)
            writer.put(
                path,
                blob=blob,
                size=1,
                media_type="image/png",
                header_set=headers,
                release=release.pk,
                fingerprint=fingerprint,
                named_header_set=named if fingerprint else None,
            )
        digest = writer.finish(rules_digest=compiler.digest)
    manifest = Manifest(digest=digest, path_count=path_count + len(SITE))
    manifest.file_sha256, manifest.file_size_bytes = file_sha256(file), file.stat().st_size
    manifest.file_name = manifest_name(digest, manifest.file_sha256)
    store.put_file(manifest.file_name, file, sha256=manifest.file_sha256)
    manifest.save(force_insert=True)
    return manifest


def test_a_small_release_on_a_large_base_is_built_from_what_it_concerns(
    named: Channel, editor: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, read = [0], list[str]()

    class Counting(ManifestWriter):
        """Counts the steps of SQLite's machine, which reading a row takes several of."""

        def __init__(self, file: Path, *, base: Path | None = None) -> None:
            super().__init__(file, base=base)
            self._db.set_progress_handler(self._count, 10)

        def _count(self) -> int:
            steps[0] += 10
            return 0

    def read_blob(digest: str) -> bytes:
        read.append(digest)
        return original(digest)

    original = store.read_blob
    whole = release_on(None, editor, *(put(path, text) for path, text in SITE.items()))
    taken: dict[int, tuple[int, int]] = {}
    for path_count in (1_000, 20_000):
        base = large_manifest(whole, path_count, tmp_path)
        release = release_on(base, editor, put("logo.svg", "<svg></svg>"), put("p1.html", PAGES["p2.html"]))
        steps[0] = 0
        read.clear()
        with monkeypatch.context() as patched:
            patched.setattr(building, "ManifestWriter", Counting)
            patched.setattr(store, "read_blob", read_blob)
            built = open_manifest(building.build(release))
        taken[path_count] = (steps[0], len(read))
        brought = {entry.path for entry in built.entries() if entry.release == release.pk}
        assert brought == {"logo.svg", "app.css", *PAGES}
    assert taken[1_000][1] == taken[20_000][1] < 50
    assert taken[20_000][0] < taken[1_000][0] + 19_000  # less than a step for each path


def uploaded(release: Release, path: str) -> str:
    """Return the blob that a release puts at a path."""
    return str(release.changes.values_list("version__blob", flat=True).get(asset__path=path))


class Killed(BaseException):
    """What a process does not survive."""


def dying(after: int) -> Callable[..., Any]:
    """Return a decorator of functions that all count together; the call after so many does not happen."""
    calls = iter(range(after))

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if next(calls, None) is None:
                raise Killed
            return function(*args, **kwargs)

        return call

    return decorate


def kills(release: Release, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Build a release again and again, killed at each of its steps in turn, until one build is done."""
    for step in range(10_000):
        decorate = dying(step)
        with monkeypatch.context() as patched:
            for holder, name in (
                (ManifestWriter, "put"),
                (ManifestWriter, "set_original"),
                (ManifestWriter, "put_references"),
                (ManifestWriter, "finish"),
                (store, "read_blob"),
                (store.Batch, "add"),
                (store.Batch, "finish"),
                (store, "put_file"),
                (fingerprinting, "ensure_blobs"),
                (fingerprinting, "enqueue_encoding"),
                (Manifest, "save"),
            ):
                patched.setattr(holder, name, decorate(getattr(holder, name)))
            try:
                building.build(release)
            except Killed:
                yield step
            else:
                return


def test_a_build_that_is_killed_at_any_step_is_built_again_the_same(
    named: Channel, editor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = release_on(None, editor, *(put(path, text) for path, text in SITE.items()))
    killed = list(kills(release, monkeypatch))
    assert len(killed) > 20
    (manifest,) = Manifest.objects.all()
    open_manifest(manifest).verify()
    served = {entry.blob for entry in open_manifest(manifest).entries()}
    assert set(Blob.objects.filter(digest__in=served).values_list("digest", flat=True)) == served
    made = {entry.blob for entry in open_manifest(manifest).entries() if entry.path != "logo.svg"}
    queued = {digest for job in Job.objects.filter(kind="assets.encode") for digest in job.payload["digests"]}
    assert made <= queued
    Release.objects.update(base_manifest=None)
    Manifest.objects.all().delete()
    assert building.build(release).digest == manifest.digest


@pytest.mark.parametrize("damage", ["missing", "damaged"])
@pytest.mark.parametrize("path", ["app.css", "p1.html"])
def test_bytes_that_storage_lacks_are_refused_by_the_name_of_their_path(
    named: Channel, make_release: MakeRelease, editor: User, path: str, damage: str
) -> None:
    release = make_release(*(put(path, text) for path, text in SITE.items()))
    digest = uploaded(release, path)
    file = store.local_path(store.blob_name(digest))
    assert file
    content = file.read_bytes()
    file.unlink()
    if damage == "damaged":
        file.write_bytes(content[::-1])
    with pytest.raises(BlobDamaged, match=rf"{re.escape(path)} are {damage}.*{digest}"):
        review.submit(release=release, actor=editor)
    release.refresh_from_db()
    assert (release.state, Manifest.objects.count()) == (Release.State.DRAFT, 0)
    file.unlink(missing_ok=True)
    put(path, SITE[path])
    assert review.submit(release=release, actor=editor).manifest


def test_a_file_that_nothing_has_to_read_may_be_missing(
    named: Channel, make_release: MakeRelease, editor: User
) -> None:
    release = make_release(*(put(path, text) for path, text in SITE.items()))
    storage = store.storage()
    assert isinstance(storage, FileSystemStorage)
    storage.delete(store.blob_name(uploaded(release, "logo.svg")))
    assert review.submit(release=release, actor=editor).manifest


def test_a_part_whose_digest_a_page_has_to_say_is_refused_by_its_name_where_it_is_missing(
    named: Channel, editor: User
) -> None:
    base = building.build(release_on(None, editor, *(put(path, text) for path, text in SITE.items())))
    sheet = open_manifest(base).lookup("app.css")
    assert sheet
    store.storage().delete(store.blob_name(sheet.blob))
    release = release_on(base, editor, put("p1.html", PAGES["p2.html"]))
    with pytest.raises(BlobDamaged, match=rf"app\.css are missing.*{sheet.blob}"):
        building.build(release)
