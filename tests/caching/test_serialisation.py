from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.caching.rules import Bypass, Example, Match, Policy, RuleContent
from apps.caching.serialisation import (
    ShapeFault,
    as_json,
    parse_bypass_conditions,
    parse_content,
    parse_examples,
    parse_match,
    parse_policy,
)

CONTENTS = st.builds(
    RuleContent,
    match=st.builds(Match),
    policy=st.builds(Policy),
    bypass_conditions=st.lists(st.builds(Bypass), max_size=3).map(tuple),
    examples=st.lists(st.builds(Example), max_size=3).map(tuple),
)


@given(CONTENTS)
def test_a_rule_survives_the_way_to_json_and_back(content: RuleContent) -> None:
    assert parse_content(as_json(content)) == content


def test_each_part_survives_by_itself() -> None:
    match, policy = Match(paths=("a/*",)), Policy(extra_headers=(("vary", "origin"),))
    assert parse_match(as_json(match)) == match
    assert parse_policy(as_json(policy)) == policy
    assert parse_bypass_conditions([]) == ()
    assert parse_examples([{"url": "/", "is_cached": True, "rule": "a"}]) == (Example("/", True, "a"),)


def test_what_is_left_out_takes_its_default() -> None:
    assert parse_match({}) == Match()
    assert parse_policy({}) == Policy()


def changed(content: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    *parents, last = path.split("/")
    target: Any = content
    for name in parents:
        target = target[int(name) if name.isdigit() else name]
    target[int(last) if last.isdigit() else last] = value
    return content


@pytest.mark.parametrize(
    ("path", "value", "field", "problem"),
    [
        ("colour", "red", "colour", "is not known"),
        ("name", 1, "name", "is not text"),
        ("order", "1", "order", "is not a whole number"),
        ("order", True, "order", "is not a whole number"),
        ("order", 1.5, "order", "is not a whole number"),
        ("match", [], "match", "is not an object"),
        ("match/path", "x", "match.path", "is not known; known are paths, "),
        ("match/paths", "css/*", "match.paths", "is not a list"),
        ("match/paths", [1], "match.paths[0]", "is not text"),
        ("match/is_fingerprinted", "yes", "match.is_fingerprinted", "is neither true nor false"),
        ("policy/visibility", "secret", "policy.visibility", "is none of public, private, no-store"),
        ("policy/is_immutable", None, "policy.is_immutable", "is neither true nor false"),
        ("policy/extra_headers", [["vary"]], "policy.extra_headers[0]", "is not a pair"),
        ("bypass_conditions/0/kind", "moon", "bypass_conditions[0].kind", "is none of query"),
        ("bypass_conditions", [{"kind": "query", "name": "a"}], "bypass_conditions[0].reason", "is missing"),
        ("examples/1", "/", "examples[1]", "is not an object"),
        ("examples/1/status", 200, "examples[1].status", "is not known"),
    ],
)
def test_a_wrong_shape_is_told_with_its_field(
    content: dict[str, Any], path: str, value: object, field: str, problem: str
) -> None:
    with pytest.raises(ShapeFault) as refusal:
        parse_content(changed(content, path, value))
    assert refusal.value.field == field
    assert refusal.value.problem.startswith(problem)


def test_a_missing_field_is_told(content: dict[str, Any]) -> None:
    del content["rollback_note"]
    with pytest.raises(ShapeFault, match="rollback_note is missing"):
        parse_content(content)


def test_something_that_is_no_object_is_told() -> None:
    with pytest.raises(ShapeFault, match="content is not an object"):
        parse_content(None)
