"""What a build makes of the files that refer to others: see docs/fingerprints.md."""

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import batched, islice

from apps.assets import store
from apps.assets.exceptions import BlobDamaged
from apps.assets.selectors import VALUES_AT_ONCE
from apps.assets.services import enqueue_encoding, ensure_blobs
from apps.assets.store import Batch, StoredBlob
from apps.caching.headers import HeaderCompiler
from apps.caching.rules import HeaderSet
from apps.releases.exceptions import BuiltDifferently, ManifestMissing
from apps.releases.manifest import Entry, ManifestReader, ManifestWriter
from apps.releases.manifest.names import choose_fingerprint, fingerprinted_name
from apps.releases.models import Channel, Manifest, Publication, Release
from apps.releases.references import VERSION, Made, Plan, kind_of
from apps.releases.selectors import open_manifest

_FILES_AT_ONCE = 500


def derive(
    writer: ManifestWriter, release: Release, compiler: HeaderCompiler, changed: Iterable[str]
) -> set[str]:
    """Bring what is derived from files up to date with the paths `changed` in `writer`.

    That is: their rewritten form and its fingerprint, where the channel wants fingerprinted names; the
    Link headers of pages, where it wants those or early hints; what is wrong with references. Only what
    depends on the changes is made anew, or everything, where the base was built in another manner.
    Returns the blobs that paths serve otherwise than before.
    """
    manner = manner_of(release.channel)
    if not (manner or writer.manner):
        return set()
    derivation = _Derivation(writer, release, compiler)
    if manner == writer.manner:
        derivation.make(changed, is_naming=release.channel.fingerprints)
    else:
        derivation.make_all(is_naming=release.channel.fingerprints, is_linking=bool(manner))
        writer.set_manner(manner)
    return derivation.finish()


def named_header_set(compiler: HeaderCompiler, entry: Entry) -> HeaderSet | None:
    """Return the headers of an entry under its fingerprinted name, None where it has none."""
    if not entry.fingerprint:
        return None
    name = fingerprinted_name(entry.path, entry.fingerprint)
    return compiler.header_set(entry.path, entry.media_type, entry.size, name=name)


def manner_of(channel: Channel) -> str:
    """Say how a build for `channel` treats references, in a word that a manifest keeps."""
    if channel.fingerprints:
        return f"fingerprints {VERSION}"
    return f"links {VERSION}" if channel.early_hints else ""


def is_built_otherwise(live: Publication | None) -> bool:
    """Say whether the options of a channel ask for another manner than what it serves was built in.

    Of what storage lacks that is not known, and so is not said.
    """
    with suppress(ManifestMissing):
        return live is not None and open_manifest(live.manifest).manner != manner_of(live.channel)
    return False


def refuse_other_manner(manifest: Manifest, target: Channel) -> None:
    """Raise `BuiltDifferently` where `target` would build the same content to another digest."""
    built, wanted = open_manifest(manifest).manner, manner_of(target)
    if built != wanted:
        raise BuiltDifferently(
            f"{target} builds releases {_manner_in_words(wanted)}, and this one was built"
            f" {_manner_in_words(built)}: it could never be the same there.",
            next_step=f"Give both channels the same options (`scripts/manage channel set {target.name}"
            " --fingerprints on|off --early-hints on|off`), publish once more where it is tested, and promote"
            " that.",
        )


@dataclass(frozen=True, slots=True)
class _ManifestSite:
    """The `Site` of a manifest that is being written on a base."""

    writer: ManifestWriter
    base: ManifestReader | None

    def uploaded(self, path: str) -> Entry | None:
        return self.writer.uploaded(path)

    def served(self, path: str) -> Entry | None:
        return self.writer.lookup(path)

    def read(self, entry: Entry) -> bytes:
        return _whole_blob(entry)

    def references_to(self, target: str) -> list[str]:
        return self.writer.references_to(target)

    def references_before(self, source: str) -> list[str]:
        return self.base.references_of(source) if self.base else []


def _manner_in_words(manner: str) -> str:
    if manner.startswith("fingerprints"):
        return "with fingerprinted names"
    return "with early hints" if manner else "without fingerprinted names and early hints"


def _whole_blob(entry: Entry) -> bytes:
    """Return the bytes of an entry's blob. Raises `BlobDamaged`, which names it, where storage has others."""
    try:
        content = store.read_blob(entry.blob)
    except FileNotFoundError:
        content = None
    if content is not None and hashlib.sha256(content).hexdigest() == entry.blob:
        return content
    state = "are missing from storage" if content is None else "are damaged in storage"
    raise BlobDamaged(
        f"The bytes of {entry.path} {state} (blob {entry.blob}).",
        next_step="Upload that file again, or restore the blob from a backup; then submit the release again.",
    )


class _Derivation:
    """Makes files anew and writes what comes of it, into the manifest and into storage."""

    def __init__(self, writer: ManifestWriter, release: Release, compiler: HeaderCompiler) -> None:
        self._writer = writer
        self._release = release
        self._compiler = compiler
        base = open_manifest(release.base_manifest) if release.base_manifest else None
        self._site = _ManifestSite(writer, base)
        self._stored: list[StoredBlob] = []
        self._served: set[str] = set()

    def make_all(self, *, is_naming: bool, is_linking: bool) -> None:
        """Make every file anew; without naming, what was uploaded is served again."""
        self._writer.forget_references()
        paths = []
        for entry in self._writer.entries():
            is_referring = kind_of(entry.path, entry.media_type) is not None
            if is_referring and is_linking:
                paths.append(entry.path)
            if not (is_referring and is_naming):
                self._restore(entry, is_naming=is_naming)
        self._make(Plan(self._site, paths, is_naming=is_naming))

    def make(self, changed: Iterable[str], *, is_naming: bool) -> None:
        """Make anew what depends on these paths, be they there or gone."""
        paths = list(changed)
        for path in paths:
            entry = self._writer.lookup(path)
            if entry and not kind_of(path, entry.media_type):
                self._restore(entry, is_naming=is_naming)
        self._make(Plan(self._site, paths, is_naming=is_naming))

    def finish(self) -> set[str]:
        """Record the blobs that were made, and have content codings prepared; return what is served anew."""
        for some in batched(self._stored, VALUES_AT_ONCE):
            ensure_blobs(some)
        enqueue_encoding((blob.digest for blob in self._stored), are_texts=True)
        return self._served

    def _restore(self, entry: Entry, *, is_naming: bool) -> None:
        """Serve what was uploaded, under a name by its own bytes where there are to be names."""
        uploaded = self._writer.uploaded(entry.path) or entry
        blob = StoredBlob(uploaded.blob, uploaded.size)
        self._serve(uploaded, blob, choose_fingerprint(entry.path, blob.digest) if is_naming else "")

    def _make(self, plan: Plan) -> None:
        files = plan.made()
        while True:
            with store.writing() as batch:
                some = [self._written(made, batch) for made in islice(files, _FILES_AT_ONCE)]
            for made, blob in some:
                self._keep(made, blob)
            if len(some) < _FILES_AT_ONCE:
                return

    def _written(self, made: Made, batch: Batch) -> tuple[Made, StoredBlob]:
        """Bring a file that was made to storage; return it without its bytes, and the blob to be served."""
        if made.content is None:
            return made, StoredBlob(made.uploaded.blob, made.uploaded.size)
        blob = batch.add([made.content])
        self._stored.append(blob)
        return replace(made, content=None), blob

    def _keep(self, made: Made, blob: StoredBlob) -> None:
        uploaded = made.uploaded
        self._serve(uploaded, blob, made.fingerprint)
        self._writer.put_references(uploaded.path, made.targets)
        self._writer.put_findings(uploaded.path, made.findings)
        self._writer.set_page_link(uploaded.path, made.link)

    def _serve(self, uploaded: Entry, blob: StoredBlob, fingerprint: str) -> None:
        """Let a path serve these bytes under this fingerprint, if it does not already.

        Bytes that are new to the path are this release's; others stay that of the one which brought them.
        """
        now = self._writer.lookup(uploaded.path)
        if now is None or (now.blob, now.fingerprint) == (blob.digest, fingerprint):
            return
        entry = replace(now, blob=blob.digest, size=blob.size_bytes, fingerprint=fingerprint)
        self._writer.put(
            entry.path,
            blob=entry.blob,
            size=entry.size,
            media_type=entry.media_type,
            header_set=self._compiler.header_set(entry.path, entry.media_type, entry.size),
            release=now.release if now.blob == entry.blob else self._release.pk,
            fingerprint=fingerprint,
            named_header_set=named_header_set(self._compiler, entry),
        )
        if entry.blob != uploaded.blob:
            self._writer.set_original(entry.path, blob=uploaded.blob, size=uploaded.size)
        self._served.add(entry.blob)
