from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.releases.comparing.texts import (
    MAX_LINE_CHARACTERS,
    LineKind,
    TextComparison,
    as_text,
    compare,
    is_text,
)

LINES = st.lists(st.sampled_from(["a", "b", "c", "", "}", "  x"]), max_size=30)


def drawn(comparison: TextComparison) -> list[str]:
    """Return the lines as a person reads them: sign and text."""
    marks = {LineKind.SAME: " ", LineKind.ADDED: "+", LineKind.REMOVED: "-", LineKind.SKIPPED: "…"}
    return [f"{marks[line.kind]}{line.text}" for line in comparison.lines]


def text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def test_a_changed_line_is_shown_with_three_lines_around_it_and_the_rest_is_counted() -> None:
    old = [f"line {number}" for number in range(20)]
    new = [*old[:10], "other", *old[11:]]

    assert drawn(compare(text(old), text(new))) == [
        "…7 unchanged lines",
        " line 7",
        " line 8",
        " line 9",
        "-line 10",
        "+other",
        " line 11",
        " line 12",
        " line 13",
        "…6 unchanged lines",
    ]


def test_lines_carry_their_number_on_each_side() -> None:
    comparison = compare("a\nb\n", "a\nnew\nb\n")

    assert [(line.old_number, line.new_number) for line in comparison.lines] == [(1, 1), (None, 2), (2, 3)]
    assert [line.sign for line in comparison.lines] == ["", "+", ""]


def test_a_new_text_is_all_added_and_a_removed_one_all_removed() -> None:
    added, removed = compare("", "a\nb\n"), compare("a\nb\n", "")

    assert (added.added, added.removed) == (2, 0)
    assert drawn(removed) == ["-a", "-b"]


def test_texts_that_are_alike_show_nothing() -> None:
    assert compare("a\n", "a\n") == TextComparison((), 0, 0, is_cut=False)


def test_a_missing_last_line_break_is_a_difference_that_can_be_seen() -> None:
    assert drawn(compare("a\n", "a")) == ["-a", "+a ⟨no line break at the end⟩"]


def test_other_line_ends_are_named_and_common_ones_left_out() -> None:
    assert drawn(compare("a\r\n", "a\n")) == ["-a⟨U+000D⟩", "+a"]
    assert drawn(compare("a\r\nb\r\n", "a\r\nc\r\n")) == [" a", "-b", "+c"]


def test_characters_that_hide_or_turn_text_round_are_named() -> None:
    assert drawn(compare("", "if admin\u202e:\n")) == ["+if admin⟨U+202E⟩:"]


def test_long_lines_are_cut_to_where_they_differ() -> None:
    old, new = "x" * 9_000 + "OLD" + "y" * 9_000, "x" * 9_000 + "NEW" + "y" * 9_000

    removed, added = drawn(compare(old + "\n", new + "\n"))

    assert "OLD" in removed
    assert "NEW" in added
    assert added.startswith("+…")
    assert added.endswith("…")
    assert len(added) <= MAX_LINE_CHARACTERS + 3


def test_a_long_comparison_is_cut_and_says_so() -> None:
    new = text([str(number) for number in range(50)])

    comparison = compare("", new, max_lines=10)

    assert len(comparison.lines) == 10
    assert comparison.is_cut
    assert comparison.added == 50
    assert not compare("", new, max_lines=50).is_cut


def test_moved_repeats_that_would_take_long_to_match_count_as_replaced() -> None:
    comparison = compare("begin\n" + "a\nb\n" * 400 + "end\n", "begin\n" + "b\na\n" * 400 + "end\n")

    assert (comparison.added, comparison.removed) == (800, 800)
    assert comparison.lines[0].text == "begin"


def test_alternating_changes_in_a_large_text_are_matched_line_by_line() -> None:
    old = [f"line {number}" for number in range(8_000)]
    new = [f"{line} changed" if number % 2 else line for number, line in enumerate(old)]

    comparison = compare(text(old), text(new))

    assert (comparison.added, comparison.removed) == (4_000, 4_000)


@given(LINES, LINES)
def test_either_side_can_be_read_off_a_whole_comparison(old: list[str], new: list[str]) -> None:
    comparison = compare(text(old), text(new))
    kept = [line for line in comparison.lines if line.kind is not LineKind.SKIPPED]
    for side, lines in (("old_number", old), ("new_number", new)):
        numbered = [(getattr(line, side), line.text) for line in kept if getattr(line, side)]
        assert all(lines[number - 1] == words for number, words in numbered)
        assert all(first < second for (first, _), (second, _) in pairwise(numbered))
    assert len(old) - comparison.removed == len(new) - comparison.added


@pytest.mark.parametrize(
    ("media_type", "readable"),
    [
        ("text/css", True),
        ("image/svg+xml", True),
        ("application/manifest+json", True),
        ("application/javascript", True),
        ("application/pdf", False),
        ("image/png", False),
    ],
)
def test_text_is_told_by_its_media_type(media_type: str, readable: bool) -> None:
    assert is_text(media_type) is readable


def test_content_that_is_not_utf8_is_no_text() -> None:
    assert as_text("Größe".encode()) == "Größe"
    assert as_text("Größe".encode("latin-1")) is None
    assert as_text(b"PK\0\0") is None
