"""Which paths can be served, and which cannot stand beside each other (pure)."""

import unicodedata
from collections.abc import Iterable, Iterator

MAX_PATH_CHARACTERS = 1024
MAX_SEGMENT_BYTES = 255
RESERVED_FOLDERS = ("-", "library")

# Manifests and searches use the last code point as “after every path”.
_LAST_CODE_POINT = "\U0010ffff"


def path_fault(path: str) -> str | None:
    """Say why `path` cannot be served, as a phrase to follow its name, or return None if it can.

    A path is what follows the host and its slash, percent-decoded: `css/site.css`.
    """
    return next(_faults(path), None)


def colliding(paths: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the groups of paths that cannot stand beside each other, each sorted, in order.

    Paths that differ only by case or Unicode form are one file for some file systems and people. A
    file that is a folder of another path (`a` and `a/b`) cannot be written to a disk; such a group
    names the first path below it.
    """
    spellings: dict[str, set[str]] = {}
    for path in paths:
        spellings.setdefault(_folded(path), set()).add(path)
    groups = [tuple(sorted(group)) for group in spellings.values() if len(group) > 1]
    first_below: dict[str, str] = {}
    for folded, group in spellings.items():
        for folder in _folders(folded):
            if folder in spellings:
                first_below[folder] = min(*group, first_below.get(folder, _LAST_CODE_POINT))
    groups += [(min(spellings[folder]), below) for folder, below in first_below.items()]
    return sorted(groups)


def _faults(path: str) -> Iterator[str]:
    if not path:
        yield "is empty"
    if any("\ud800" <= character <= "\udfff" for character in path):
        yield "is not valid UTF-8"
        return
    if len(path) > MAX_PATH_CHARACTERS:
        yield f"has {len(path)} characters; {MAX_PATH_CHARACTERS} are the most"
    yield from _character_faults(path)
    yield from _segment_faults(path.split("/"))
    if not unicodedata.is_normalized("NFC", path):
        yield "is not in Unicode's composed form (NFC)"


def _character_faults(path: str) -> Iterator[str]:
    for character in path:
        if unicodedata.category(character) == "Cc":
            yield f"has a control character (U+{ord(character):04X})"
        elif character == _LAST_CODE_POINT:
            yield "has the character U+10FFFF"
        elif character == "\\":
            yield "has a backslash"


def _segment_faults(segments: list[str]) -> Iterator[str]:
    if segments[0] in RESERVED_FOLDERS:
        yield f"lies under /{segments[0]}/, which the site keeps for itself"
    for segment in segments:
        if not segment:
            yield "has an empty part (a slash at its start, at its end, or two in a row)"
        elif segment in {".", ".."}:
            yield f"has the part “{segment}”"
        elif len(segment.encode()) > MAX_SEGMENT_BYTES:
            yield f"has a part of {len(segment.encode())} bytes; {MAX_SEGMENT_BYTES} are the most"


def _folded(path: str) -> str:
    """Return what all spellings of a path share: Unicode's canonical caseless form (chapter 3.13, D145)."""
    decomposed = unicodedata.normalize("NFD", path).casefold()
    return unicodedata.normalize("NFC", decomposed)


def _folders(path: str) -> Iterator[str]:
    """Yield the folders that a path lies in: `a/b/c` lies in `a` and in `a/b`."""
    end = path.find("/")
    while end >= 0:
        yield path[:end]
        end = path.find("/", end + 1)
