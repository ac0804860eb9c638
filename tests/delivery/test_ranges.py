"""Ranges, by properties: whatever is asked, what is sent lies within the file and is not more than it."""

from hypothesis import given
from hypothesis import strategies as st

from apps.delivery.ranges import MOST_RANGES, Span, Unsatisfiable, parse_range

positions = st.integers(0, 40)
specs = st.one_of(
    st.tuples(positions, positions).map(lambda pair: f"{min(pair)}-{max(pair)}"),
    positions.map(lambda first: f"{first}-"),
    positions.map(lambda length: f"-{length}"),
)
sizes = st.integers(0, 30)


def meant(spec: str, size: int) -> range:
    """What one range means, written as the RFC says it: the bytes at these positions."""
    first, _, last = spec.partition("-")
    every = range(size)
    if not first:
        return every[-int(last) :] if int(last) else every[:0]
    return every[int(first) : int(last) + 1] if last else every[int(first) :]


@given(st.lists(specs, min_size=1, max_size=20), sizes)
def test_14_1_2_what_is_sent_is_what_each_range_means(asked: list[str], size: int) -> None:
    wanted = [found for spec in asked if (found := meant(spec, size))]
    try:
        spans = parse_range("bytes=" + ", ".join(asked), size)
    except Unsatisfiable:
        assert not wanted
        assert len(asked) <= MOST_RANGES
        return
    if spans is None:
        too_much = sum(map(len, wanted)) > size
        end_of_nothing = size == 0 and any(spec.startswith("-") for spec in asked)
        assert too_much or end_of_nothing or len(asked) > MOST_RANGES
    else:
        assert [range(span.start, span.end) for span in spans] == wanted


@given(st.text(max_size=30) | st.text("01234-, \t", max_size=12), sizes)
def test_any_words_are_decided_about(value: str, size: int) -> None:
    for header in (value, f"bytes={value}"):
        try:
            spans = parse_range(header, size)
        except Unsatisfiable:
            continue
        assert spans is None or all(0 <= span.start < span.end <= size for span in spans)


def test_a_position_may_have_more_digits_than_anybody_has_bytes() -> None:
    assert parse_range(f"bytes=5-{'9' * 5000}", 10) == [Span(5, 10)]
    assert parse_range(f"bytes=-{'9' * 5000}", 10) == [Span(0, 10)]
