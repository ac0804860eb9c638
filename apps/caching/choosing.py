"""Which of many rules match a file, without trying each of them on each of a million files. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from apps.caching.matching import (
    Subject,
    conditions,
    literal_beginning,
    literal_ending,
    literal_folder,
    longest_literal,
)
from apps.caching.rules import Match, Rule

_MOST_KINDS = 65_536


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A rule with its tests; `literal` is text that the path of every file has that it matches."""

    rule: Rule
    literal: str
    tests: tuple[Callable[[Subject], bool], ...]


class RuleChooser:
    """Finds the rules that match a file, in the order in which they are tried.

    Files of one type, ending and top folder are of one kind, those with tags of another. Which rules can
    match a kind is found once.
    """

    def __init__(self, rules: Sequence[Rule], *, is_first_enough: bool) -> None:
        """`is_first_enough`: only the first rule that matches is asked for."""
        self._every = [_candidate(rule) for rule in rules]
        self._is_first_enough = is_first_enough
        self._of_kind = lru_cache(_MOST_KINDS)(self._candidates)

    def chosen(self, subject: Subject) -> tuple[Rule, ...]:
        """Return the rules that match `subject`; one at the most where the first is enough."""
        path = subject.path
        found: list[Rule] = []
        kind = subject.media_type, ending_of(path), top_folder_of(path), bool(subject.tags)
        for candidate in self._of_kind(*kind):
            # Says no to most rules before an automaton is asked, which takes a hundred times as long.
            if candidate.literal not in path:
                continue
            for test in candidate.tests:
                if not test(subject):
                    break
            else:
                if self._is_first_enough:
                    return (candidate.rule,)
                found.append(candidate.rule)
        return tuple(found)

    def _candidates(
        self,
        media_type: str,
        ending: str,
        top_folder: str,
        is_tagged: bool,  # noqa: FBT001 - a part of the kind
    ) -> list[_Candidate]:
        return [
            one
            for one in self._every
            if (is_tagged or not one.rule.match.tags)
            and can_match(one.rule.match, media_type, ending, top_folder)
        ]


def can_match(match: Match, media_type: str, ending: str, top_folder: str) -> bool:
    """Say whether `match` may hold for some file of this type, ending and top folder: never a wrong no."""
    return (
        (not match.media_types or _has_type(match.media_types, media_type))
        and (not match.extensions or ending in _endings(match.extensions))
        and (not match.folders or top_folder in _top_folders(match.folders))
        and (not match.paths or any(_can_fit(glob, ending, top_folder) for glob in match.paths))
        and (not match.expressions or any(_can_begin(each, top_folder) for each in match.expressions))
    )


def ending_of(path: str) -> str:
    """Return what comes behind the last dot of the path, in lower case; all of it where there is none."""
    return path.rpartition(".")[2].lower()


def top_folder_of(path: str) -> str:
    """Return the first folder of the path, "" for a file that lies in none."""
    return path.partition("/")[0] if "/" in path else ""


def _candidate(rule: Rule) -> _Candidate:
    globs, expressions = rule.match.paths, rule.match.expressions
    literal = longest_literal(globs[0]) if len(globs) == 1 else ""
    if not globs and len(expressions) == 1:
        literal = literal_beginning(expressions[0])
    return _Candidate(rule, literal, tuple(condition.holds for condition in conditions(rule.match)))


# Asked for each kind of file again.
@lru_cache(maxsize=4096)
def _endings(extensions: tuple[str, ...]) -> frozenset[str]:
    return frozenset(ending_of(f".{name}") for name in extensions)


@lru_cache(maxsize=4096)
def _top_folders(folders: tuple[str, ...]) -> frozenset[str]:
    return frozenset(top_folder_of(f"{folder}/") for folder in folders)


def _has_type(wanted: tuple[str, ...], media_type: str) -> bool:
    return media_type in wanted or media_type.startswith(
        tuple(name.removesuffix("*") for name in wanted if name.endswith("/*"))
    )


def _can_fit(glob: str, ending: str, top_folder: str) -> bool:
    known_folder, known_ending = _known_of(glob)
    return known_folder in {None, top_folder} and known_ending in {None, ending}


@lru_cache(maxsize=4096)
def _known_of(glob: str) -> tuple[str | None, str | None]:
    return literal_folder(glob), literal_ending(glob)


def _can_begin(expression: str, top_folder: str) -> bool:
    folder, slash, _ = literal_beginning(expression).partition("/")
    return folder == top_folder if slash else True
