"""What a source holds beside what is live: which files are new, which differ, which paths it lacks."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from apps.imports.directory import Listing, SourceFile
from apps.imports.exceptions import Fault, FileRefused
from apps.releases.manifest import Entry, ManifestReader

type Progress = Callable[[str, int, int], None]
"""Told what is being done, how many files of it are done, and of how many."""


@dataclass(slots=True)
class Comparison:
    """The outcome, in the order of paths. `digests` has the SHA-256 of those changed files that were read."""

    new: list[SourceFile] = field(default_factory=list)
    changed: list[SourceFile] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged_count: int = 0
    digests: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def compare(
    listing: Listing, base: ManifestReader | None, *, mirrored: str | None, progress: Progress
) -> Comparison:
    """Compare a listing with a manifest (None: nothing is live); read only files of the size of what is live.

    `mirrored` begins the paths that are removed where the source lacks them; None removes nothing.
    Files that cannot be read, or change meanwhile, are among the outcome's `faults`.
    """
    compared = Comparison()
    if base is None:
        compared.new = list(listing.files)
        return compared
    for done, file in enumerate(listing.files, start=1):
        try:
            _sort(file, base.uploaded(file.path), compared)
        except FileRefused as refusal:
            compared.faults.append(refusal.fault)
        progress("Comparing", done, len(listing.files))
    if mirrored is not None:
        compared.removed = list(_lacking(listing, base, mirrored))
    return compared


def _sort(file: SourceFile, live: Entry | None, compared: Comparison) -> None:
    if live is None:
        compared.new.append(file)
    elif live.size != file.size_bytes:
        compared.changed.append(file)
    elif (digest := _digest(file)) == live.blob:
        compared.unchanged_count += 1
    else:
        compared.digests[file.path] = digest
        compared.changed.append(file)


def _lacking(listing: Listing, base: ManifestReader, prefix: str) -> Iterator[str]:
    present = {file.path for file in listing.files}
    return (entry.path for entry in base.entries(prefix=prefix) if entry.path not in present)


def _digest(file: SourceFile) -> str:
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    return digest.hexdigest()
