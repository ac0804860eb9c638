"""Text that remembers where in a document each of its characters stands, through every unescaping."""

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Located:
    """A text, and for each of its characters the place in the document at which it begins."""

    text: str
    places: Sequence[int]

    @classmethod
    def whole(cls, text: str) -> Self:
        """Return a document as it is."""
        return cls(text, range(len(text)))

    def part(self, start: int, end: int) -> "Located":
        """Return the characters from `start` up to, not including, `end`."""
        return Located(self.text[start:end], self.places[start:end])

    def decoded(self, escape: re.Pattern[str], meaning: Callable[[re.Match[str]], str]) -> "Located":
        """Return the text with what `escape` finds replaced by its `meaning`, each at the place it had."""
        if not escape.search(self.text):
            return self
        pieces: list[str] = []
        places: list[int] = []
        last = 0
        for found in escape.finditer(self.text):
            pieces += (self.text[last : found.start()], value := meaning(found))
            places += self.places[last : found.start()]
            places += [self.places[found.start()]] * len(value)
            last = found.end()
        return Located("".join(pieces) + self.text[last:], [*places, *self.places[last:]])


_CHARACTER_REFERENCE = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[A-Za-z][A-Za-z0-9]*;)")
_CSS_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})(?:\r\n|[ \t\r\n\f])?|(\r\n|[\r\n\f])|([\s\S]))")
_SCRIPT_ESCAPE = re.compile(
    r"\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(\r\n|[\r\n\u2028\u2029])|([\s\S]))"
)
_SHORT_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "0": "\0"}


def from_attribute(value: Located) -> Located:
    """Return what an HTML attribute's value means: its character references decoded."""
    return value.decoded(_CHARACTER_REFERENCE, lambda found: html.unescape(found[0]))


def from_css(value: Located) -> Located:
    """Return what a CSS string or unquoted URL means (CSS Syntax 3, section 4.3.7)."""
    return value.decoded(
        _CSS_ESCAPE, lambda found: _code_point(found[1]) if found[1] else "" if found[2] else found[3]
    )


def from_script(value: Located) -> Located:
    """Return what a JavaScript or JSON string means (ECMA-262, section 12.9.4)."""
    return value.decoded(_SCRIPT_ESCAPE, _script_meaning)


def _script_meaning(found: re.Match[str]) -> str:
    if digits := found[1] or found[2] or found[3]:
        return _code_point(digits)
    return "" if found[4] else _SHORT_ESCAPES.get(found[5], found[5])


def _code_point(digits: str) -> str:
    number = int(digits, 16)
    return chr(number) if 0 < number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF else "\ufffd"
