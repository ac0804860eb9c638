from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.audit.chain import GENESIS, entry_hash
from apps.audit.models import AuditEntry

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
details = st.dictionaries(
    text,
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | text,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)
moments = st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds it


@st.composite
def entries(draw: st.DrawFn) -> AuditEntry:
    return AuditEntry(
        sequence=draw(st.integers(1, 2**31)),
        at=draw(moments),
        actor_id=draw(st.none() | st.integers(1, 1000)),
        actor_name=draw(text),
        action=draw(text),
        target=draw(text),
        summary=draw(text),
        details=draw(details),
        previous_hash=GENESIS,
    )


@given(entries())
def test_a_hash_is_64_hex_digits_and_the_same_each_time(entry: AuditEntry) -> None:
    assert entry_hash(entry) == entry_hash(entry)
    assert len(bytes.fromhex(entry_hash(entry))) == 32


@given(entries(), st.sampled_from(["actor_name", "action", "target", "summary", "previous_hash"]))
def test_every_word_counts(entry: AuditEntry, field: str) -> None:
    before = entry_hash(entry)
    setattr(entry, field, getattr(entry, field) + "x")
    assert entry_hash(entry) != before


@given(entries())
def test_words_cannot_move_from_one_field_to_the_next(entry: AuditEntry) -> None:
    entry.action, entry.target = "ab", "c"
    before = entry_hash(entry)
    entry.action, entry.target = "a", "bc"
    assert entry_hash(entry) != before


@given(entries(), st.integers(-14, 14))
def test_the_time_zone_in_which_a_moment_is_written_does_not_count(entry: AuditEntry, hours: int) -> None:
    before = entry_hash(entry)
    entry.at = entry.at.astimezone(timezone(timedelta(hours=hours)))
    assert entry_hash(entry) == before


@given(entries())
def test_the_order_of_keys_does_not_count(entry: AuditEntry) -> None:
    before = entry_hash(entry)
    entry.details = dict(reversed(entry.details.items()))
    assert entry_hash(entry) == before


@pytest.mark.parametrize("value", [1.5, [1e16], {"inner": [{"deep": -0.0}]}])
def test_floats_which_a_database_may_rewrite_are_refused(value: object) -> None:
    entry = AuditEntry(sequence=1, at=datetime.now(UTC), details={"seconds": value}, previous_hash=GENESIS)
    with pytest.raises(TypeError, match="no floats"):
        entry_hash(entry)
