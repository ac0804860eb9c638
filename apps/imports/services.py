import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.assets.intake import Content, take_in_many
from apps.assets.paths import path_fault
from apps.assets.services import enqueue_encoding
from apps.imports.directory import Listing, SourceFile, list_directory
from apps.imports.exceptions import Fault, FileRefused, SourceRefused
from apps.refusals import Refusal
from apps.releases.contents import ChangeInput, PutChange, RemoveChange
from apps.releases.manifest import ManifestReader
from apps.releases.models import Channel, Publication, Release
from apps.releases.selectors import live_publication, open_manifest, open_release_with
from apps.releases.services.drafts import create_release

type Progress = Callable[[str, int, int], None]
"""What is being done, how many files of it are done, and of how many."""


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What an import came to. `release` is None where it was a dry run, or nothing is live and nothing new.

    `is_new` says whether the release was made by this import. `skipped` names what was passed over.
    """

    release: Release | None
    is_new: bool
    added: int
    changed: int
    removed: int
    unchanged: int
    skipped: tuple[str, ...]


@dataclass(slots=True)
class _Comparison:
    """The source against what is live: which files are new, which differ, which paths it lacks."""

    new: list[SourceFile] = field(default_factory=list)
    changed: list[SourceFile] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)


def import_directory(
    *,
    source: Path,
    title: str,
    channel: Channel,
    actor: User,
    prefix: str = "",
    mirror: bool | None = None,
    is_dry_run: bool = False,
    progress: Progress = lambda step, done, total: None,
) -> ImportOutcome:
    """Make a draft for `channel` of what a directory holds and the channel does not serve.

    `prefix` is the folder of the site that it goes to. With `mirror`, the default where there is no
    prefix, paths that the source lacks are removed. Where nothing differs, or an open release holds just
    these changes, none is made. Raises `Forbidden`, `SourceRefused` and what the store refuses: nothing
    is imported then, and the same call again finishes it.
    """
    require(actor, "releases.add_release", to="import")
    prefix = _as_folder(prefix)
    listing = list_directory(source, prefix=prefix)
    live = live_publication(channel)
    base = open_manifest(live.manifest) if live else None
    has_mirror = not prefix if mirror is None else mirror
    compared = _compare(listing, base, progress)
    if base and has_mirror:
        present = {file.path for file in listing.files}
        compared.removed = [e.path for e in base.entries(prefix=prefix) if e.path not in present]
    _refuse(compared.faults)
    if is_dry_run:
        return _outcome(listing, compared, release=None, is_new=False)
    return _make_release(
        listing, compared, live=live, title=title, channel=channel, actor=actor, progress=progress
    )


def _as_folder(prefix: str) -> str:
    name = prefix.strip("/")
    if name and (reason := path_fault(name)):
        raise SourceRefused([Fault(name, f"as a prefix {reason}")])
    return f"{name}/" if name else ""


def _compare(listing: Listing, base: ManifestReader | None, progress: Progress) -> _Comparison:
    """Read the files that are live already, to see which of them differ."""
    compared = _Comparison()
    total = len(listing.files)
    for done, file in enumerate(listing.files, start=1):
        entry = base.lookup(file.path) if base else None
        if entry is None:
            compared.new.append(file)
        else:
            try:
                compared.digests[file.path] = digest = _digest(file)
            except FileRefused as refusal:
                compared.faults.append(Fault(file.path, refusal.message))
                continue
            if digest != entry.blob:
                compared.changed.append(file)
        progress("Comparing", done, total)
    return compared


def _digest(file: SourceFile) -> str:
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    return digest.hexdigest()


def _make_release(
    listing: Listing,
    compared: _Comparison,
    *,
    live: Publication | None,
    title: str,
    channel: Channel,
    actor: User,
    progress: Progress,
) -> ImportOutcome:
    contents = _take_in([*compared.new, *compared.changed], compared, progress)
    changes: list[ChangeInput] = [PutChange(content) for content in contents]
    changes += [RemoveChange(path) for path in compared.removed]
    same = open_release_with(channel, live, _as_keys(changes))
    if same or not changes:
        nothing = _Comparison()
        return _outcome(listing, nothing, release=same or (live.release if live else None), is_new=False)
    with transaction.atomic():
        release = create_release(title=title, channel=channel, changes=changes, actor=actor)
        enqueue_encoding(content.digest for content in contents)
    return _outcome(listing, compared, release=release, is_new=True)


def _take_in(files: list[SourceFile], compared: _Comparison, progress: Progress) -> list[Content]:
    """Store the bytes of `files`. Raises `SourceRefused`, which names each that could not be read whole."""

    def note(path: str, refusal: Refusal) -> None:
        compared.faults.append(Fault(path, refusal.message))

    contents = []
    sources = ((file.path, file.chunks()) for file in files)
    for done, content in enumerate(take_in_many(sources, on_refusal=note), start=1):
        contents.append(content)
        if compared.digests.get(content.path, content.digest) != content.digest:
            compared.faults.append(Fault(content.path, "changed while it was read"))
        progress("Storing", done, len(files))
    _refuse(compared.faults)
    return contents


def _refuse(faults: list[Fault]) -> None:
    if faults:
        raise SourceRefused(faults)


def _as_keys(changes: Iterable[ChangeInput]) -> Iterator[tuple[str, str | None]]:
    for change in changes:
        yield change.path, change.content.digest if isinstance(change, PutChange) else None


def _outcome(
    listing: Listing, compared: _Comparison, *, release: Release | None, is_new: bool
) -> ImportOutcome:
    added, changed = len(compared.new), len(compared.changed)
    return ImportOutcome(
        release=release,
        is_new=is_new,
        added=added,
        changed=changed,
        removed=len(compared.removed),
        unchanged=len(listing.files) - added - changed,
        skipped=listing.skipped,
    )
