"""Preconditions, by properties: what RFC 9110 section 13 says of any tags and dates."""

from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.delivery.preconditions import Outcome, Validators, evaluate, if_range_holds, parse_date

RELEASED, SWITCHED = 1_790_000_000, 1_790_003_600
ROLLED_BACK = Validators('"aa"', RELEASED, SWITCHED)

tags = st.sampled_from(['"aa"', '"bb"', '"a,b"', '""'])
elements = st.tuples(st.booleans(), tags)
lists = st.lists(elements, min_size=1, max_size=5)
separators = st.sampled_from([",", ", ", " ,", ",,", " , , "])
seconds = st.integers(0, 4_000_000_000)


def written(elements: list[tuple[bool, str]], separator: str) -> str:
    return separator.join(("W/" if weak else "") + tag for weak, tag in elements)


@given(lists, separators)
def test_if_none_match_holds_for_every_tag_but_those_listed(
    listed: list[tuple[bool, str]], separator: str
) -> None:
    outcome = evaluate({"if-none-match": written(listed, separator)}, ROLLED_BACK)
    assert (outcome is Outcome.NOT_MODIFIED) == any(tag == '"aa"' for _, tag in listed)


@given(lists, separators)
def test_if_match_holds_for_strong_tags_that_are_listed(
    listed: list[tuple[bool, str]], separator: str
) -> None:
    outcome = evaluate({"if-match": written(listed, separator)}, ROLLED_BACK)
    assert (outcome is Outcome.PROCEED) == ((False, '"aa"') in listed)


@given(st.text(max_size=40), st.sampled_from(["if-match", "if-none-match", "if-modified-since", "if-range"]))
def test_any_words_are_decided_about(value: str, name: str) -> None:
    assert evaluate({name: value}, ROLLED_BACK) in Outcome
    assert if_range_holds(value, ROLLED_BACK, now=SWITCHED) in (True, False)


@given(seconds)
def test_a_date_proves_the_content_only_if_it_was_sent_or_is_from_after_the_switch(moment: int) -> None:
    is_proof = moment == RELEASED or moment >= SWITCHED
    date = formatdate(moment, usegmt=True)
    assert (evaluate({"if-modified-since": date}, ROLLED_BACK) is Outcome.NOT_MODIFIED) == is_proof
    assert (evaluate({"if-unmodified-since": date}, ROLLED_BACK) is Outcome.PROCEED) == is_proof


@given(seconds)
def test_5_6_7_a_date_is_read_in_each_of_its_three_forms(moment: int) -> None:
    date = datetime.fromtimestamp(moment, UTC)
    month = formatdate(moment, usegmt=True)[8:11]
    day, weekday = formatdate(moment)[:3], ("Mon", "Tues", "Wednes", "Thurs", "Fri", "Satur", "Sun")
    assert parse_date(formatdate(moment, usegmt=True)) == moment
    assert parse_date(f"{day} {month} {date.day:2d} {date:%H:%M:%S} {date.year}") == moment
    if date.year < 2070:
        two_digits = f"{date.day:02d}-{month}-{date:%y %H:%M:%S} GMT"
        assert parse_date(f"{weekday[date.weekday()]}day, {two_digits}") == moment


@pytest.mark.parametrize(
    "value",
    [
        "Mon, 31 Feb 2026 00:00:00 GMT",
        "Mon, 01 Jan 2026 25:00:00 GMT",
        "Mon, 01 Jan 2026 00:00:00 +0100",
        "mon, 01 jan 2026 00:00:00 gmt",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 0000 00:00:00 GMT",
    ],
)
def test_5_6_7_what_is_no_date_is_none(value: str) -> None:
    assert parse_date(value) is None


def test_8_8_2_2_a_date_is_no_proof_within_its_own_second() -> None:
    date = formatdate(RELEASED, usegmt=True)
    assert not if_range_holds(date, ROLLED_BACK, now=RELEASED + 1)
    assert if_range_holds(date, ROLLED_BACK, now=RELEASED + 2)
