from collections.abc import Iterable
from itertools import batched
from pathlib import Path

from django.db import transaction
from django.db.models import F

from apps.assets import store
from apps.assets.leftovers import keep
from apps.assets.room import refusing_full
from apps.assets.selectors import newest_representation, representations_of, representations_since
from apps.caching.headers import HeaderCompiler
from apps.releases.comparing.tallies import remember_tally
from apps.releases.files import manifest_file, put_manifest_file
from apps.releases.manifest import ManifestReader, ManifestWriter, Representation
from apps.releases.models import Change, Channel, Manifest, ManifestFile, Release, RetainedNames
from apps.releases.selectors import (
    first_published_at,
    live_publication,
    open_manifest,
    promoted_manifest,
    promoted_releases,
    releases_waiting,
)
from apps.releases.services.compiling import compiler_of, recompile
from apps.releases.services.fingerprinting import derive, refuse_other_manner

_BLOBS_AT_ONCE = 2_000
_NEWS_AT_ONCE = 100_000


def build(release: Release) -> Manifest:
    """Write the manifest of `release`: its base's with its changes and cache rules; return it.

    Content that was built before has a manifest already, which is returned. Raises `ManifestMissing`
    where the base's file is gone, `StorageFull` where the disk is; nothing is left behind then. A promoted
    release is what was served elsewhere, and nothing is built. Raises `BuiltDifferently` where its channel
    would build that otherwise by now.
    """
    if promoted := promoted_manifest(release):
        refuse_other_manner(promoted, release.channel)
        manifest_file(promoted)
        return promoted
    base = manifest_file(release.base_manifest) if release.base_manifest else None
    # What the base's file holds is as old as that file; what changes is looked up below.
    newest = release.base_manifest.newest_representation if release.base_manifest else newest_representation()
    with refusing_full(store.temporary_folder()), store.temporary_file() as file:
        with ManifestWriter(file, base=base) as writer:
            compiler = compiler_of(release)
            if release.base_manifest:
                recompile(
                    writer, release, compiler, compiled=open_manifest(release.base_manifest).rules_digest
                )
            changed = apply_changes(writer, release, compiler)
            apply_redirects(writer, release)
            _add_representations(writer, derive(writer, release, compiler, changed))
            if release.base and (since := first_published_at(release.base)):
                for number in (release.base.pk, *promoted_releases(release.base)):
                    writer.set_released(number, int(since.timestamp()))
            digest = writer.finish(rules_digest=compiler.digest)
        if known := _known(file, digest, newest=newest):
            return known
        manifest = _store(file, digest, newest=newest)
    before = open_manifest(release.base_manifest) if release.base_manifest else None
    remember_tally(before, open_manifest(manifest), among=writer.touched)
    return manifest


def refresh_representations(manifest: ManifestFile) -> bool:
    """Give `manifest` a new file with the content codings made since; return whether there were any.

    The digest stays, since codings are derived. Running it twice, or in two places, is harmless: of
    two that try at once, one file becomes the manifest's.
    """
    newest = newest_representation()
    if newest == manifest.newest_representation:
        return False
    as_it_was = type(manifest)._default_manager.filter(pk=manifest.pk, revision=manifest.revision)
    news = _news_for(manifest)
    if not news:
        as_it_was.update(newest_representation=newest)
        return False
    with store.temporary_file() as file:
        with ManifestWriter(file, base=manifest_file(manifest)) as writer:
            for blob, representations in news.items():
                writer.add_representations(blob, representations)
            digest = writer.finish(rules_digest=open_manifest(manifest).rules_digest)
        stored = put_manifest_file(file, digest=digest)
    changed = as_it_was.update(revision=F("revision") + 1, newest_representation=newest, **stored)
    return bool(changed)


def refresh_manifests() -> list[str]:
    """Bring new content codings to what is live, and to what waits to go live; return a line for each."""
    lines = []
    for channel in Channel.objects.all():
        live = live_publication(channel)
        if live and refresh_representations(live.manifest):
            lines.append(f"{channel} now serves release {live.release_id} with newer content codings.")
    kept = RetainedNames.objects.filter(path_count__gt=0).select_related("channel")
    lines += [
        f"{names.channel} now serves the names that it keeps with newer content codings."
        for names in kept
        if refresh_representations(names)
    ]
    waiting = [r for r in releases_waiting() if r.manifest and refresh_representations(r.manifest)]
    return lines + [f"Release {release.pk} will go live with newer content codings." for release in waiting]


def _news_for(manifest: ManifestFile) -> dict[str, list[Representation]]:
    """Return the content codings that came since the file of `manifest`, of the blobs that it serves."""
    reader = open_manifest(manifest)
    news: dict[str, list[Representation]] = {}
    for some in batched(representations_since(manifest.newest_representation), _NEWS_AT_ONCE):
        served = reader.served_among({r.blob_id for r in some})
        for r in some:
            if r.blob_id in served:
                coding = Representation(r.coding, r.encoded_id, r.encoded.size_bytes)
                if coding not in reader.representations(r.blob_id):
                    news.setdefault(r.blob_id, []).append(coding)
    return news


def apply_changes(writer: ManifestWriter, release: Release, compiler: HeaderCompiler) -> list[str]:
    """Write the changes of `release` into what `writer` holds; return their paths."""
    blobs: dict[str, None] = {}
    changed: list[str] = []
    changes = release.changes.order_by("asset__path").values_list(
        "kind", "asset__path", "version__blob", "version__blob__size_bytes", "version__media_type"
    )
    for kind, path, blob, size, media_type in changes.iterator(chunk_size=_BLOBS_AT_ONCE):
        changed.append(path)
        if kind == Change.Kind.REMOVE:
            writer.remove(path)
            continue
        header_set = compiler.header_set(path, media_type, size)
        writer.put(
            path, blob=blob, size=size, media_type=media_type, header_set=header_set, release=release.pk
        )
        blobs[blob] = None
    _add_representations(writer, blobs)
    return changed


def apply_redirects(writer: ManifestWriter, release: Release) -> None:
    """Write the changes of redirects of `release` into what `writer` holds."""
    for change in release.redirect_changes.all():
        if redirect := change.redirect:
            writer.put_redirect(redirect, release=release.pk)
        else:
            writer.remove_redirect(change.source)


def _add_representations(writer: ManifestWriter, blobs: Iterable[str]) -> None:
    for some in batched(blobs, _BLOBS_AT_ONCE):
        for blob, representations in representations_of(some).items():
            rows = [Representation(r.coding, r.encoded_id, r.encoded.size_bytes) for r in representations]
            writer.add_representations(blob, rows)


def _known(file: Path, digest: str, *, newest: int) -> Manifest | None:
    """Return the manifest of this digest if there is one, with its file, which may have been cleared away.

    It may be cleared away this moment: so it is said to be needed first, and looked at then.
    """
    known = Manifest.objects.filter(digest=digest).first()
    if known is None:
        return None
    keep([known.file_name])
    known = Manifest.objects.filter(digest=digest).first()
    if known and known.cleared_at:
        stored = put_manifest_file(file, digest=digest)
        Manifest.objects.filter(pk=digest).update(
            cleared_at=None, revision=F("revision") + 1, newest_representation=newest, **stored
        )
        known.refresh_from_db()
    elif known:
        manifest_file(known)
    return known


def _store(file: Path, digest: str, *, newest: int) -> Manifest:
    with ManifestReader(file) as reader:
        path_count = reader.path_count
    stored = put_manifest_file(file, digest=digest)
    with transaction.atomic():
        return Manifest.objects.create(
            digest=digest, path_count=path_count, newest_representation=newest, **stored
        )
