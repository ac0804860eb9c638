"""Which addresses a cache in front keeps, and which of them a rule may decide about, as expressions.

The expressions are for any engine that knows look-ahead (PCRE, JavaScript) and are written in ASCII, with
every character that a configuration could take for its own as `\\xHH`. They are asked about the path as it
was sent. What they say may be more than a rule matches, never less: a bypass too many costs a hit, one that
is missing serves what nobody was to keep (docs/adr/0131).
"""

import re
from dataclasses import dataclass, replace

from apps.caching.addresses import escaped
from apps.caching.matching import glob_pieces
from apps.caching.rules import Match

# A path as this origin writes it (apps.delivery.target): each character in the one form that it has in an
# address, so that a copy has one name, by which it can be purged.
_AS_IT_IS = r"A-Za-z0-9._~/:@!$&\x27()*+,;=-"
_ESCAPED = r"%(?:2[0235]|3[CEF]|5[BDE]|60|7[BCD]|[89A-F][0-9A-F])"
_NO_SEGMENT = r"(?![^?]*(?://|/\.\.?(?:[/?]|$)))"  # none that is empty, `.` or `..`
CANONICAL = rf"{_NO_SEGMENT}/(?:[{_AS_IT_IS}]|{_ESCAPED})*"
# What ends in a dot and letters, and is no page: nothing is redirected there that needs its query.
FILE = r"/[^/]*\.(?!(?:[hH][tT][mM][lL]?|[xX][hH][tT][mM][lL]?)$)[^./]+$"
PREFIX_OF_DJANGO = "/-/"

_PLAIN = re.compile(r"[A-Za-z0-9/_-]")
_AS_EXPRESSION = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]+"}
MAX_WILDCARDS = 3  # engines that backtrack take time to the power of that
MAX_EXPRESSION = 4_000  # nginx reads no word of more than 4096 bytes


@dataclass(frozen=True, slots=True)
class Scope:
    """Addresses among which are all those that a rule matches; an empty condition holds for every one.

    `left_out` says, as clauses, what of the match an address does not show.
    """

    globs: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def is_everything(self) -> bool:
        return not (self.globs or self.folders or self.extensions)

    @property
    def expression(self) -> str:
        """Return what has to match a path as it was sent, "" for every path."""
        parts = []
        if self.globs:
            parts.append(f"(?=/(?:{'|'.join(map(_glob_expression, self.globs))})$)")
        if self.folders:
            parts.append(f"(?=/(?:{'|'.join(map(literal, self.folders))})/)")
        if self.extensions:
            parts.append(rf"(?=.*\.(?:{'|'.join(map(in_any_case, self.extensions))})$)")
        return "^" + "".join(parts) if parts else ""


def scope_of(match: Match) -> Scope:
    """Return the addresses that `match` may be about."""
    left_out = []
    globs = match.paths
    if any(len(glob_pieces(glob)) // 2 > MAX_WILDCARDS for glob in globs):
        globs = ()
        left_out.append("its patterns have too many wildcards")
    if match.expressions:
        left_out.append("its expressions are for an engine that never backtracks")
    if match.media_types:
        left_out.append("the type of a file is not known before the answer")
    if match.min_size_bytes is not None or match.max_size_bytes is not None:
        left_out.append("the size of a file is not known before the answer")
    if match.tags:
        left_out.append("the tags of a file only the origin knows")
    if match.is_fingerprinted is not None:
        left_out.append("what counts as a content hash only the origin says")
    return _short_enough(Scope(globs, match.folders, match.extensions, tuple(left_out)))


def _short_enough(scope: Scope) -> Scope:
    """Return `scope` without the conditions that make its expression longer than a configuration may have."""
    if len(scope.expression) <= MAX_EXPRESSION:
        return scope
    without = {
        "patterns": replace(scope, globs=()),
        "folders": replace(scope, folders=()),
        "extensions": replace(scope, extensions=()),
    }
    words, shortest = min(without.items(), key=lambda each: len(each[1].expression))
    left_out = (*scope.left_out, f"its {words} are too long for one expression")
    return _short_enough(replace(shortest, left_out=left_out))


def literal(text: str) -> str:
    """Return an expression for `text` in a path as it is sent: percent-encoded where paths are."""
    return "".join(map(_character, escaped(text)))


def in_any_case(text: str) -> str:
    """Return an expression for `text` whatever the case of its letters."""
    return "".join(
        f"[{one.lower()}{one.upper()}]" if one.isalpha() else _character(one) for one in escaped(text)
    )


def parameter(name: str) -> str:
    """Return an expression for a query that has the parameter `name`, each byte of it encoded or not."""
    return rf"(?:^|[&;])(?:{''.join(map(_maybe_encoded, name.encode()))})(?:[=&;]|$)"


def cookie(name: str) -> str:
    """Return an expression for a Cookie header that has the cookie `name`."""
    return rf"(?:^|[;,])[\x20\x09]*{''.join(map(_character, name))}[\x20\x09]*(?:[=;,]|$)"


def host_below(domain: str) -> str:
    """Return an expression for the hosts below `domain`, in lower case and with or without a port."""
    return rf"\.{''.join(map(_character, domain.lower()))}\.*(?::[0-9]*)?$"


def _glob_expression(glob: str) -> str:
    return "".join(_AS_EXPRESSION.get(piece) or literal(piece) for piece in glob_pieces(glob))


def _character(one: str) -> str:
    return one if _PLAIN.fullmatch(one) else f"\\x{ord(one):02X}"


def _maybe_encoded(byte: int) -> str:
    digits = "".join(f"[{one.lower()}{one}]" if one.isalpha() else one for one in f"{byte:02X}")
    return f"(?:{_character(chr(byte))}|%{digits})"
