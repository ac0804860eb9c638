"""The rules as configuration: never less than a rule says, and nothing but what it says."""

import re
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.caching.defaults import DEFAULT_RULES
from apps.caching.exports.addresses import CANONICAL, FILE, cookie, host_below, parameter, scope_of
from apps.caching.exports.headers_file import headers_file
from apps.caching.exports.placement import Placement
from apps.caching.exports.source import NamedRule, RuleSet, Unsayable, description
from apps.caching.exports.targets import TARGETS
from apps.caching.matching import matches
from apps.caching.rules import Bypass, BypassKind, Combination, HeaderSet, Match, Policy, Rule
from assetsite.settings import BASE_DIR

EVIL = "x\n}\r\u2028*/ /* \"'; {% include 1 %} {{ y }} {# w #} ${z} %{w} \x1b[0m # \\"
SHIPPED = RuleSet(
    tuple(
        NamedRule(
            Rule(slug, 1, content.match, content.policy, content.bypass_conditions), content.name, "admin"
        )
        for slug, content in DEFAULT_RULES.items()
    ),
    Combination.FIRST,
    "preview.localhost",
    "a new site",
)
segments = st.text(st.sampled_from("ab.%-é *?#"), min_size=1, max_size=4).filter(
    lambda one: one not in (".", "..")
)
paths = st.lists(segments, min_size=1, max_size=3).map("/".join)
pieces = st.lists(st.sampled_from(["**", "*", "?", "as it is"]), min_size=3, max_size=3)


def with_rule(match: Match, *bypass: Bypass, name: str = "Name", owner: str = "ann") -> RuleSet:
    named = NamedRule(Rule("odd", 3, match, Policy(browser_ttl_seconds=60), bypass), name, owner)
    return replace(SHIPPED, rules=(named, *SHIPPED.rules))


def sent(path: str) -> str:
    """Return a path as this origin writes it."""
    return "/" + quote(path, safe="/:@!$&'()*+,;=~")


def glob_of(path: str, pieces: Sequence[str]) -> str:
    """Return a glob that fits `path`, with what `pieces` say in place of each of its segments."""
    return "/".join(
        {"?": "?" * len(segment), "as it is": segment}.get(piece, piece)
        for segment, piece in zip(path.split("/"), pieces, strict=False)
    )


@given(path=paths, pieces=pieces)
def test_no_address_that_a_rule_matches_is_outside_its_scope(path: str, pieces: list[str]) -> None:
    glob, folder = glob_of(path, pieces), path.partition("/")[0]
    for match, file in (
        (Match(paths=(glob,)), path),
        (Match(paths=(f"{glob}*", "x")), path),
        (Match(paths=(f"**/{glob}",)), path),
        (Match(paths=(f"{folder}?{glob}",)), f"{folder}.{path}"),
        (Match(folders=(folder,)), f"{folder}/{path}"),
        (Match(extensions=("x", "B-.a")), f"{path}.b-.A"),
        (
            Match(paths=("**/*",), folders=(folder,), extensions=("b",), media_types=("text/css",)),
            f"{folder}/{path}.b",
        ),
    ):
        assert matches(match, file, "text/css", 1), (match, file)
        assert re.search(scope_of(match).expression, sent(file)), (match, file)


@given(path=paths)
def test_every_path_has_a_spelling_that_is_kept(path: str) -> None:
    assert re.fullmatch(CANONICAL, sent(path))


@pytest.mark.parametrize(
    ("match", "outside"),
    [
        (Match(paths=("css/*.css",)), "/css/a/b.css"),
        (Match(paths=("a?c",)), "/a/c"),
        (Match(folders=("img",)), "/img2/a.png"),
        (Match(extensions=("css",)), "/css"),
        (Match(paths=("a.b",)), "/aXb"),
    ],
)
def test_a_scope_ends_where_the_address_shows_it(match: Match, outside: str) -> None:
    assert not re.search(scope_of(match).expression, outside)


@pytest.mark.parametrize(
    ("match", "reason"),
    [
        (Match(expressions=("(a+)+b",)), "its expressions are for an engine that never backtracks"),
        (Match(paths=("*a*a*a*a*",)), "its patterns have too many wildcards"),
        (Match(media_types=("text/css",)), "the type of a file is not known before the answer"),
        (Match(min_size_bytes=1), "the size of a file is not known before the answer"),
        (Match(max_size_bytes=1), "the size of a file is not known before the answer"),
        (Match(is_fingerprinted=True), "what counts as a content hash only the origin says"),
        (Match(tags=("sale",)), "the tags of a file only the origin knows"),
    ],
)
def test_what_an_address_does_not_show_widens_the_scope_and_is_said(match: Match, reason: str) -> None:
    assert scope_of(match).is_everything
    bypass = Bypass(BypassKind.QUERY, "fresh", "Because.")
    for name in ("nginx", "varnish"):
        assert f"(For more addresses than the rule matches: {reason}.)" in text(
            name, with_rule(match, bypass)
        )


@pytest.mark.parametrize("condition", ["paths", "folders", "extensions"])
def test_only_what_is_too_long_for_a_configuration_is_left_out_and_that_is_said(condition: str) -> None:
    short = Match(paths=("a",), folders=("a",), extensions=("a",))
    long = replace(short, **{condition: tuple(f"{place}{'a' * 190}" for place in range(100))})  # type: ignore[arg-type]
    scope = scope_of(long)
    assert scope.expression == scope_of(replace(short, **{condition: ()})).expression  # type: ignore[arg-type]
    words = {"paths": "patterns"}.get(condition, condition)
    assert scope.left_out == (f"its {words} are too long for one expression",)


def text(target: str, rules: RuleSet) -> str:
    return TARGETS[target].write(rules, Placement())


@pytest.mark.parametrize("target", TARGETS)
def test_the_same_rules_give_the_same_bytes_and_every_rule_is_named(target: str) -> None:
    written = text(target, SHIPPED)
    assert written == text(target, SHIPPED)
    for named in SHIPPED.rules:
        assert f"{named.name} ({named.rule.slug}, version 1), owned by admin" in written


def test_each_rule_is_described_with_what_it_lets_caches_do() -> None:
    policy = Policy(browser_ttl_seconds=60, cdn_ttl_seconds=5, surrogate_keys=("a", "b"))
    rules = replace(SHIPPED, rules=(NamedRule(Rule("odd", 3, Match(), policy), "Odd", "ann"),))
    assert list(description(rules))[2:-1] == [
        "1. Odd (odd, version 3), owned by ann",
        "   Every file: Cache-Control: public, max-age=60",
        "   CDN-Cache-Control: max-age=5",
        "   Surrogate-Key: a b",
    ]
    assert "the first decides" in "".join(description(rules))
    merged = replace(rules, combination=Combination.MERGE)
    assert "all that match are merged" in "".join(description(merged))


@pytest.mark.parametrize("target", TARGETS)
def test_words_of_people_stay_words(target: str) -> None:
    """What people write does not add a line, a template's mark or the end of a comment."""
    bypasses = [
        Bypass(kind, "n'o!", EVIL) for kind in (BypassKind.QUERY, BypassKind.COOKIE, BypassKind.HEADER)
    ]
    evil = text(target, with_rule(Match(paths=("a'*",)), *bypasses, name=EVIL, owner=EVIL))
    tame = text(target, with_rule(Match(paths=("a'*",)), *(replace(one, reason="r") for one in bypasses)))
    for mark in ("{%", "{{", "{#", "${z}", "%{", "*/", "/*", "\x1b", "\u2028", "\r"):
        assert mark not in evil
    assert len(evil.split("\n")) == len(tame.split("\n"))


@pytest.mark.parametrize("target", ["nginx", "varnish"])
def test_a_header_that_a_cache_has_no_word_for_is_told(target: str) -> None:
    bypass = Bypass(BypassKind.HEADER, "X!Debug", "For debugging.")
    written = text(target, with_rule(Match(), bypass))
    assert "header x!debug, for odd: For debugging." in written
    assert "does not step aside" in written
    assert "does not step aside" not in text(target, with_rule(Match(), replace(bypass, name="X-Debug")))
    # A name in VCL begins with a letter; a variable of nginx has `$http_` before it.
    begins_with_a_digit = text(target, with_rule(Match(), replace(bypass, name="1-Debug")))
    assert ("does not step aside" in begins_with_a_digit) is (target == "varnish")


def test_a_condition_of_several_rules_is_said_once_with_all_of_them() -> None:
    bypass = Bypass(BypassKind.QUERY, "fresh", "Because.")
    rules = with_rule(Match(tags=("sale",), min_size_bytes=9), bypass)
    again = replace(rules.rules[0], rule=replace(rules.rules[0].rule, slug="again"))
    written = text("nginx", replace(rules, rules=(*rules.rules, again)))
    assert written.count("query fresh") == 1
    assert (
        "# query fresh, for odd, again: Because.\n"
        "# (For more addresses than the rule matches: the size of a file is not known before the answer;"
        " the tags of a file only the origin knows.)\n"
    ) in written


def test_conditions_are_found_in_requests_however_they_are_encoded() -> None:
    asks = re.compile(parameter("a-b"))
    assert all(map(asks.search, ("a-b", "a-b=1", "x&a-b", "%61-b=", "x=1;%61%2db&y", "a%2D%62")))
    assert not any(map(asks.search, ("", "xa-b", "a-bc", "x=a-b", "A-b")))
    carries = re.compile(cookie("team"))
    assert all(map(carries.search, ("team", "team=1", "a=1; team=1", "a=1;team")))
    assert not any(map(carries.search, ("steam=1", "a=team", "teams=1")))
    preview = re.compile(host_below("Preview.localhost"))
    assert all(
        map(
            preview.search,
            (
                "r1-a.preview.localhost",
                "a.preview.localhost:80",
                "a.preview.localhost.",
                "a.preview.localhost..:",
            ),
        )
    )
    assert not any(
        map(preview.search, ("preview.localhost", "a.preview.localhost.evil", "a-preview.localhost"))
    )


def test_files_and_pages_are_told_apart() -> None:
    assert all(re.search(FILE, path) for path in ("/a.css", "/a/b.min.js", "/a.b/c.PNG"))
    assert not any(
        re.search(FILE, path) for path in ("/", "/a", "/a.html", "/a.b/c", "/a.HTM", "/a.b/", "/a.")
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"origin": "localhost; evil:80"}, "'localhost; evil:80' is no place for a cache"),
        ({"origin": "localhost"}, "'localhost' is no place for a cache: write it as 127.0.0.1:8000."),
        ({"listen": "80;\n}"}, "is no place for a cache: write it as 80 or 127.0.0.1:8080."),
        ({"folder": "/tmp/a b"}, "is no place for a cache: write it as /var/cache/nginx/assetsite."),
        ({"folder": "relative"}, "'relative' is no place for a cache"),
        ({"purge_from": ("0.0.0.0/0; }",)}, "'0.0.0.0/0; }' is no address or network: "),
    ],
)
def test_a_place_that_would_be_more_than_a_place_is_refused(options: dict[str, str], words: str) -> None:
    with pytest.raises(Unsayable) as refusal:
        Placement(**options)  # type: ignore[arg-type]
    assert words in str(refusal.value)


@pytest.mark.parametrize("target", ["nginx", "varnish"])
def test_what_deploy_has_is_the_export_of_the_rules_that_ship(target: str) -> None:
    assert (BASE_DIR / "deploy" / target / TARGETS[target].file).read_text() == text(target, SHIPPED)


def test_a_headers_file_has_a_block_for_each_address_and_names_paths_that_it_cannot_say() -> None:
    sent = HeaderSet("r", 1, (("content-type", "text/html"), ("cache-control", "no-cache")), "0" * 64)
    paths = ["a/index.html", "about.html", "é b.css", "time/12:30.txt", "*.css"]
    lines = [line for line in headers_file(SHIPPED, ((path, sent) for path in paths)) if line[0] != "#"]
    addresses = ["/a/index.html", "/a/", "/about.html", "/about", "/%C3%A9%20b.css"]
    assert lines == [line for address in addresses for line in (address, "  cache-control: no-cache")]
    told = [line for line in headers_file(SHIPPED, ((path, sent) for path in paths)) if "cannot be" in line]
    assert told == [
        "# A path with * or : cannot be written here: time/12:30.txt",
        "# A path with * or : cannot be written here: *.css",
    ]


def test_a_page_without_its_ending_leaves_the_address_to_the_file_that_has_it() -> None:
    kept, asked = (
        HeaderSet("r", 1, (("cache-control", value),), "0" * 64) for value in ("max-age=60", "no-cache")
    )
    files = [("license", kept), ("license-2", kept), ("license.html", asked)]
    assert [line for line in headers_file(SHIPPED, files) if line[0] != "#"] == [
        *("/license", "  cache-control: max-age=60"),
        *("/license-2", "  cache-control: max-age=60"),
        *("/license.html", "  cache-control: no-cache"),
    ]
