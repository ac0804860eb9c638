from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.assets.intake import Content, take_in_many
from apps.assets.paths import path_fault
from apps.assets.services import enqueue_encoding
from apps.imports.comparison import Comparison, Progress, compare
from apps.imports.directory import Listing, SourceFile, list_directory
from apps.imports.exceptions import ChannelMoved, Fault, FileRefused, SourceRefused
from apps.imports.redirects import FILE_NAME, RedirectComparison, compare_redirects, read_redirects
from apps.refusals import Refusal
from apps.releases.contents import ChangeInput, PutChange, PutRedirect, RemoveChange
from apps.releases.manifest import ManifestReader, Redirect
from apps.releases.models import Channel, Publication, Release
from apps.releases.redirects.values import files_behind, find_loop
from apps.releases.selectors import live_publication, open_manifest, open_release_with
from apps.releases.services.drafts import create_release
from apps.releases.services.fingerprinting import is_built_otherwise

__all__ = ["ImportOutcome", "Progress", "Result", "import_directory"]


class Result(StrEnum):
    """What an import came to."""

    MADE = "made"
    """A release was made."""
    HELD = "held"
    """An open release held the same changes already; none was made."""
    LIVE = "live"
    """The channel serves the same already; none was made."""
    TRIED = "tried"
    """A dry run: nothing was written."""


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What an import came to, the release that holds what was imported, and how many files did what.

    `release` is None for a dry run only. Of a release that was there already nothing counts as added,
    changed or removed. `redirects` are those that a `_redirects` in the source adds, changes and removes.
    `skipped` names what was passed over in the source. `is_rebuild` says that a release changes what is
    served whatever it holds, since the channel's options have changed how it is built.
    """

    result: Result
    release: Release | None
    added: int
    changed: int
    removed: int
    unchanged: int
    redirects: RedirectComparison
    skipped: tuple[str, ...]
    is_rebuild: bool = False

    @property
    def is_change(self) -> bool:
        return bool(self.added or self.changed or self.removed or self.redirects.changes or self.is_rebuild)


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
    prefix, paths that the source lacks are removed, below the prefix only. A file `_redirects` at the
    source's root has the redirects of the site and is not published. Where nothing differs, or an open
    release holds just these changes, none is made; where the channel is to be built otherwise than what
    it serves, nothing need differ.

    Raises `Forbidden`, `SourceRefused`, `ChannelMoved` and what the store refuses: nothing is imported
    then, at most blobs that nothing refers to, and the same call again finishes it.
    """
    require(actor, "releases.add_release", to="import")
    prefix = _as_folder(prefix)
    listing, redirects_file = _split(list_directory(source, prefix=prefix))
    live = live_publication(channel)
    base = open_manifest(live.manifest) if live else None
    mirrored = prefix if (not prefix if mirror is None else mirror) else None
    _refuse_to_empty(listing, source, mirrored)
    compared = compare(listing, base, mirrored=mirrored, progress=progress)
    _refuse(compared.faults)
    redirects = _compared_redirects(redirects_file, base, mirrored)
    _refuse_loops(redirects, compared, listing, base, channel)
    is_rebuild = is_built_otherwise(live)
    if is_dry_run:
        return replace(_outcome(Result.TRIED, None, compared, redirects, listing), is_rebuild=is_rebuild)
    contents = _take_in(compared, progress)
    changes: list[ChangeInput] = [*map(PutChange, contents), *map(RemoveChange, compared.removed)]
    nothing = Comparison(unchanged_count=len(listing.files)), RedirectComparison()
    if live and not changes and not redirects.changes and not is_rebuild:
        return _outcome(Result.LIVE, live.release, *nothing, listing)
    if same := open_release_with(channel, live, _blobs(changes), _targets(redirects)):
        return _outcome(Result.HELD, same, *nothing, listing)
    progress("Recording", 0, len(changes))
    with transaction.atomic():
        release = create_release(
            title=title, channel=channel, changes=changes, redirects=redirects.changes, actor=actor
        )
        _refuse_other_base(release, live)
        enqueue_encoding(content.digest for content in contents)
    progress("Recording", len(changes), len(changes))
    return _outcome(Result.MADE, release, compared, redirects, listing)


def _as_folder(prefix: str) -> str:
    """Return `css/` for `/css`, and "" for the whole site."""
    name = prefix.strip("/")
    if name and (reason := path_fault(name)):
        raise SourceRefused([Fault(name, f"cannot be a prefix: it {reason}", "choose another prefix")])
    return f"{name}/" if name else ""


def _split(listing: Listing) -> tuple[Listing, SourceFile | None]:
    """Return a listing without the file that holds its redirects, and that file."""
    found = next((file for file in listing.files if file.name == FILE_NAME), None)
    return replace(listing, files=tuple(file for file in listing.files if file is not found)), found


def _refuse_to_empty(listing: Listing, source: Path, mirrored: str | None) -> None:
    if not listing.files and mirrored is not None:
        reason = f"has no file in it but {FILE_NAME}, so that everything would be removed"
        raise SourceRefused([Fault(str(source), reason, "put the site into it, or add --no-mirror")])


def _compared_redirects(
    file: SourceFile | None, base: ManifestReader | None, mirrored: str | None
) -> RedirectComparison:
    if file is None:
        return RedirectComparison()
    live = {redirect.source: redirect for redirect in base.redirects()} if base else {}
    try:
        return compare_redirects(read_redirects(file), live, mirrored=mirrored)
    except FileRefused as refusal:
        raise SourceRefused([refusal.fault]) from refusal


def _refuse_loops(
    redirects: RedirectComparison,
    compared: Comparison,
    listing: Listing,
    base: ManifestReader | None,
    channel: Channel,
) -> None:
    """Raise `SourceRefused` where visitors of what the import makes would be led in circles."""
    if not redirects.changes:
        return
    present, gone = {file.path for file in listing.files}, set(compared.removed)

    def is_file(path: str) -> bool:
        return path in present or (path not in gone and bool(base and base.lookup(path)))

    now = {redirect.source: redirect for redirect in base.redirects()} if base else {}
    now |= {redirect.source: redirect for redirect in redirects.added + redirects.changed}
    for source in redirects.removed:
        del now[source]
    chain = find_loop(now, lambda path: any(map(is_file, files_behind(path, clean_urls=channel.clean_urls))))
    if chain:
        reason = f"leads visitors in circles: {' → '.join(chain)}"
        raise SourceRefused([Fault(FILE_NAME, reason, "let one of them lead to a page, or remove it")])


def _take_in(compared: Comparison, progress: Progress) -> list[Content]:
    """Store the bytes of what is new or changed. Raises `SourceRefused` naming all that could not be read."""
    files = {file.path: file for file in (*compared.new, *compared.changed)}
    faults: list[Fault] = []

    def note(path: str, refusal: Refusal) -> None:
        if not isinstance(refusal, FileRefused):
            raise refusal
        faults.append(refusal.fault)

    contents = []
    sources = ((file.path, file.chunks()) for file in files.values())
    for done, content in enumerate(take_in_many(sources, on_refusal=note), start=1):
        if compared.digests.get(content.path, content.digest) != content.digest:
            faults.append(files[content.path].changed().fault)
        contents.append(content)
        progress("Storing", done, len(files))
    _refuse(faults)
    return contents


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        raise SourceRefused(faults)


def _refuse_other_base(release: Release, live: Publication | None) -> None:
    """A release on another base than the source was compared with would not hold what differs from it."""
    if release.base_manifest_id != (live.manifest_id if live else None):
        raise ChannelMoved(
            f"Something was published on {release.channel} while the source was compared with it.",
            next_step="Run the same command again; nothing was imported.",
        )


def _blobs(changes: Iterable[ChangeInput]) -> Iterator[tuple[str, str | None]]:
    for change in changes:
        yield change.path, change.content.digest if isinstance(change, PutChange) else None


def _targets(redirects: RedirectComparison) -> Iterator[tuple[str, Redirect | None]]:
    for change in redirects.changes:
        yield change.source, change.redirect if isinstance(change, PutRedirect) else None


def _outcome(
    result: Result,
    release: Release | None,
    compared: Comparison,
    redirects: RedirectComparison,
    listing: Listing,
) -> ImportOutcome:
    return ImportOutcome(
        result=result,
        release=release,
        added=len(compared.new),
        changed=len(compared.changed),
        removed=len(compared.removed),
        unchanged=compared.unchanged_count,
        redirects=redirects,
        skipped=listing.skipped,
    )
