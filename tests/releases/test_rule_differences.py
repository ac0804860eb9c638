"""What the rules of two releases differ in, in words and as commands print it."""

from typing import Any

import pytest

from apps.assets.selectors import TagDifference
from apps.caching.models import CacheRuleVersion
from apps.caching.rules import Combination
from apps.releases.comparing.rules import (
    NO_DIFFERENCE,
    CombinationChange,
    RuleChange,
    RulesDifference,
    combination_change,
    rule_changes,
    rules_report,
)

MERGED = CombinationChange(Combination.FIRST, Combination.MERGE)
RULES = (RuleChange(1, "Pages", 1, 2), RuleChange(2, "Fonts", 3, None), RuleChange(4, "Icons", None, 1))
TAGS = {"sale": TagDifference(2, 1)}


def version(rule: int, number: int, name: str) -> CacheRuleVersion:
    return CacheRuleVersion(rule_id=rule, number=number, name=name)


def test_a_rule_is_changed_added_or_left_out_and_called_by_its_last_name() -> None:
    old = [version(3, 4, "Rest"), version(1, 1, "HTML"), version(2, 3, "Fonts")]
    new = [version(4, 1, "Icons"), version(1, 2, "Pages"), version(3, 4, "Rest")]
    assert tuple(rule_changes(old, new)) == RULES
    assert list(rule_changes(new, new)) == []


def test_how_rules_combine_changes_or_not() -> None:
    assert combination_change(Combination.FIRST, Combination.MERGE) == MERGED
    assert combination_change(Combination.MERGE, Combination.MERGE) is None


def test_each_difference_is_one_line() -> None:
    assert RulesDifference(RULES, MERGED, TAGS).words == [
        "Pages: version 2 instead of 1",
        "Fonts: version 3 does not apply any more",
        "Icons: version 1 applies as well",
        MERGED.words,
        "The tag sale: 2 files more, 1 fewer",
    ]
    assert MERGED.words == (
        "Where several rules match a file: “all are merged” instead of “the first decides”"
    )


@pytest.mark.parametrize(
    ("more", "fewer", "words"),
    [
        (1, 0, "1 file more"),
        (2_000, 0, "2,000 files more"),
        (0, 1, "1 file fewer"),
        (0, 2_000, "2,000 files fewer"),
        (1, 2_000, "1 file more, 2,000 fewer"),
    ],
)
def test_files_that_carry_a_tag_are_counted(more: int, fewer: int, words: str) -> None:
    difference = RulesDifference((), None, {"b": TagDifference(more, fewer), "a": TagDifference(1, 0)})
    assert difference.tag_words == ["The tag a: 1 file more", f"The tag b: {words}"]


@pytest.mark.parametrize(
    ("difference", "is_one"),
    [
        (NO_DIFFERENCE, False),
        (RulesDifference(RULES, None, {}), True),
        (RulesDifference((), MERGED, {}), True),
        (RulesDifference((), None, TAGS), True),
    ],
)
def test_one_kind_is_a_difference(difference: RulesDifference, is_one: bool) -> None:
    assert bool(difference) is is_one


def test_programs_get_numbers() -> None:
    report: Any = rules_report(RulesDifference(RULES[:1], MERGED, TAGS))
    assert report == {
        "rules": [{"rule": "Pages", "before": 1, "after": 2}],
        "rule_combination": {"before": "first", "after": "merge"},
        "tags": {"sale": {"more": 2, "fewer": 1}},
    }
    assert rules_report(NO_DIFFERENCE) == {"rules": [], "rule_combination": None, "tags": {}}
