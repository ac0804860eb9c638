"""Three-way merging of values, beside a naive reference: a table of everything that can be."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.releases.conflicts.merging import Clash, Outcome, clash_of, merge

VALUES = st.sampled_from([None, "a", "b", "c"])
SITES = st.dictionaries(st.sampled_from("pqrstu"), st.sampled_from("abc"))


def reference(base: str | None, ours: str | None, theirs: str | None) -> set[str | None]:
    """Return the values that could stand, as one would say it without thinking: those of who changed it."""
    changed = {value for value in (ours, theirs) if value != base}
    return changed or {base}


@pytest.mark.parametrize(("base", "ours", "theirs"), [*product([None, "a", "b", "c"], repeat=3)])
def test_every_three_values_come_out_as_the_reference_says(
    base: str | None, ours: str | None, theirs: str | None
) -> None:
    outcome = merge(base, ours, theirs)
    candidates = reference(base, ours, theirs)

    assert (outcome is Outcome.CONFLICT) == (len(candidates) == 2)
    if outcome is not Outcome.CONFLICT:
        assert {theirs if outcome is Outcome.THEIRS else ours} == candidates
    assert (outcome is Outcome.SAME) == (ours == theirs != base)


@given(SITES, SITES, SITES)
def test_a_whole_site_is_replayed_as_path_by_path(
    base: dict[str, str], ours: dict[str, str], theirs: dict[str, str]
) -> None:
    """Replaying what we changed on what is live gives what a merge of whole sites gives."""
    changes = {p: ours.get(p) for p in base.keys() | ours.keys() if ours.get(p) != base.get(p)}
    replayed: dict[str, object] = dict(theirs)
    for path, value in changes.items():
        outcome = merge(base.get(path), value, theirs.get(path))
        if outcome is Outcome.CONFLICT:
            replayed[path] = {value, theirs.get(path)}
        elif outcome is Outcome.OURS:
            replayed[path] = value

    for path in "pqrstu":
        candidates = reference(base.get(path), ours.get(path), theirs.get(path))
        expected = candidates if len(candidates) == 2 else candidates.pop()
        assert replayed.get(path) == expected


@given(VALUES, VALUES, VALUES)
def test_both_sides_see_the_same_conflicts(base: str | None, ours: str | None, theirs: str | None) -> None:
    assert (merge(base, ours, theirs) is Outcome.CONFLICT) == (merge(base, theirs, ours) is Outcome.CONFLICT)


@pytest.mark.parametrize(
    ("values", "clash"),
    [
        (("a", "b", "c"), Clash.BOTH_CHANGED),
        ((None, "b", "c"), Clash.BOTH_ADDED),
        (("a", "b", None), Clash.CHANGED_AND_REMOVED),
        (("a", None, "c"), Clash.REMOVED_AND_CHANGED),
    ],
)
def test_a_conflict_says_of_which_kind_it_is(values: tuple[str | None, ...], clash: Clash) -> None:
    assert clash_of(*values) is clash
