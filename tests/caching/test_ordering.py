"""A rule that is moved gets a number between its neighbours, and the fewest others get another one."""

from collections.abc import Mapping
from itertools import combinations, pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.caching.ordering import MOST, moved, neighbours, number_before

SHIPPED = {"pages": 100, "fingerprinted": 200, "everything": 900}


@pytest.mark.parametrize(
    ("orders", "slug", "before", "changed"),
    [
        (SHIPPED, "everything", "fingerprinted", {"everything": 150}),
        (SHIPPED, "everything", "pages", {"everything": 50}),
        (SHIPPED, "pages", "", {"pages": 1000}),
        (SHIPPED, "pages", "fingerprinted", {}),
        (SHIPPED, "pages", "pages", {}),
        ({"a": 100, "b": 101, "c": 900}, "c", "b", {"c": 100}),
        ({"a": 7, "b": 7, "c": 9}, "c", "b", {"b": 109}),
        ({"a": 7, "b": 7, "c": 9, "d": 9}, "d", "b", {"d": 7, "b": 8}),
        ({"a": 0, "b": 500}, "b", "a", {"a": 600}),
        ({"a": 1, "b": MOST}, "a", "", {"b": 0}),
        ({"a": 1, "b": MOST - 1}, "a", "", {"a": MOST}),
    ],
)
def test_only_what_has_to_make_room_gets_another_number(
    orders: dict[str, int], slug: str, before: str, changed: dict[str, int]
) -> None:
    found = moved(orders, slug, before)
    assert {each: number for each, number in found.items() if number != orders[each]} == changed


def test_in_a_crowd_only_the_nearest_is_numbered_anew() -> None:
    crowd = {f"r{number:03}{letter}": number for number in range(1, 200) for letter in "ab"}
    assert moved(crowd | {"z": 900}, "z", "r003b") == crowd | {"z": 3, "r003b": 4}


sets = st.dictionaries(st.sampled_from("abcde"), st.integers(0, 3), min_size=2, max_size=5)


@given(orders=sets, data=st.data())
def test_the_order_is_the_wanted_one_with_the_fewest_numbers_changed(
    orders: dict[str, int], data: st.DataObject
) -> None:
    slug = data.draw(st.sampled_from(sorted(orders)))
    before = data.draw(st.sampled_from(["", *sorted(orders)]))
    found = moved(orders, slug, before)

    wanted = in_order(orders)
    if slug != before:
        wanted.remove(slug)
        wanted.insert(wanted.index(before) if before else len(wanted), slug)
    assert in_order(found) == wanted
    assert all(0 <= number <= MOST for number in found.values())
    assert sum(found[each] != orders[each] for each in orders) == fewest(orders, wanted)


def in_order(orders: Mapping[str, int]) -> list[str]:
    return sorted(orders, key=lambda each: (orders[each], each))


def fewest(orders: Mapping[str, int], wanted: list[str]) -> int:
    """Try every choice of rules to number anew, the smallest first, and every number for them."""
    highest = max(orders.values()) + len(wanted)
    for count in range(len(wanted) + 1):
        for chosen in combinations(wanted, count):
            for numbers in product(range(highest + 1), repeat=count):
                tried = {**orders, **dict(zip(chosen, numbers, strict=True))}
                if all((tried[a], a) < (tried[b], b) for a, b in pairwise(wanted)):
                    return count
    raise AssertionError("numbers suffice for every order")


@pytest.mark.parametrize(
    ("orders", "before", "number"),
    [
        (SHIPPED, "everything", 300),
        (SHIPPED, "", 1000),
        ({"a": 100, "b": 110}, "b", 105),
        ({"a": 100, "b": 101}, "b", 100),
        ({"a": 0}, "a", 0),
        ({"a": MOST}, "", MOST),
        ({}, "", 100),
    ],
)
def test_a_new_rule_gets_a_number_right_before_another_or_the_last(
    orders: dict[str, int], before: str, number: int
) -> None:
    assert number_before(orders, before) == number


def test_equal_numbers_are_tried_by_name() -> None:
    orders = {"a": 1, "c": 1, "d": 2}
    assert neighbours(orders, "b", 1) == ("a", "c")
    assert neighbours(orders, "c", 3) == ("d", "")
    assert neighbours({}, "b", 1) == ("", "")
