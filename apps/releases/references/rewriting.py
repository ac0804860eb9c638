"""Putting fingerprints and digests in place. Nothing else of a file changes, not a byte."""

import base64
from collections.abc import Mapping

from apps.releases.references.found import Extraction, Guard
from apps.releases.references.source_maps import columns, shifted

INSERTED_CHARACTERS = 13  # a dot and a fingerprint


def insertions(extraction: Extraction, names: Mapping[str, str], *, with_map: bool = True) -> dict[int, str]:
    """Return what is inserted where, in characters, so that references name fingerprints.

    `names` has the fingerprints of targets. Without `with_map`, the reference to the file's own map is left
    out: it stands behind everything that the map speaks of.
    """
    return {
        reference.at: f".{names[reference.target]}"
        for reference in extraction.references
        if reference.at is not None and names.get(reference.target) and (with_map or not reference.is_map)
    }


def rewritten(
    content: bytes,
    extraction: Extraction,
    names: Mapping[str, str],
    integrities: Mapping[Guard, str] | None = None,
) -> bytes:
    """Return a file's bytes with the fingerprints `names` in place, and the digests of `integrities`.

    A digest that an element says already is replaced; whether it may be, the caller decides.
    """
    text = content.decode()
    inserted = insertions(extraction, names)
    splices = [(at, at, words) for at, words in inserted.items()]
    splices += _integrity_splices(integrities or {})
    splices += _inline_map_splices(text, extraction, names)
    pieces: list[str] = []
    last = 0
    for start, end, words in sorted(splices):
        pieces += (text[last:start], words)
        last = end
    return "".join([*pieces, text[last:]]).encode()


def _integrity_splices(integrities: Mapping[Guard, str]) -> list[tuple[int, int, str]]:
    return [
        (guard.start, guard.end, value) if guard.integrity else (guard.at, guard.at, f'integrity="{value}" ')
        for guard, value in integrities.items()
    ]


def _inline_map_splices(
    text: str, extraction: Extraction, names: Mapping[str, str]
) -> list[tuple[int, int, str]]:
    if extraction.inline_map is None:
        return []
    start, end = extraction.inline_map
    moved = shifted(
        base64.b64decode(text[start:end]), columns(text, insertions(extraction, names)), INSERTED_CHARACTERS
    )
    return [(start, end, base64.b64encode(moved).decode())]
