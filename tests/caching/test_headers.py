import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.caching.headers import (
    ALLOWED_EXTRA_HEADERS,
    HeaderCompiler,
    HeaderFault,
    cache_control,
    content_type,
    header_fault,
)
from apps.caching.rules import Match, Policy, Rule, Visibility

DAY, YEAR = 86_400, 31_536_000


def rule(slug: str, *, policy: Policy | None = None, version: int = 1, **match: object) -> Rule:
    return Rule(slug, version, Match(**match), policy or Policy(browser_ttl_seconds=60))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("policy", "value"),
    [
        (Policy(browser_ttl_seconds=YEAR, is_immutable=True), "public, max-age=31536000, immutable"),
        (Policy(browser_ttl_seconds=0, must_revalidate=True), "public, max-age=0, must-revalidate"),
        (Policy(browser_ttl_seconds=300, shared_ttl_seconds=3600), "public, max-age=300, s-maxage=3600"),
        (
            Policy(browser_ttl_seconds=300, stale_while_revalidate_seconds=60, stale_if_error_seconds=DAY),
            "public, max-age=300, stale-while-revalidate=60, stale-if-error=86400",
        ),
        (Policy(visibility=Visibility.PRIVATE, browser_ttl_seconds=60), "private, max-age=60"),
        (Policy(visibility=Visibility.PRIVATE), "private, no-cache"),
        (Policy(visibility=Visibility.NO_STORE, browser_ttl_seconds=60), "no-store"),
    ],
)
def test_cache_control_is_written_in_one_order(policy: Policy, value: str) -> None:
    assert cache_control(policy) == value


def test_without_any_ttl_nobody_is_left_to_guess_one() -> None:
    """RFC 9111 section 4.2.2: without a lifetime, caches may make one up."""
    assert cache_control(Policy()) == "no-cache"
    assert cache_control(Policy(shared_ttl_seconds=60)) == "public, max-age=0, s-maxage=60"


@pytest.mark.parametrize(
    ("media_type", "value"),
    [
        ("text/html", "text/html; charset=utf-8"),
        ("text/javascript", "text/javascript; charset=utf-8"),
        ("application/javascript", "application/javascript; charset=utf-8"),
        ("application/json", "application/json; charset=utf-8"),
        ("application/manifest+json", "application/manifest+json; charset=utf-8"),
        ("application/xml", "application/xml; charset=utf-8"),
        ("image/svg+xml", "image/svg+xml; charset=utf-8"),
        ("image/png", "image/png"),
        ("application/pdf", "application/pdf"),
        ("application/octet-stream", "application/octet-stream"),
    ],
)
def test_text_says_that_it_is_utf_8(media_type: str, value: str) -> None:
    assert content_type(media_type) == value


def headers_of(media_type: str, **policy: object) -> dict[str, str]:
    found = rule("only", policy=Policy(**policy))  # type: ignore[arg-type]
    return dict(HeaderCompiler([found]).header_set("a", media_type, 1).headers)


@pytest.mark.parametrize(
    "media_type",
    [
        "text/html",
        "application/xhtml+xml",
        "image/svg+xml",
        "text/xml",
        "application/rss+xml",
        "application/pdf",
    ],
)
def test_active_content_is_sandboxed_unless_it_is_trusted(media_type: str) -> None:
    assert headers_of(media_type)["content-security-policy"] == "sandbox"
    assert "content-security-policy" not in headers_of(media_type, is_trusted_active_content=True)


def test_what_a_browser_does_not_run_is_not_sandboxed() -> None:
    assert "content-security-policy" not in headers_of("image/png")


def test_a_rules_own_security_policy_is_added_to_the_sandbox_and_never_lifts_it() -> None:
    own = (("Content-Security-Policy", "default-src 'self'"),)
    assert headers_of("text/html", extra_headers=own)["content-security-policy"] == (
        "sandbox, default-src 'self'"
    )
    trusted = headers_of("text/html", extra_headers=own, is_trusted_active_content=True)
    assert trusted["content-security-policy"] == "default-src 'self'"


@pytest.mark.parametrize(
    ("own", "value"),
    [
        ("sandbox", "sandbox"),
        ("default-src 'self', Sandbox", "default-src 'self', Sandbox"),
        ("sandbox allow-scripts", "sandbox, sandbox allow-scripts"),
    ],
)
def test_a_sandbox_that_a_rule_writes_itself_counts_if_it_lets_nothing_through(own: str, value: str) -> None:
    said = headers_of("text/html", extra_headers=(("Content-Security-Policy", own),))
    assert said["content-security-policy"] == value


@pytest.mark.parametrize("media_type", ["text/html", "image/png", "application/octet-stream"])
def test_no_browser_guesses_a_type(media_type: str) -> None:
    assert headers_of(media_type)["x-content-type-options"] == "nosniff"


def test_the_headers_come_in_one_order_with_lower_case_names() -> None:
    extra = (("Access-Control-Allow-Origin", "*"), ("X-Robots-Tag", "noindex"))
    assert list(headers_of("text/html", extra_headers=extra)) == [
        "content-type",
        "cache-control",
        "x-content-type-options",
        "content-security-policy",
        "access-control-allow-origin",
        "x-robots-tag",
    ]


def test_caches_in_front_are_told_their_own_times_and_keys_in_headers_of_their_own() -> None:
    for_cdns = {"cdn_ttl_seconds": 3600, "stale_while_revalidate_seconds": 5, "stale_if_error_seconds": 7}
    said = headers_of("text/css", browser_ttl_seconds=60, surrogate_keys=("a", "b"), **for_cdns)
    assert said["cache-control"] == "public, max-age=60, stale-while-revalidate=5, stale-if-error=7"
    for name in ("cdn-cache-control", "surrogate-control"):
        assert said[name] == "max-age=3600, stale-while-revalidate=5, stale-if-error=7"
    assert (said["surrogate-key"], said["cache-tag"]) == ("a b", "a,b")
    assert headers_of("text/css", cdn_ttl_seconds=0)["cdn-cache-control"] == "max-age=0"
    for visibility in (Visibility.PRIVATE, Visibility.NO_STORE):
        said = headers_of("text/css", visibility=visibility, cdn_ttl_seconds=60)
        assert not {"cdn-cache-control", "surrogate-control", "surrogate-key", "cache-tag"} & said.keys()


@pytest.mark.parametrize(
    ("vary", "origin", "value"),
    [
        ((), "", None),
        ((), "*", None),
        ((), "https://example.com", "Origin"),
        (("Accept-Language", "Save-Data"), "*", "Accept-Language, Save-Data"),
        (("Accept-Language",), "https://example.com", "Accept-Language, Origin"),
        (("origin", "Save-Data"), "https://example.com", "Origin, Save-Data"),
    ],
)
def test_copies_are_kept_apart_by_what_the_answer_hangs_on(
    vary: tuple[str, ...], origin: str, value: str | None
) -> None:
    said = headers_of("text/css", vary=vary, allowed_origin=origin)
    assert said.get("vary") == value
    assert said.get("access-control-allow-origin", "") == origin


def test_what_a_cdn_has_to_do_is_said_where_it_reads_nothing_else() -> None:
    """RFC 9213 section 2.2: who reads the targeted field ignores Cache-Control and all that is in it."""
    said = headers_of("text/css", must_revalidate=True, forbids_transform=True, cdn_ttl_seconds=60)
    for name in ("cdn-cache-control", "surrogate-control"):
        assert said[name] == "max-age=60, must-revalidate, no-transform"


def test_a_field_and_an_extra_header_make_one_header_that_has_the_names_of_both() -> None:
    policy = Policy(
        vary=("Accept-Language",),
        surrogate_keys=("a",),
        allowed_origin="https://example.com",
        extra_headers=(
            ("Vary", "Save-Data,accept-language"),
            ("Surrogate-Key", "b  a A"),
            ("Cache-Tag", "b, a,A"),
            ("Access-Control-Allow-Origin", "https://other.example"),
        ),
    )
    headers = HeaderCompiler([rule("only", policy=policy)]).header_set("a", "text/css", 1).headers
    said = dict(headers)
    assert len(said) == len(headers)
    assert said["vary"] == "Accept-Language, Origin, Save-Data"
    assert (said["surrogate-key"], said["cache-tag"]) == ("a b A", "a,b,A")
    assert said["access-control-allow-origin"] == "https://other.example"


@pytest.mark.parametrize(("origin", "vary"), [("https://example.com", "Origin"), ("*", None)])
def test_an_origin_that_an_extra_header_names_keeps_copies_apart_too(origin: str, vary: str | None) -> None:
    said = headers_of("text/css", extra_headers=(("Access-Control-Allow-Origin", origin),))
    assert said.get("vary") == vary


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Robots-Tag", "noindex\r\nSet-Cookie: a=b"),
        ("X-Robots-Tag", "noindex\n"),
        ("X-Robots-Tag", "no\0index"),
        ("X-Robots-Tag", ""),
        ("X-Robots-Tag", " noindex"),
        ("X-Robots-Tag", "nö"),
        ("X-Robots-Tag\r\nA", "b"),
        ("X Robots", "a"),
        ("", "a"),
        ("Transfer-Encoding", "chunked"),
        ("Content-Length", "0"),
        ("Connection", "close"),
        ("Keep-Alive", "timeout=5"),
        ("Upgrade", "h2c"),
        ("Trailer", "etag"),
        ("TE", "trailers"),
        ("Proxy-Authenticate", "Basic"),
        ("Set-Cookie", "a=b"),
        ("Cache-Control", "no-store"),
        ("Content-Type", "text/html"),
        ("Content-Encoding", "gzip"),
        ("ETag", '"a"'),
        ("X-Content-Type-Options", "none"),
        ("X-Unheard-Of", "a"),
    ],
)
def test_a_header_that_could_break_the_answer_is_refused(name: str, value: str) -> None:
    assert header_fault(name, value)
    with pytest.raises(HeaderFault):
        HeaderCompiler([rule("bad", policy=Policy(extra_headers=((name, value),)))])


@given(st.text("a, \t\r\n\0\x7f\x85é", max_size=6))
def test_a_value_is_accepted_where_it_is_ascii_on_one_line_and_no_space_begins_or_ends_it(value: str) -> None:
    is_fine = bool(value) and value == value.strip() and set(value) <= set("a, \t")
    assert (header_fault("Vary", value) is None) is is_fine


@given(st.text() | st.sampled_from(["Vary", "LINK", "vary ", " vary", "vary\n", "set-cookie", "location"]))
def test_a_name_that_is_not_on_the_list_is_refused(name: str) -> None:
    assert (header_fault(name, "a") is None) is (name.lower() in ALLOWED_EXTRA_HEADERS)


def test_the_first_matching_rule_decides() -> None:
    css, rest = rule("css", extensions=("css",)), rule("rest")
    compiler = HeaderCompiler([css, rest])
    assert compiler.header_set("a.css", "text/css", 1).rule == "css"
    assert compiler.header_set("a.js", "text/javascript", 1).rule == "rest"
    assert HeaderCompiler([rest, css]).header_set("a.css", "text/css", 1).rule == "rest"


def test_a_file_without_a_rule_is_kept_by_nobody_without_asking_and_sandboxed() -> None:
    found = HeaderCompiler([]).header_set("a.html", "text/html", 1)
    assert (found.rule, found.rule_version) == ("", 0)
    assert dict(found.headers)["cache-control"] == "no-cache"
    assert dict(found.headers)["content-security-policy"] == "sandbox"


def test_files_of_one_rule_and_type_share_one_header_set() -> None:
    compiler = HeaderCompiler([rule("rest")])
    first = compiler.header_set("a.css", "text/css", 1)
    assert compiler.header_set("b.css", "text/css", 2) is first
    assert compiler.header_set("b.js", "text/javascript", 2) is not first


def test_a_header_sets_digest_covers_rule_version_and_headers() -> None:
    def digest(found: Rule) -> str:
        return HeaderCompiler([found]).header_set("a", "text/css", 1).digest

    digests = {
        digest(rule("a")),
        digest(rule("b")),
        digest(rule("a", version=2)),
        digest(rule("a", policy=Policy(browser_ttl_seconds=61))),
    }
    assert len(digests) == 4
    assert digest(rule("a")) == digest(rule("a", paths=("**",)))


def test_the_rules_digest_covers_every_rule_and_their_order() -> None:
    a, b = rule("a"), rule("b", paths=("**",))
    rule_sets = [[], [a], [b], [a, b], [b, a], [a, rule("b")], [a, rule("b", version=2)]]
    assert len({HeaderCompiler(rules).digest for rules in rule_sets}) == len(rule_sets)


def test_the_rules_digest_covers_the_tags_that_rules_ask_for() -> None:
    sale, sold = rule("a", tags=("sale",)), {"a.css": frozenset({"sale"})}
    assert HeaderCompiler([sale]).digest != HeaderCompiler([sale], tagged=sold).digest
    assert HeaderCompiler([rule("a")]).digest == HeaderCompiler([rule("a")], tagged=sold).digest
    other, both = {"b.css": frozenset({"sale"})}, {"b.css": frozenset({"sale"}), **sold}
    assert HeaderCompiler([sale], tagged=other).digest != HeaderCompiler([sale], tagged=sold).digest
    in_order, in_another = ({path: both[path] for path in paths} for paths in (sorted(both), both))
    assert HeaderCompiler([sale], tagged=in_order).digest == HeaderCompiler([sale], tagged=in_another).digest


def test_a_file_has_its_tags_by_its_fingerprinted_name_too() -> None:
    rules = [rule("a", tags=("sale",), is_fingerprinted=True)]
    compiler = HeaderCompiler(rules, tagged={"a.css": frozenset({"sale"})})
    assert compiler.header_set("a.css", "text/css", 1, name="a.3f2a9c41d07e.css").rule == "a"
    assert compiler.header_set("a.css", "text/css", 1).rule == ""
    assert compiler.header_set("a.3f2a9c41d07e.css", "text/css", 1).rule == ""


def test_digests_are_the_same_in_every_process() -> None:
    program = (
        "from apps.caching.headers import *; from apps.caching.rules import *; import json;"
        "c = HeaderCompiler([Rule('a', 1, Match(paths=('**',)), Policy(browser_ttl_seconds=60))]);"
        "print(json.dumps([c.digest, c.header_set('ö', 'text/css', 1).digest]))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    here = HeaderCompiler([rule("a", paths=("**",))])
    assert [json.loads(output) for output in outputs] == [
        [here.digest, here.header_set("ö", "text/css", 1).digest]
    ]
