"""Three texts into one: by lines, with markers where they clash."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.releases.conflicts.text_merging import Labels, leftover_markers, merge_texts

LINES = st.lists(st.sampled_from(["a", "b", "c", "", "}", "  x"]), max_size=20)
TEXTS = st.builds(
    lambda lines, end, is_ended: end.join(lines) + (end if lines and is_ended else ""),
    LINES,
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
BASE = "".join(f"line {number}\n" for number in range(12))


def changed(text: str, **lines: str) -> str:
    """Return BASE-like text with some lines, named by number (`_3`), replaced."""
    for name, new in lines.items():
        text = text.replace(f"line {name[1:]}\n", new)
    return text


def test_lines_that_one_side_has_changed_are_taken_from_it() -> None:
    merged = merge_texts(BASE, changed(BASE, _1="ours\n"), changed(BASE, _8="theirs\n", _10=""))

    assert merged.is_clean
    assert merged.text == changed(BASE, _1="ours\n", _8="theirs\n", _10="")


def test_what_both_have_changed_alike_is_taken_once() -> None:
    both = changed(BASE, _4="the same\n")
    assert merge_texts(BASE, both, both).text == both


def test_lines_that_both_have_changed_stand_between_markers() -> None:
    ours, theirs = changed(BASE, _4="blue\n"), changed(BASE, _4="green\n")
    merged = merge_texts(BASE, ours, theirs, Labels("release 5", "release 3", "live: release 4"))

    assert merged.clashes == 1
    assert merged.text == changed(
        BASE,
        _4="<<<<<<< release 5\nblue\n||||||| release 3\nline 4\n=======\ngreen\n>>>>>>> live: release 4\n",
    )


def test_what_both_have_added_clashes_as_a_whole() -> None:
    merged = merge_texts("", "one\n", "two\n")
    assert merged.clashes == 1
    assert merged.text.splitlines()[1] == "one"


def test_line_ends_are_a_thing_of_their_own() -> None:
    windows = BASE.replace("\n", "\r\n")
    edited = changed(BASE, _8="theirs\n")

    assert merge_texts(BASE, windows, edited).text == edited.replace("\n", "\r\n")
    assert merge_texts(windows, windows, edited.replace("\n", "\r\n")).text == edited.replace("\n", "\r\n")
    assert merge_texts(windows, BASE, edited.replace("\n", "\r\n")).text == edited


def test_markers_in_a_text_with_crlf_have_crlf_too() -> None:
    merged = merge_texts("a\r\n", "b\r\n", "c\r\n")
    assert merged.clashes == 1
    assert merged.text.count("\n") == merged.text.count("\r\n") == 7


def test_mixed_line_ends_stay_as_they_are() -> None:
    base = "a\r\nb\nc\n\n\nd\n"
    assert merge_texts(base, base.replace("a\r", "A\r"), base.replace("d", "D")).text == "A\r\nb\nc\n\n\nD\n"


def test_a_missing_line_break_at_the_end_is_a_thing_of_its_own() -> None:
    open_end = BASE.rstrip("\n")

    assert merge_texts(open_end, BASE, changed(open_end, _2="theirs\n")).text == changed(BASE, _2="theirs\n")
    assert merge_texts(BASE, open_end, changed(BASE, _2="theirs\n")).text == changed(open_end, _2="theirs\n")
    assert merge_texts("a\nb\nc", "A\nb\nc", "a\nb\nC").text == "A\nb\nC"


@given(TEXTS, TEXTS)
def test_where_one_side_changed_nothing_the_other_stands_to_the_byte(base: str, other: str) -> None:
    assert merge_texts(base, other, base).text == other
    assert merge_texts(base, base, other).text == other
    assert merge_texts(base, other, other).text == other


@given(TEXTS, TEXTS, TEXTS)
def test_both_sides_see_the_same_clashes(base: str, ours: str, theirs: str) -> None:
    assert merge_texts(base, ours, theirs).clashes == merge_texts(base, theirs, ours).clashes


@given(st.lists(st.sampled_from(["keep", "ours", "theirs", "both"]), max_size=15))
def test_edits_apart_from_each_other_are_all_in_the_outcome(edits: list[str]) -> None:
    """A line of its own between two edits keeps them apart, whatever they are."""
    base = ours = theirs = expected = ""
    for number, who in enumerate(edits):
        base += f"line {number}\nbetween {number}\n"
        mine = f"line {number}{' changed' if who in ('ours', 'both') else ''}\nbetween {number}\n"
        other = f"line {number}{' changed' if who in ('theirs', 'both') else ''}\nbetween {number}\n"
        ours, theirs = ours + mine, theirs + other
        expected += mine if who in ("ours", "both") else other

    merged = merge_texts(base, ours, theirs)
    assert (merged.text, merged.clashes) == (expected, 0)


@given(TEXTS, TEXTS, TEXTS)
def test_a_text_with_a_clash_is_known_by_its_markers(base: str, ours: str, theirs: str) -> None:
    merged = merge_texts(base, ours, theirs)
    assert len(leftover_markers(merged.text, [base, ours, theirs])) == 4 * merged.clashes


@pytest.mark.parametrize(
    ("text", "sources", "lines"),
    [
        ("a\n<<<<<<< release 5\nb\n", [], [2]),
        ("a\r\n=======\r\n", [], [2]),
        ("Title\n=======\n", ["Title\n=======\n"], []),
        ("Title\r\n=======\r\n", ["Title\r\n=======\r\n"], []),
        ("<<<<<<<<< no marker\n========\n", [], []),
    ],
)
def test_markers_that_are_left_over_are_found_by_line(
    text: str, sources: list[str], lines: list[int]
) -> None:
    assert leftover_markers(text, sources) == lines


def test_a_generated_text_of_many_lines_is_merged_without_comparing_each_with_each() -> None:
    """Every second line of 8,000 differs on one side: difflib alone would take minutes."""
    base = [f"{number % 7}\n" for number in range(8_000)]
    ours = [line if number % 2 else f"x{line}" for number, line in enumerate(base)]

    assert merge_texts("".join(base), "".join(ours), "".join(base)).text == "".join(ours)
