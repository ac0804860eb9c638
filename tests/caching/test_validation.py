from dataclasses import replace
from typing import Any

import pytest

from apps.caching.defaults import DEFAULT_RULES
from apps.caching.rules import Bypass, BypassKind, Example, Match, Policy, RuleContent, Visibility
from apps.caching.validation import content_faults
from apps.tag_names import MAX_TAGS

GOOD = DEFAULT_RULES["everything"]
SHOWN = GOOD.examples[0]


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
        ({"match": Match(folders=("a", ""))}, "match.folders[1]"),
        ({"match": Match(folders=("/a",))}, "match.folders[0]"),
        ({"match": Match(folders=("a/",))}, "match.folders[0]"),
        ({"match": Match(folders=("a\nb",))}, "match.folders[0]"),
        ({"match": Match(folders=("a" * 201,))}, "match.folders[0]"),
        ({"match": Match(folders=("a",) * 101)}, "match.folders"),
        ({"match": Match(expressions=("a", ""))}, "match.expressions[1]"),
        ({"match": Match(expressions=("a\nb",))}, "match.expressions[0]"),
        ({"match": Match(expressions=("a" * 201,))}, "match.expressions[0]"),
        ({"match": Match(expressions=(r"(a)\1",))}, "match.expressions[0]"),
        ({"match": Match(expressions=("(?:a{1000}){1000}",))}, "match.expressions[0]"),
        ({"match": Match(expressions=("a",) * 21)}, "match.expressions"),
        ({"match": Match(tags=("a", "a,b"))}, "match.tags[1]"),
        ({"match": Match(tags=("a",) * (MAX_TAGS + 1))}, "match.tags"),
        ({"match": Match(min_size_bytes=-1)}, "match.min_size_bytes"),
        ({"match": Match(min_size_bytes=2**63)}, "match.min_size_bytes"),
        ({"match": Match(max_size_bytes=2**63)}, "match.max_size_bytes"),
        ({"examples": (replace(SHOWN, size_bytes=-1),)}, "examples[0].size_bytes"),
        ({"examples": (replace(SHOWN, size_bytes=2**63),)}, "examples[0].size_bytes"),
        ({"examples": (replace(SHOWN, browser_ttl_seconds=-1),)}, "examples[0].browser_ttl_seconds"),
        ({"examples": (replace(SHOWN, shared_ttl_seconds=2**31),)}, "examples[0].shared_ttl_seconds"),
        ({"policy": Policy(surrogate_keys=("k" * 99,) * 41)}, "policy.surrogate_keys"),
        ({"policy": Policy(vary=("v" * 99,) * 41)}, "policy.vary"),
        ({"policy": Policy(extra_headers=(("Link", "l" * 3_994),))}, "policy.extra_headers"),
        ({"match": Match(max_size_bytes=-1)}, "match.max_size_bytes"),
        ({"match": Match(min_size_bytes=10, max_size_bytes=9)}, "match.max_size_bytes"),
        ({"bypass_conditions": (Bypass(BypassKind.QUERY, "", "why"),)}, "bypass_conditions[0].name"),
        ({"bypass_conditions": (Bypass(BypassKind.COOKIE, "a b", "why"),)}, "bypass_conditions[0].name"),
        ({"bypass_conditions": (Bypass(BypassKind.QUERY, "a", " "),)}, "bypass_conditions[0].reason"),
        ({"description": "a\0b"}, "description"),
        ({"bypass_conditions": (Bypass(BypassKind.QUERY, "a", "\ud800"),)}, "bypass_conditions[0].reason"),
        (
            {"examples": (*GOOD.examples, Example("/", is_cached=False, rule="", tags=("a,b",)))},
            "examples[{}].tags[0]",
        ),
        ({"examples": ()}, "examples"),
        ({"examples": (Example("/", is_cached=False, rule="pages"),)}, "examples"),
    ],
)
def test_a_fault_is_told_at_its_field(fields: dict[str, Any], field: str) -> None:
    assert faulty_fields(replace(GOOD, **fields)) == {field.format(len(GOOD.examples))}


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "x" * 120, "order": 0},
        {"order": 32_767},
        {"match": Match(paths=("a" * 200,) * 100, folders=("a" * 200,) * 100, expressions=("a" * 200,) * 20)},
        {"match": Match(media_types=("text/*", "image/svg+xml"), extensions=("tar.gz",))},
        {"match": Match(min_size_bytes=2**63 - 1)},
        {"policy": Policy(extra_headers=(("Link", "l" * 3_993),))},
        {"match": Match(tags=("a",) * MAX_TAGS, min_size_bytes=0, max_size_bytes=0)},
        {"policy": Policy(browser_ttl_seconds=0, shared_ttl_seconds=2**31 - 1, cdn_ttl_seconds=0)},
        {"policy": Policy(browser_ttl_seconds=1, is_immutable=True, must_revalidate=True)},
        {"policy": Policy(visibility=Visibility.PRIVATE, browser_ttl_seconds=1)},
        {"policy": Policy(visibility=Visibility.NO_STORE, surrogate_keys=("k" * 128,), vary=("X-A", "X-B"))},
        {"policy": Policy(allowed_origin="*", extra_headers=(("Link", "</a>"),))},
        {"policy": Policy(allowed_origin="http://www.example.com:1")},
        {"bypass_conditions": (Bypass(BypassKind.PREVIEW, "", "why"),)},
        {"examples": (Example("http://h/a", is_cached=True, rule="everything"),)},
    ],
)
def test_what_is_just_within_a_bound_is_no_fault(fields: dict[str, Any]) -> None:
    assert faulty_fields(replace(GOOD, **fields)) == set()


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
        (Policy(stale_while_revalidate_seconds=-1), "policy.stale_while_revalidate_seconds"),
        (Policy(cdn_ttl_seconds=-1), "policy.cdn_ttl_seconds"),
        (Policy(visibility=Visibility.NO_STORE, is_immutable=True), "policy.is_immutable"),
        (Policy(visibility=Visibility.NO_STORE, browser_ttl_seconds=1), "policy.browser_ttl_seconds"),
        (Policy(visibility=Visibility.NO_STORE, shared_ttl_seconds=0), "policy.shared_ttl_seconds"),
        (Policy(visibility=Visibility.NO_STORE, cdn_ttl_seconds=0), "policy.cdn_ttl_seconds"),
        (Policy(is_immutable=True), "policy.is_immutable"),
        (Policy(is_immutable=True, browser_ttl_seconds=0), "policy.is_immutable"),
        (Policy(visibility=Visibility.PRIVATE, shared_ttl_seconds=0), "policy.shared_ttl_seconds"),
        (Policy(visibility=Visibility.PRIVATE, cdn_ttl_seconds=0), "policy.cdn_ttl_seconds"),
        (Policy(must_revalidate=True, stale_if_error_seconds=60), "policy.must_revalidate"),
        (Policy(must_revalidate=True, stale_while_revalidate_seconds=60), "policy.must_revalidate"),
        (Policy(extra_headers=(("X-Robots-Tag", "a\r\nb: c"),)), "policy.extra_headers[0]"),
        (Policy(extra_headers=(("vary", "a"), ("Vary", "b"))), "policy.extra_headers[1]"),
        (Policy(vary=("X-A",), extra_headers=(("Vary", "b"),)), "policy.extra_headers[0]"),
        (Policy(surrogate_keys=("a",), extra_headers=(("Surrogate-Key", "b"),)), "policy.extra_headers[0]"),
        (Policy(surrogate_keys=("a",), extra_headers=(("Cache-Tag", "b"),)), "policy.extra_headers[0]"),
        (
            Policy(allowed_origin="*", extra_headers=(("Access-Control-Allow-Origin", "*"),)),
            "policy.extra_headers[0]",
        ),
        (Policy(vary=("X-A", "*")), "policy.vary[1]"),
        (Policy(extra_headers=(("Vary", "Origin, *"),)), "policy.extra_headers[0]"),
        (Policy(extra_headers=(("vary", "cookie"),)), "policy.extra_headers[0]"),
        (Policy(vary=("X A",)), "policy.vary[0]"),
        (Policy(vary=("Cookie",)), "policy.vary[0]"),
        (Policy(surrogate_keys=("a", "a b")), "policy.surrogate_keys[1]"),
        (Policy(surrogate_keys=("k" * 129,)), "policy.surrogate_keys[0]"),
        *(
            (Policy(allowed_origin=origin), "policy.allowed_origin")
            for origin in (
                "example.com",
                "https://",
                "ftp://a",
                "https://a/",
                "https://a?b",
                "https://u@a",
                "https://é.example",
                "https://a b",
                "https://a\x7fb",
                "https://a:0",
                "https://a:65536",
                "https://a\n",
                "null",
            )
        ),
    ],
)
def test_a_policy_that_contradicts_itself_is_told_at_its_field(policy: Policy, field: str) -> None:
    assert faulty_fields(replace(GOOD, policy=policy)) == {field}


def test_all_faults_are_told_at_once() -> None:
    content = replace(GOOD, name="", order=-1, policy=Policy(is_immutable=True))
    assert faulty_fields(content) == {"name", "order", "policy.is_immutable"}
