from dataclasses import replace
from typing import Any

import pytest

from apps.caching.defaults import DEFAULT_RULES
from apps.caching.rules import Bypass, BypassKind, Example, Match, Policy, RuleContent, Visibility
from apps.caching.validation import content_faults

GOOD = DEFAULT_RULES["everything"]


def faulty_fields(content: RuleContent) -> set[str]:
    faults = content_faults("everything", content)
    for fault in faults:
        assert fault.message[0].isupper()
        assert fault.message.endswith(".")
    return {fault.field for fault in faults}


def test_the_shipped_rules_have_no_fault() -> None:
    for slug, content in DEFAULT_RULES.items():
        assert content_faults(slug, content) == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"expected_result": ""}, "expected_result"),
        ({"rollback_note": "\n"}, "rollback_note"),
        ({"order": -1}, "order"),
        ({"order": 32_768}, "order"),
        ({"match": Match(paths=("/css/**",))}, "match.paths[0]"),
        ({"match": Match(paths=("a", ""))}, "match.paths[1]"),
        ({"match": Match(paths=("a\nb",))}, "match.paths[0]"),
        ({"match": Match(paths=("a" * 201,))}, "match.paths[0]"),
        ({"match": Match(paths=("a",) * 101)}, "match.paths"),
        ({"match": Match(media_types=("html",))}, "match.media_types[0]"),
        ({"match": Match(media_types=("*/*",))}, "match.media_types[0]"),
        ({"match": Match(extensions=(".css",))}, "match.extensions[0]"),
        ({"match": Match(min_size_bytes=-1)}, "match.min_size_bytes"),
        ({"match": Match(min_size_bytes=10, max_size_bytes=9)}, "match.max_size_bytes"),
        ({"bypass_conditions": (Bypass(BypassKind.QUERY, "", "why"),)}, "bypass_conditions[0].name"),
        ({"bypass_conditions": (Bypass(BypassKind.COOKIE, "a b", "why"),)}, "bypass_conditions[0].name"),
        ({"bypass_conditions": (Bypass(BypassKind.QUERY, "a", " "),)}, "bypass_conditions[0].reason"),
        ({"examples": ()}, "examples"),
        ({"examples": (Example("/", is_cached=False, rule="pages"),)}, "examples"),
    ],
)
def test_a_fault_is_told_at_its_field(fields: dict[str, Any], field: str) -> None:
    assert faulty_fields(replace(GOOD, **fields)) == {field}


@pytest.mark.parametrize(
    "url", ["", "css/app.css", "//host/a", "ftp://host/a", "http:///a", "http://[/", "/a\nb", "javascript:x"]
)
def test_an_example_needs_a_url(url: str) -> None:
    examples = (*GOOD.examples, Example(url, is_cached=True, rule="everything"))
    assert faulty_fields(replace(GOOD, examples=examples)) == {f"examples[{len(GOOD.examples)}].url"}


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        (Policy(browser_ttl_seconds=-1), "policy.browser_ttl_seconds"),
        (Policy(browser_ttl_seconds=2**31), "policy.browser_ttl_seconds"),
        (Policy(browser_ttl_seconds=1, shared_ttl_seconds=-1), "policy.shared_ttl_seconds"),
        (Policy(stale_if_error_seconds=-1), "policy.stale_if_error_seconds"),
        (Policy(visibility=Visibility.NO_STORE, is_immutable=True), "policy.is_immutable"),
        (Policy(visibility=Visibility.NO_STORE, browser_ttl_seconds=1), "policy.browser_ttl_seconds"),
        (Policy(is_immutable=True), "policy.is_immutable"),
        (Policy(is_immutable=True, browser_ttl_seconds=0), "policy.is_immutable"),
        (Policy(visibility=Visibility.PRIVATE, shared_ttl_seconds=1), "policy.shared_ttl_seconds"),
        (Policy(must_revalidate=True, stale_if_error_seconds=60), "policy.must_revalidate"),
        (Policy(must_revalidate=True, stale_while_revalidate_seconds=60), "policy.must_revalidate"),
        (Policy(extra_headers=(("X-Robots-Tag", "a\r\nb: c"),)), "policy.extra_headers[0]"),
        (Policy(extra_headers=(("vary", "a"), ("Vary", "b"))), "policy.extra_headers[1]"),
    ],
)
def test_a_policy_that_contradicts_itself_is_told_at_its_field(policy: Policy, field: str) -> None:
    assert faulty_fields(replace(GOOD, policy=policy)) == {field}


def test_all_faults_are_told_at_once() -> None:
    content = replace(GOOD, name="", order=-1, policy=Policy(is_immutable=True))
    assert faulty_fields(content) == {"name", "order", "policy.is_immutable"}
