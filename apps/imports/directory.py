"""A directory as the source of an import: every file in it, or everything that is wrong with it."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from apps.assets.paths import colliding, path_fault
from apps.imports.exceptions import Fault, FileRefused, SourceRefused

CHUNK_BYTES = 1 << 20
# What version control and desktops leave in folders, and no site means to serve.
LITTER = frozenset({".DS_Store", ".git", ".gitignore", ".hg", ".svn", "Thumbs.db", "desktop.ini"})


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of the source and the path that it gets on the site."""

    path: str
    file: Path

    def chunks(self) -> Iterator[bytes]:
        """Yield the file's bytes. Raises `FileRefused` if it cannot be read or changes meanwhile."""
        try:
            with self.file.open("rb", buffering=0) as stream:
                before = os.fstat(stream.fileno())
                size = 0
                while chunk := stream.read(CHUNK_BYTES):
                    size += len(chunk)
                    yield chunk
                after = self.file.stat()
        except OSError as error:
            raise FileRefused(f"cannot be read: {error.strerror}") from error
        if size != after.st_size or _identity(before) != _identity(after):
            raise FileRefused("changed while it was read")


@dataclass(frozen=True, slots=True)
class Listing:
    """What a directory holds: its files in the order of their paths, and what was passed over."""

    files: tuple[SourceFile, ...]
    skipped: tuple[str, ...]


@dataclass(slots=True)
class _Walk:
    root: Path
    prefix: str
    files: list[SourceFile] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def list_directory(source: Path, *, prefix: str = "") -> Listing:
    """List the files below `source`, whose paths begin with `prefix` (empty, or ended by a slash).

    Links are followed where they stay inside. Raises `SourceRefused`, which names every fault: nothing
    to import, links that lead outside or nowhere or in a circle, what is no file, what cannot be read,
    and paths that cannot be served or cannot stand beside each other.
    """
    walk = _Walk(source.resolve(), prefix)
    if not source.is_dir():
        reason = "is not a folder" if source.exists() else "does not exist"
        raise SourceRefused([Fault(str(source), reason)])
    _enter(walk, walk.root, "", (_place(walk.root.stat()),))
    walk.faults += _path_faults([file.path for file in walk.files])
    if not walk.files and not walk.faults:
        walk.faults.append(Fault(str(source), "is a folder without a file to serve"))
    if walk.faults:
        raise SourceRefused(sorted(walk.faults, key=lambda fault: (fault.reason, fault.name)))
    walk.files.sort(key=lambda file: file.path)
    return Listing(tuple(walk.files), tuple(sorted(walk.skipped)))


def _enter(walk: _Walk, folder: Path, name: str, above: tuple[tuple[int, int], ...]) -> None:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        walk.faults.append(Fault(name or str(folder), f"cannot be read: {error.strerror}"))
        return
    for entry in entries:
        relative = f"{name}{entry.name}"
        if entry.name in LITTER:
            walk.skipped.append(relative)
        else:
            _take(walk, entry, relative, above)


def _take(walk: _Walk, entry: os.DirEntry[str], name: str, above: tuple[tuple[int, int], ...]) -> None:
    try:
        if entry.is_symlink() and not _stays_inside(walk.root, Path(entry.path)):
            walk.faults.append(Fault(name, "is a link that leads outside of the source"))
            return
        status = entry.stat()
    except FileNotFoundError:
        walk.faults.append(Fault(name, "is a link that leads nowhere"))
        return
    except OSError as error:
        walk.faults.append(Fault(name, f"cannot be followed: {error.strerror}"))
        return
    if stat.S_ISDIR(status.st_mode):
        if _place(status) in above:
            walk.faults.append(Fault(name, "is a link back to a folder that it lies in"))
        else:
            _enter(walk, Path(entry.path), f"{name}/", (*above, _place(status)))
    elif not stat.S_ISREG(status.st_mode):
        walk.faults.append(Fault(name, "is neither a file nor a folder"))
    elif not os.access(entry.path, os.R_OK):
        walk.faults.append(Fault(name, "cannot be read: Permission denied"))
    else:
        walk.files.append(SourceFile(walk.prefix + name, Path(entry.path)))


def _path_faults(paths: list[str]) -> Iterator[Fault]:
    for path in paths:
        if reason := path_fault(path):
            yield Fault(path, reason)
    for first, *others in colliding(paths):
        for other in others:
            yield Fault(other, f"cannot stand beside {first}, from which only case or Unicode form tell it")


def _stays_inside(root: Path, link: Path) -> bool:
    return Path(os.path.realpath(link)).is_relative_to(root)


def _place(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
