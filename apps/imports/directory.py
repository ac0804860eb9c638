"""A directory as the source of an import: every file in it, or everything that is wrong with it."""

import io
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from apps.assets.paths import colliding, path_fault
from apps.imports.exceptions import Fault, FileRefused, SourceRefused

CHUNK_BYTES = 1 << 20
# What version control and desktops leave in folders, and no site means to serve.
LITTER = frozenset(
    {".DS_Store", ".git", ".gitattributes", ".gitignore", ".gitmodules", ".hg", ".hgignore", ".svn"}
    | {"Thumbs.db", "desktop.ini"}
)

type Place = tuple[int, int]
"""What names a file or folder, whatever path leads to it: device and inode."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as it was found: its path on the site, its name in the source, where it lies, how it was."""

    path: str
    name: str
    file: str
    place: Place
    size_bytes: int
    mtime_ns: int

    def chunks(self) -> Iterator[bytes]:
        """Yield the file's bytes, which are those that were found: raises `FileRefused` otherwise.

        That is if it cannot be read, or has changed since it was found or changes while it is read.
        """
        try:
            with io.FileIO(self.file) as stream:
                self._refuse_if_changed(os.fstat(stream.fileno()))
                left = self.size_bytes
                while left >= 0 and (chunk := stream.read(min(left + 1, CHUNK_BYTES))):
                    left -= len(chunk)
                    yield chunk
            self._refuse_if_changed(os.stat(self.file))  # noqa: PTH116 - a Path takes longer than the call
        except FileNotFoundError as error:
            raise self.changed() from error
        except OSError as error:
            raise FileRefused(_unreadable(self.name, error)) from error
        if left:
            raise self.changed()

    def changed(self) -> FileRefused:
        """Return the refusal of a file whose bytes are not those that were found."""
        return FileRefused(
            Fault(self.name, "changed while it was imported", "wait until nothing writes to it any more")
        )

    def _refuse_if_changed(self, now: os.stat_result) -> None:
        if (_place(now), now.st_size, now.st_mtime_ns) != (self.place, self.size_bytes, self.mtime_ns):
            raise self.changed()


@dataclass(frozen=True, slots=True)
class Listing:
    """What a directory holds: its files in the order of their paths, and the names that were passed over."""

    files: tuple[SourceFile, ...]
    skipped: tuple[str, ...]


def list_directory(source: Path, *, prefix: str = "") -> Listing:
    """List the files below `source`, whose paths begin with `prefix` (empty, or ended by a slash).

    Links are followed where they stay inside. Raises `SourceRefused`, which names every fault: nothing
    to import, links that lead outside or nowhere or in a circle, what is no file, what cannot be read,
    and paths that cannot be served or cannot stand beside each other. Nothing is opened but folders.
    """
    if fault := _source_fault(source):
        raise SourceRefused([fault])
    walk = _Walk(Path(os.path.realpath(source)), prefix)
    walk.run()
    files = sorted(walk.files, key=lambda file: file.path)
    faults = [*sorted(walk.faults, key=lambda fault: fault.name), *_path_faults(files)]
    if not files and not faults:
        faults.append(Fault(str(source), "has no file in it that could be served", "put the site into it"))
    if faults:
        raise SourceRefused(faults)
    return Listing(tuple(files), tuple(sorted(walk.skipped)))


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to look into: where it lies, its name in the source, its own place behind those it lies in."""

    file: Path
    name: str
    places: tuple[Place, ...]


@dataclass(slots=True)
class _Walk:
    """Looks into every folder below `root` and sorts what is there."""

    root: Path
    prefix: str
    files: list[SourceFile] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    pending: list[_Folder] = field(default_factory=list)

    def run(self) -> None:
        self.pending.append(_Folder(self.root, "", (_place(self.root.stat()),)))
        while self.pending:
            self._look_into(self.pending.pop())

    def _look_into(self, folder: _Folder) -> None:
        try:
            with os.scandir(folder.file) as entries:
                for entry in entries:
                    name = f"{folder.name}/{entry.name}" if folder.name else entry.name
                    if entry.name in LITTER:
                        self.skipped.append(name)
                    else:
                        self._take(entry, name, folder)
        except OSError as error:
            self.faults.append(_unreadable(folder.name or str(folder.file), error))

    def _take(self, entry: os.DirEntry[str], name: str, folder: _Folder) -> None:
        if entry.is_symlink() and not Path(os.path.realpath(entry.path)).is_relative_to(self.root):
            remedy = "copy there what it points to, or remove the link"
            self.faults.append(Fault(name, "is a link that leads outside of the source", remedy))
            return
        try:
            status = entry.stat()
        except OSError as error:
            self.faults.append(_lost_link(name) if entry.is_symlink() else _unreadable(name, error))
            return
        place = _place(status)
        if stat.S_ISDIR(status.st_mode) and place in folder.places:
            self.faults.append(Fault(name, "is a link to a folder that it lies in itself", "remove the link"))
        elif stat.S_ISDIR(status.st_mode):
            self.pending.append(_Folder(Path(entry.path), name, (*folder.places, place)))
        elif not stat.S_ISREG(status.st_mode):
            self.faults.append(Fault(name, "is neither a file nor a folder", "remove it"))
        elif not os.access(entry.path, os.R_OK):
            self.faults.append(_unreadable(name, PermissionError()))
        else:
            path = self.prefix + name
            file = SourceFile(path, name, entry.path, place, status.st_size, status.st_mtime_ns)
            self.files.append(file)


def _source_fault(source: Path) -> Fault | None:
    remedy = "name the folder that holds the site's files"
    try:
        status = source.stat()
    except FileNotFoundError:
        return Fault(str(source), "does not exist", remedy)
    except OSError as error:
        return _unreadable(str(source), error)
    return None if stat.S_ISDIR(status.st_mode) else Fault(str(source), "is not a folder", remedy)


def _path_faults(files: list[SourceFile]) -> Iterator[Fault]:
    names = {file.path: file.name for file in files}
    for path, name in names.items():
        if reason := path_fault(path):
            yield Fault(name, reason, "rename or remove it")
    for group in colliding(names):
        for path in group:
            reason = "differs from another name only in case or Unicode form"
            yield Fault(names[path], reason, "rename or remove all but one of each")


def _lost_link(name: str) -> Fault:
    return Fault(name, "is a link that leads nowhere, or in a circle", "mend or remove the link")


def _unreadable(name: str, error: OSError) -> Fault:
    if isinstance(error, PermissionError):
        remedy = "let the user who runs this command read it, or remove it"
        return Fault(name, "cannot be read: Permission denied", remedy)
    return Fault(name, f"cannot be read: {error.strerror}", "mend or remove it")


def _place(status: os.stat_result) -> Place:
    return status.st_dev, status.st_ino
