"""Which files can refer to others, and what each of them refers to."""

import base64
import re
from dataclasses import replace
from enum import StrEnum

from apps.caching.matching import is_fingerprinted
from apps.releases.manifest.format import Entry
from apps.releases.references.addresses import base_of, reference
from apps.releases.references.found import Collected, Extraction
from apps.releases.references.located import Located
from apps.releases.references.pages import collect_critical, collect_from_page
from apps.releases.references.scripts import collect_from_script
from apps.releases.references.source_maps import shifted
from apps.releases.references.styles import collect_from_style

_SCRIPT_TYPES = frozenset({"text/javascript", "application/javascript", "application/x-javascript"})
# The comment that names a source map ends its file (ECMA-426, section 11.1.2.1).
_MAP_COMMENT = re.compile(r"(?://|/\*)[#@][ \t]+sourceMappingURL=([^\s'\"*]+)[ \t]*(?:\*/)?\s*\Z")
_INLINE_MAP = re.compile(r"data:application/json[^,]*;base64,", re.IGNORECASE)


class Kind(StrEnum):
    """The files that are read: what a page, a style sheet or a script names, and where a map points."""

    PAGE = "page"
    STYLE = "style"
    SCRIPT = "script"
    MAP = "map"


# Larger files are not read for references: nobody writes so much by hand, and grammars take long.
MAX_BYTES = {Kind.PAGE: 8 << 20, Kind.STYLE: 8 << 20, Kind.SCRIPT: 16 << 20, Kind.MAP: 64 << 20}


def kind_of(path: str, media_type: str) -> Kind | None:
    """Return what kind of file this is, or None for one that refers to nothing."""
    if media_type == "text/html":
        return Kind.PAGE
    if media_type == "text/css":
        return Kind.STYLE
    if media_type in _SCRIPT_TYPES:
        return Kind.SCRIPT
    return Kind.MAP if path.endswith(".map") and media_type == "application/json" else None


def too_large(entry: Entry, kind: Kind) -> Extraction | None:
    """Return what there is to say of a file that is too large to be read, None for others."""
    if entry.size <= MAX_BYTES[kind]:
        return None
    collected = Collected(entry.path)
    collected.complain("too_large", f"it has {entry.size} bytes; {MAX_BYTES[kind]} are the most")
    return _left_alone(collected)


def extract(kind: Kind, path: str, content: bytes) -> Extraction:
    """Return what the file at `path` refers to. Whatever is wrong with it is a finding, never an error."""
    collected = Collected(path)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        collected.complain("not_utf8", f"byte {error.start} is no UTF-8")
        return _left_alone(collected)
    if kind is Kind.PAGE:
        collect_from_page(text, path, collected)
    elif kind is Kind.STYLE:
        collect_from_style(Located.whole(text), base_of(path), collected)
    elif kind is Kind.SCRIPT:
        collect_from_script(Located.whole(text), base_of(path), collected, is_file=True)
        if collected.findings:
            return _left_alone(collected)
    if kind in {Kind.STYLE, Kind.SCRIPT}:
        _collect_map(text, path, collected)
    return replace(collected.finished(), is_rewritable=not is_fingerprinted(path))


def critical_of(path: str, content: bytes) -> Extraction:
    """Return only what the page at `path` needs before it shows."""
    collected = Collected(path)
    collect_critical(content.decode(errors="replace"), path, collected)
    return collected.finished()


def _collect_map(text: str, path: str, collected: Collected) -> None:
    mention = text.rfind("sourceMappingURL=")
    found = _MAP_COMMENT.search(text, max(0, mention - 16)) if mention >= 0 else None
    if found is None:
        return
    if inline := _INLINE_MAP.match(found[1]):
        _collect_inline_map(text, found.start(1) + inline.end(), found.end(1), collected)
    elif named := reference(Located.whole(text).part(*found.span(1)), base_of(path), is_map=True):
        collected.references.append(named)


def _collect_inline_map(text: str, start: int, end: int, collected: Collected) -> None:
    try:
        shifted(base64.b64decode(text[start:end]), [], 0)
    except ValueError as error:  # `MapFault` and what base64 raises are both
        collected.complain("unreadable_map", f"the map at its end: {error}")
    else:
        collected.inline_map = (start, end)


def _left_alone(collected: Collected) -> Extraction:
    return Extraction(findings=tuple(collected.findings), is_rewritable=False)
