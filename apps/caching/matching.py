"""Which paths a rule is about. Every test takes time linear in the path's length, whatever the glob."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import re2

from apps.caching.rules import Match
from apps.texts import listed

MAX_EXPRESSION_BYTES = 1 << 20  # what an automaton may take; `x{1000}` of `x{1000}` asks for far more

_WILDCARD = re.compile(r"((?:(?<=/)|^)\*\*/|\*\*|\*|\?)")
_AS_EXPRESSION = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


type Tags = frozenset[str]
NO_TAGS: Tags = frozenset()


class Subject(NamedTuple):
    """What a rule is asked about: a path without leading slash, and the file that lies there."""

    path: str
    media_type: str
    size_bytes: int
    tags: Tags = NO_TAGS


@dataclass(frozen=True, slots=True)
class Condition:
    """One test of a match, with words that go on after "Files …", and two clauses on how it came out."""

    holds: Callable[[Subject], bool]
    words: str
    met: str
    unmet: str


def matches(match: Match, path: str, media_type: str, size_bytes: int, tags: Tags = NO_TAGS) -> bool:
    """Say whether every condition that `match` sets holds for the file at `path`."""
    return holds(conditions(match), Subject(path, media_type, size_bytes, tags))


def holds(tests: tuple[Condition, ...], subject: Subject) -> bool:
    """Say whether all of `tests`, the `conditions` of a match, hold."""
    return all(test.holds(subject) for test in tests)


def explain(
    match: Match, path: str, media_type: str, size_bytes: int, tags: Tags = NO_TAGS
) -> tuple[bool, str]:
    """Return what `matches` says, and a sentence on why."""
    subject = Subject(path, media_type, size_bytes, tags)
    tests = conditions(match)
    for condition in tests:
        if not condition.holds(subject):
            return False, _sentence(condition.unmet)
    return True, _sentence(listed([condition.met for condition in tests]) or "it matches every file")


def near_miss(match: Match, path: str, media_type: str, size_bytes: int, tags: Tags = NO_TAGS) -> str:
    """Return a sentence on the one condition that keeps a file from a match of several, "" for no such."""
    subject = Subject(path, media_type, size_bytes, tags)
    tests = conditions(match)
    unmet = [condition for condition in tests if not condition.holds(subject)]
    if len(unmet) != 1 or len(tests) == 1:
        return ""
    met = [condition.met for condition in tests if condition is not unmet[0]]
    return _sentence(f"{listed(met)}; only {unmet[0].unmet}")


def in_words(match: Match) -> str:
    """Say which files `match` is about: "Files of type text/html"."""
    tests = conditions(match)
    return f"Files {listed([test.words for test in tests])}" if tests else "Every file"


@lru_cache(maxsize=512)
def conditions(match: Match) -> tuple[Condition, ...]:
    """Return the tests of `match`, the cheapest first. All of them must hold."""
    tests = (
        _tag_condition(match.tags),
        _media_type_condition(match.media_types),
        _extension_condition(match.extensions),
        _smallest_condition(match.min_size_bytes),
        _largest_condition(match.max_size_bytes),
        _folder_condition(match.folders),
        _path_condition(match.paths),
        _expression_condition(match.expressions),
        _fingerprint_condition(match.is_fingerprinted),
    )
    return tuple(test for test in tests if test is not None)


def glob_expression(glob: str) -> str:
    """Translate a glob into an RE2 expression that has to match the whole path.

    `*` and `?` stay within a folder, `**` does not, and `**/` may also stand for no folder at all.
    Every other character, brackets included, stands for itself.
    """
    return "".join(_AS_EXPRESSION.get(piece) or re2.escape(piece) for piece in glob_pieces(glob))


def glob_pieces(glob: str) -> list[str]:
    """Return the wildcards of a glob, and the text between them, which may be empty."""
    return _WILDCARD.split(glob)


def longest_literal(glob: str) -> str:
    """Return text that is part of every path that fits `glob`: the longest that is known, or ""."""
    # What follows `**/` may begin the path, so that its slash need not be there.
    pieces = (piece for piece in _WILDCARD.split(glob) if piece not in _AS_EXPRESSION)
    return max(pieces, key=len)


def literal_ending(glob: str) -> str | None:
    """Return what every path that fits `glob` has behind its last dot, None where it may be anything."""
    last = _WILDCARD.split(glob)[-1]
    return last.rpartition(".")[2].lower() if "." in last else None


def literal_folder(glob: str) -> str | None:
    """Return the first folder of every path that fits `glob`, "" for none; None where it may be any."""
    first, slash, _ = glob.partition("/")
    if "**" in first or (slash and ("*" in first or "?" in first)):
        return None
    return first if slash else ""


def literal_beginning(expression: str) -> str:
    """Return text that every path begins with that `expression` matches as a whole, "" if none is known."""
    found = _BEGINNING.match(expression)
    # An alternative may begin otherwise, and what a quantifier follows need not be there.
    if found is None or "|" in expression:
        return ""
    is_repeated = expression[found.end() : found.end() + 1] in {"?", "*", "{"}
    return found[0][:-1] if is_repeated else found[0]


def _path_condition(globs: tuple[str, ...]) -> Condition | None:
    if not globs:
        return None
    names = _alternatives(globs)
    return Condition(
        holds=_fits_one(tuple(map(glob_expression, globs))),
        words=f"at {names}",
        met=f"its path fits {names}",
        unmet=f"its path does not fit {names}",
    )


def _expression_condition(expressions: tuple[str, ...]) -> Condition | None:
    if not expressions:
        return None
    names = _alternatives(expressions)
    return Condition(
        holds=_fits_one(expressions),
        words=f"whose path fits the expression {names}",
        met=f"its path fits the expression {names}",
        unmet=f"its path does not fit the expression {names}",
    )


def _fits_one(expressions: tuple[str, ...]) -> Callable[[Subject], bool]:
    """Return a test for the whole path: one automaton for all, which never backtracks."""
    together = "|".join(f"(?:{expression})" for expression in expressions)
    automaton = re2.compile(f"(?s){together}", _quiet())
    return lambda subject: automaton.fullmatch(subject.path) is not None


def _quiet() -> re2.Options:
    """Return options under which RE2 writes no line for each path that it finds with little memory."""
    options = re2.Options()
    options.log_errors = False
    return options


def expression_fault(expression: str) -> str | None:
    """Return why RE2 cannot take `expression`, which is to match a path in linear time, or None."""
    options = _quiet()
    options.max_mem = MAX_EXPRESSION_BYTES
    try:
        re2.compile(expression, options)
    except re2.error as error:
        reason = error.args[0]
        return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
    return None


def _folder_condition(folders: tuple[str, ...]) -> Condition | None:
    if not folders:
        return None
    beginnings = tuple(f"{folder}/" for folder in folders)
    names = _alternatives(beginnings)
    return Condition(
        holds=lambda subject: subject.path.startswith(beginnings),
        words=f"in the folder {names}",
        met=f"it lies in {names}",
        unmet=f"it does not lie in {names}",
    )


def _media_type_condition(media_types: tuple[str, ...]) -> Condition | None:
    if not media_types:
        return None
    exact = frozenset(media_types)
    families = tuple(name.removesuffix("*") for name in media_types if name.endswith("/*"))
    names = _alternatives(media_types)
    return Condition(
        holds=lambda subject: subject.media_type in exact or subject.media_type.startswith(families),
        words=f"of type {names}",
        met=f"its type is {names}",
        unmet=f"its type is not {names}",
    )


def _extension_condition(extensions: tuple[str, ...]) -> Condition | None:
    if not extensions:
        return None
    endings = tuple(f".{extension.lower()}" for extension in extensions)
    names = _alternatives(endings)
    return Condition(
        holds=lambda subject: subject.path.lower().endswith(endings),
        words=f"whose name ends in {names}",
        met=f"its name ends in {names}",
        unmet=f"its name does not end in {names}",
    )


def _smallest_condition(size_bytes: int | None) -> Condition | None:
    if size_bytes is None:
        return None
    return Condition(
        holds=lambda subject: subject.size_bytes >= size_bytes,
        words=f"of at least {size_bytes:,} bytes",
        met=f"it has at least {size_bytes:,} bytes",
        unmet=f"it has fewer than {size_bytes:,} bytes",
    )


def _largest_condition(size_bytes: int | None) -> Condition | None:
    if size_bytes is None:
        return None
    return Condition(
        holds=lambda subject: subject.size_bytes <= size_bytes,
        words=f"of at most {size_bytes:,} bytes",
        met=f"it has at most {size_bytes:,} bytes",
        unmet=f"it has more than {size_bytes:,} bytes",
    )


def _tag_condition(tags: tuple[str, ...]) -> Condition | None:
    if not tags:
        return None
    wanted, names = frozenset(tags), _alternatives(tags)
    return Condition(
        holds=lambda subject: not wanted.isdisjoint(subject.tags),
        words=f"with the tag {names}",
        met=f"it carries the tag {names}",
        unmet=f"it does not carry the tag {names}",
    )


def _fingerprint_condition(is_wanted: bool | None) -> Condition | None:  # noqa: FBT001
    if is_wanted is None:
        return None
    present, absent = "its name carries a content hash", "its name carries no content hash"
    return Condition(
        holds=lambda subject: is_fingerprinted(subject.path) is is_wanted,
        words="whose name carries a content hash" if is_wanted else "whose name carries no content hash",
        met=present if is_wanted else absent,
        unmet=absent if is_wanted else present,
    )


_BEGINNING = re.compile(r"[A-Za-z0-9/_-]+")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_DATE = re.compile(r"\d{1,4}(?:feb|dec)\d{1,4}", re.IGNORECASE)  # the months that are also hex digits
_BASE32 = re.compile(r"[A-Z2-7]{8,}")
_BASE62 = re.compile(r"(?=\w*[a-z])(?=\w*[A-Z])(?=\w*[0-9])[A-Za-z0-9_]{8,}")
_RUN = re.compile(r"[0-9]+|[^0-9]+")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+|_")


def is_fingerprinted(path: str) -> bool:
    """Say whether the file's name carries a hash of its content: `app.3f2a9c.css`, `index-BX3k9aQz.js`.

    The hash is a part of its own between dots or dashes, after the name or in its place. A name that
    only might be one is taken for none, because a wrong yes is kept by browsers for a year and a wrong
    no costs one request (docs/adr/0011).
    """
    stem = path.rpartition("/")[2].rpartition(".")[0]
    if stem.count("-") >= 4 and _UUID.search(stem):
        return False
    first, *others = stem.replace("-", ".").split(".")
    return any(map(_is_hash, others or [first]))


def _is_hash(part: str) -> bool:
    """Say whether `part` is digits and letters in a disorder that words, numbers and dates lack."""
    if len(part) < 6 or part.isalpha():  # most parts: a build asks about each part of a million names
        return False
    if _HEX.fullmatch(part):
        return _runs(part) >= 3 and sum(map(str.isdigit, part)) >= 2 and not _DATE.fullmatch(part)
    if part.islower():  # the others have capitals
        return False
    if _BASE32.fullmatch(part):
        return _runs(part) >= 3
    return _BASE62.fullmatch(part) is not None and len(_WORD.findall(part)) * 2 >= len(part)


def _runs(part: str) -> int:
    return len(_RUN.findall(part))


def _alternatives(names: tuple[str, ...]) -> str:
    return listed(names, last=" or ")


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."
