"""Whether patterns have paths in common, held against trying every short path by a naive reading of globs."""

from functools import lru_cache
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from apps.caching.globs import can_meet, extension_pattern, folder_pattern, glob_pattern, is_within
from apps.caching.matching import longest_literal, matches
from apps.caching.rules import Match

# Patterns of three pieces at most, so that what two of them share or not shows in a path this short.
GLOBS = st.lists(st.sampled_from(["a", "/", "?", "*", "**", "**/"]), max_size=3).map("".join)
PATHS = ["".join(path) for length in range(6) for path in product("ab/", repeat=length)]


@given(glob=GLOBS)
def test_a_glob_matches_what_it_spells(glob: str) -> None:
    found = {path for path in PATHS if matches(Match(paths=(glob,)), path, "text/plain", 1)}
    assert found == fitting(glob)


@given(one=GLOBS, other=GLOBS)
def test_two_globs_can_meet_where_some_path_fits_both(one: str, other: str) -> None:
    assert can_meet(glob_pattern(one), glob_pattern(other)) is bool(fitting(one) & fitting(other))


@given(inner=GLOBS, outer=st.lists(GLOBS, min_size=1, max_size=2))
def test_a_glob_is_within_others_where_each_of_its_paths_fits_one_of_them(
    inner: str, outer: list[str]
) -> None:
    is_each = fitting(inner) <= frozenset().union(*map(fitting, outer))
    assert is_within(glob_pattern(inner), tuple(map(glob_pattern, outer))) is is_each


@given(glob=GLOBS)
def test_what_is_known_of_a_glob_without_trying_is_part_of_each_of_its_paths(glob: str) -> None:
    assert all(longest_literal(glob) in path for path in fitting(glob))


def test_folders_and_endings_are_patterns_too() -> None:
    icons, pictures = folder_pattern("img/icons"), folder_pattern("img")
    assert is_within(icons, (pictures,))
    assert not is_within(pictures, (icons,))
    assert is_within(glob_pattern("img/icons/*.svg"), (icons,))
    assert not can_meet(icons, glob_pattern("img/*"))
    svg = extension_pattern("SVG")
    assert is_within(glob_pattern("**/*.sVg"), (svg,)), "an ending counts in any case"
    assert not can_meet(glob_pattern("A/*"), glob_pattern("a/*")), "a glob does not"
    assert can_meet(svg, icons)
    assert can_meet(icons, svg)
    assert not can_meet(svg, extension_pattern("png"))


def test_a_walk_that_would_take_too_long_claims_nothing() -> None:
    without_slash, with_slash = glob_pattern("*a" * 80 + "*"), glob_pattern("*b" * 80 + "/*")
    assert can_meet(without_slash, with_slash), "they may meet, for all that is known"
    assert is_within(glob_pattern("*a" * 9 + "*"), (glob_pattern("*a" * 8 + "*"),))
    assert not is_within(without_slash, (glob_pattern("*a" * 79 + "*"),)), "it is not known to be within"


@lru_cache(maxsize=512)
def fitting(glob: str) -> frozenset[str]:
    """Return the short paths that a glob is about."""
    return frozenset(path for path in PATHS if fits(glob, path))


def fits(glob: str, path: str, at: int = 0) -> bool:
    """Read a glob from place `at` on, one character after the other."""
    rest = glob[at:]
    if rest.startswith("**/") and (at == 0 or glob[at - 1] == "/"):
        ends = [0, *(place + 1 for place, character in enumerate(path) if character == "/")]
        return any(fits(glob, path[end:], at + 3) for end in ends)
    if rest.startswith("**"):
        return any(fits(glob, path[end:], at + 2) for end in range(len(path) + 1))
    if rest.startswith("*"):
        return any(fits(glob, path[end:], at + 1) for end in range(len(path.split("/", 1)[0]) + 1))
    if not rest or not path:
        return not rest and not path
    is_same = path[0] != "/" if rest[0] == "?" else path[0] == rest[0]
    return is_same and fits(glob, path[1:], at + 1)
