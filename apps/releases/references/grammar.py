"""JavaScript as tree-sitter's grammar reads it: exact places, in bounded time (docs/adr/0069)."""

from collections.abc import Iterator, Sequence

import tree_sitter_javascript
from tree_sitter import Language, Node, Parser, Point

LANGUAGE = Language(tree_sitter_javascript.language())
_PIECE_BYTES = 4096
# An understood script is read twice at the most; where the parser looks for a way on after an error, it may
# begin again at every character, which takes hours for some megabytes.
_MAX_READINGS = 8


class UnreadableScriptError(ValueError):
    """A script that the grammar does not understand; its words say where."""


def parsed(text: str) -> Node:
    """Return the root of a script's syntax tree. Raises `UnreadableScriptError`."""
    source = _Source(text.encode())
    try:
        tree = Parser(LANGUAGE).parse(source.read, progress_callback=source.is_exhausted)
    except ValueError as error:  # it was exhausted
        raise UnreadableScriptError(source.place) from error
    if tree.root_node.has_error:
        raise UnreadableScriptError(f"line {_first_error(tree.root_node).start_point.row + 1}")
    return tree.root_node


def insides(text: str, literals: Sequence[Node]) -> Iterator[tuple[int, int]]:
    """Yield where the insides of quoted literals stand, in characters; tree-sitter counts bytes.

    The literals are in order, so that a text that is not ASCII is gone through once.
    """
    encoded = text.encode()
    last = last_byte = 0
    for node in literals:
        start = last + len(encoded[last_byte : node.start_byte].decode())
        last = start + len(encoded[node.start_byte : node.end_byte].decode())
        last_byte = node.end_byte
        yield start + 1, last - 1


class _Source:
    """A text that the parser reads in pieces, and only so often."""

    def __init__(self, encoded: bytes) -> None:
        self._encoded = encoded
        self._left = _MAX_READINGS * len(encoded) + (1 << 20)
        self._offset = 0

    @property
    def place(self) -> str:
        """Where the parser is, in words."""
        return f"line {self._encoded.count(b'\n', 0, self._offset) + 1}"

    def read(self, offset: int, _point: Point) -> bytes:
        piece = self._encoded[offset : offset + _PIECE_BYTES]
        self._left -= len(piece)
        return piece

    def is_exhausted(self, offset: int, _has_error: bool) -> bool:  # noqa: FBT001 - tree-sitter's call
        self._offset = offset
        return self._left < 0


def _first_error(root: Node) -> Node:
    node = root
    while inner := next((child for child in node.children if child.has_error or child.is_missing), None):
        node = inner
    return node
