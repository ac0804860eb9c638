"""Source maps stay right when names in the file they speak of become longer."""

import base64
import json
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.releases.references.extraction import Kind, extract
from apps.releases.references.rewriting import rewritten
from apps.releases.references.source_maps import MapFault, columns, shifted

_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def encoded(numbers: list[int]) -> str:
    """Return numbers as the specification writes them (ECMA-426, section 5)."""
    text = ""
    for number in numbers:
        rest = abs(number) * 2 + (number < 0)
        while rest > 31:
            text += _DIGITS[rest % 32 + 32]
            rest //= 32
        text += _DIGITS[rest]
    return text


def decoded(mappings: str) -> list[list[int]]:
    """Return the generated columns of the segments of each line."""
    lines = []
    for line in mappings.split(";"):
        numbers = [_first(segment) for segment in line.split(",") if segment]
        lines.append(list(accumulate(numbers)))
    return lines


def _first(segment: str) -> int:
    number, shift = 0, 0
    for digit in segment:
        value = _DIGITS.index(digit)
        number += (value % 32) << shift
        shift += 5
        if value < 32:
            break
    return -(number >> 1) if number & 1 else number >> 1


def mappings_of(lines: list[list[int]]) -> str:
    """Return mappings with segments at these columns, each with numbers behind that must stay."""
    return ";".join(
        ",".join(encoded([now - before, 0, 7, -3]) for before, now in zip([0, *line], line, strict=False))
        for line in lines
    )


lines_of_columns = st.lists(st.lists(st.integers(0, 2_000), max_size=6, unique=True).map(sorted), max_size=5)


@given(lines_of_columns, st.sets(st.tuples(st.integers(0, 5), st.integers(0, 2_000)), max_size=8))
def test_each_segment_moves_by_what_was_inserted_before_it(
    lines: list[list[int]], inserted: set[tuple[int, int]]
) -> None:
    source_map = json.dumps({"version": 3, "mappings": mappings_of(lines)}).encode()
    moved = json.loads(shifted(source_map, sorted(inserted), 13))["mappings"]
    expected = [
        [
            column + 13 * sum(1 for at, place in inserted if at == number and place <= column)
            for column in line
        ]
        for number, line in enumerate(lines)
    ]
    assert decoded(moved)[: len(lines)] == expected
    assert moved == mappings_of(expected)


@given(
    lines_of_columns,
    st.integers(0, 3),
    st.integers(0, 1_000),
    st.sets(st.tuples(st.integers(0, 6), st.integers(0, 2_000)), max_size=8),
)
def test_the_sections_of_an_index_map_move_as_one_map_would(
    lines: list[list[int]], line: int, column: int, inserted: set[tuple[int, int]]
) -> None:
    section = {
        "offset": {"line": line, "column": column},
        "map": {"version": 3, "mappings": mappings_of(lines)},
    }
    source_map = json.dumps({"version": 3, "sections": [section]}).encode()
    moved = json.loads(shifted(source_map, sorted(inserted), 13))["sections"][0]
    offset = moved["offset"]["column"]
    assert moved["offset"]["line"] == line
    for number, places in enumerate(decoded(moved["map"]["mappings"])[: len(lines)]):
        for before, after in zip(lines[number], places, strict=True):
            was, now = (column + before, offset + after) if number == 0 else (before, after)
            grown = sum(1 for at, place in inserted if at == line + number and place <= was)
            assert now == was + 13 * grown


def test_columns_count_utf_16_code_units_and_every_line_break() -> None:
    text = "a\r\nb\rc\u2028😀x\ny"
    assert columns(text, [text.index("x"), text.index("b"), len(text)]) == [(1, 0), (3, 2), (4, 1)]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"mappings": 1}',
        b'{"mappings": "g"}',
        b'{"mappings": "!"}',
        b"\xff",
        b'{"sections": [1]}',
    ],
)
def test_what_is_no_source_map_is_a_fault(content: bytes) -> None:
    with pytest.raises(MapFault):
        shifted(content, [(0, 0)], 13)


def test_a_map_may_begin_with_a_line_against_inclusion() -> None:
    assert shifted(b')]}\'{"version":3,"mappings":"AAAA"}', [(0, 0)], 1) == b'{"version":3,"mappings":"CAAA"}'


def test_a_map_within_the_file_moves_with_it() -> None:
    line = 'import "./a.js";x()'
    source_map = json.dumps({"version": 3, "mappings": mappings_of([[0, line.index("x")]])}).encode()
    comment = "\n//# sourceMappingURL=data:application/json;charset=utf-8;base64,"
    content = f"{line}{comment}{base64.b64encode(source_map).decode()}\n".encode()
    extraction = extract(Kind.SCRIPT, "app.js", content)
    now = rewritten(content, extraction, {"a.js": "3f2a9c1b0d4e"}).decode()
    code, _, inner = now.rstrip("\n").partition(comment)
    assert code == 'import "./a.3f2a9c1b0d4e.js";x()'
    assert decoded(json.loads(base64.b64decode(inner))["mappings"]) == [[0, code.index("x")]]


def test_a_broken_map_within_the_file_is_found_and_stays() -> None:
    content = b'import "./a.js"\n//# sourceMappingURL=data:application/json;base64,AAAA'
    extraction = extract(Kind.SCRIPT, "app.js", content)
    assert [finding.kind for finding in extraction.findings] == ["unreadable_map"]
    assert rewritten(content, extraction, {"a.js": "3f2a9c1b0d4e"}).endswith(b"base64,AAAA")


def test_many_insertions_into_long_lines_are_counted_once_each() -> None:
    """A step that looks at all of the line before it, or at all insertions, takes hours here."""
    text = "é" * 2_000_000
    inserted = columns(text, range(0, len(text), 20))
    assert inserted[-1] == (0, len(text) - 20)
    mappings = ",".join(["AAAA", *["IAAI"] * 300_000])
    moved = json.loads(shifted(json.dumps({"version": 3, "mappings": mappings}).encode(), inserted, 13))
    assert len(moved["mappings"]) >= len(mappings)
    sections = [{"offset": {"line": 0, "column": at}, "map": {"mappings": "AAAA"}} for at in range(30_000)]
    moved = json.loads(shifted(json.dumps({"version": 3, "sections": sections}).encode(), inserted, 13))
    assert moved["sections"][20]["offset"]["column"] == 20 + 2 * 13
