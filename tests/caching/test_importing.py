"""Drafts of rules out of a `_headers` file and out of answers: what they say, and what was left out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.caching.examples import guess_media_type, run_examples
from apps.caching.exports.headers_file import headers_file
from apps.caching.exports.source import RuleSet
from apps.caching.headers import HeaderCompiler, cache_control
from apps.caching.importing.drafts import ImportedRule
from apps.caching.importing.headers_file import HeadersFileFault, rules_of_headers_file
from apps.caching.importing.policies import ReadPolicy, read_policy
from apps.caching.importing.seen import Answer, rules_of_answers
from apps.caching.matching import matches
from apps.caching.rules import (
    Combination,
    HeaderSet,
    Match,
    Policy,
    Rule,
    RuleContent,
    RuleState,
    Visibility,
)
from apps.caching.validation import FieldFault, content_faults

FILE = """\
# of another host
/*
  X-Frame-Options: DENY
  Cache-Control: public, max-age=0, must-revalidate
/static/*
  Cache-Control: public, max-age=31536000, immutable
/static/:name/live.json
  ! X-Frame-Options
  Cache-Control: no-store
/about
  Vary: Accept-Encoding, Accept-Language
/docs/
  X-Secret: 1
/*.css
  Cache-Control: max-age=60
"""


def imported(text: str) -> list[ImportedRule]:
    return rules_of_headers_file(text, taken=())


def first_that_matches(rules: list[ImportedRule], path: str) -> ImportedRule:
    return next(rule for rule in rules if matches(rule.content.match, path, "text/plain", 1))


@pytest.mark.parametrize(
    ("value", "policy"),
    [
        ("public, max-age=300, s-maxage=60", Policy(browser_ttl_seconds=300, shared_ttl_seconds=60)),
        ("no-cache", Policy()),
        ("no-store, max-age=10", Policy(visibility=Visibility.NO_STORE)),
        ('private, max-age="10"', Policy(visibility=Visibility.PRIVATE, browser_ttl_seconds=10)),
        ("PRIVATE, no-store", Policy(visibility=Visibility.NO_STORE)),
        ("immutable, max-age=9", Policy(is_immutable=True, browser_ttl_seconds=9)),
        ("max-age=1, stale-while-revalidate=2, stale-if-error=3",
         Policy(browser_ttl_seconds=1, stale_while_revalidate_seconds=2, stale_if_error_seconds=3)),
        ("no-transform", Policy(forbids_transform=True)),
        ('Max-Age = "60" , s-maxage=5 , ', Policy(browser_ttl_seconds=60, shared_ttl_seconds=5)),
        ("no-store, private", Policy(visibility=Visibility.NO_STORE)),
        ("max-age=00000000000060", Policy(browser_ttl_seconds=60)),
    ],
)  # fmt: skip
def test_cache_control_is_read(value: str, policy: Policy) -> None:
    assert read_policy([("Cache-Control", value)]).policy == policy


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ([("Cache-Control", "max-age=x")], "max-age in Cache-Control has no number of seconds."),
        ([("Cache-Control", "max-age=²")], "max-age in Cache-Control has no number of seconds."),
        ([("Cache-Control", "max-age=1, magic")], "magic in Cache-Control has no field."),
        ([("Cache-Control", "proxy-revalidate")],
         "proxy-revalidate: must-revalidate says it to browsers too."),
        ([("Cache-Control", "private, s-maxage=9")],
         "private: shared caches keep nothing, so there is no time for them."),
        ([("Cache-Control", "private"), ("Netlify-CDN-Cache-Control", "max-age=9")],
         "private: shared caches keep nothing, so there is no time for them."),
        ([("Cache-Control", "no-store, max-age=9")], "no-store: nothing is kept, so it has no times."),
        ([("Cache-Control", "immutable")], "immutable says nothing unless browsers may keep it a while."),
        ([("Cache-Control", "max-age=1, must-revalidate, stale-if-error=2")],
         "must-revalidate forbids the old copies that the stale times allow."),
        ([("Cache-Control", "max-age=1, must-revalidate, stale-while-revalidate=2")],
         "must-revalidate forbids the old copies that the stale times allow."),
        ([("Expires", "0")], "Expires is older than Cache-Control, which counts."),
        ([("Pragma", "no-cache")], "Pragma is older than Cache-Control, which counts."),
        ([("Vary", "*")], "Vary: * lets no cache keep anything: say no-store instead."),
        ([("Surrogate-Control", "content=x")], "surrogate-control: content=x has no max-age."),
        ([("X-Secret", "1")], "X-Secret is not a header that a rule may send."),
        ([("Vary", "Cookie, Origin")],
         "Vary: Cookie is left out. Almost every visitor sends another Cookie: caches would keep a copy for"
         " each."),
        ([("Surrogate-Key", "a{1}")],
         "Surrogate-Key: a{1} is left out. Letters, digits and . _ : / - only, 128 at most."),
        ([("Access-Control-Allow-Origin", "null")],
         "Access-Control-Allow-Origin: null is left out."
         " Write one origin, such as https://example.com, or * for everybody."),
    ],
)  # fmt: skip
def test_what_a_policy_has_no_word_for_is_told(headers: list[tuple[str, str]], words: str) -> None:
    read = read_policy(headers)
    assert read.left_out == (words,)
    assert [fault for fault in faults_of(read.policy) if fault.field.startswith("policy")] == []


def faults_of(policy: Policy) -> list[FieldFault]:
    return content_faults("x", RuleContent("x", 1, Match(), policy, "better", "go back"))


def test_what_nobody_keeps_goes_on_saying_what_is_not_about_keeping() -> None:
    others = [("Link", "<a>"), ("Vary", "Origin"), ("Access-Control-Allow-Origin", "*"), ("Cache-Tag", "a")]
    assert read_policy([("Cache-Control", "no-store, no-transform"), *others]) == ReadPolicy(
        Policy(
            visibility=Visibility.NO_STORE,
            forbids_transform=True,
            extra_headers=(("link", "<a>"),),
            vary=("Origin",),
            allowed_origin="*",
        )
    )


@pytest.mark.parametrize(
    "names",
    [
        "Server Date Content-Type Content-Length Content-Encoding Last-Modified ETag Accept-Ranges Connection"
        " Keep-Alive Transfer-Encoding X-Content-Type-Options Strict-Transport-Security Set-Cookie Alt-Svc",
        "Via Age X-Cache X-Cache-Hits X-Served-By X-Timer X-Varnish Repr-Digest",
        "CF-Ray CF-Cache-Status Cache-Status NEL Report-To Reporting-Endpoints Server-Timing",
    ],
)
def test_what_servers_and_caches_say_of_themselves_is_not_spoken_of(names: str) -> None:
    assert read_policy([(name, "1") for name in names.split()]) == ReadPolicy(Policy())


def test_a_long_path_gives_a_rule_that_can_be_saved() -> None:
    [rule] = imported(f"/Fonts/{'a' * 150}.css\n  Cache-Control: max-age=5\n")
    assert rule.slug == f"imported-fonts-{'a' * 42}"
    assert content_faults(rule.slug, rule.content) == []


@pytest.mark.parametrize("digits", ["99999999999", "9" * 5_000, "0" * 5_000 + "99999999999"])
def test_a_time_that_is_too_long_is_as_long_as_caches_keep_anything(digits: str) -> None:
    read = read_policy([("Cache-Control", f"max-age={digits}, s-maxage=00")])
    assert (read.policy.browser_ttl_seconds, read.policy.shared_ttl_seconds) == (2**31 - 1, 0)


@pytest.mark.parametrize(
    ("address", "glob"),
    [
        ("/a%20b/*", "a b/**"),
        ("/100%25/:name", "100%/*"),
        ("/%2Astar%2a/*", "?star?/**"),
        ("/*/:name/a.css", "**/*/a.css"),
        ("/%C3%A9.css", "é.css"),
    ],
)
def test_a_path_is_read_without_its_escapes(address: str, glob: str) -> None:
    [rule] = imported(f"{address}\n  Cache-Control: max-age=5\n")
    assert glob in rule.content.match.paths
    assert content_faults(rule.slug, rule.content) == []
    ready = Rule(rule.slug, 1, rule.content.match, rule.content.policy)
    assert [result.is_ok for result in run_examples([ready], rule.content.examples)] == [True]


@pytest.mark.parametrize(
    ("address", "match", "example"),
    [
        ("/*", Match(), "/example"),
        ("/", Match(paths=("index.html",)), "/index.html"),
        ("/docs/", Match(paths=("docs/index.html",)), "/docs/index.html"),
        ("/about", Match(paths=("about.html", "about/index.html", "about")), "/about.html"),
    ],
)
def test_a_page_is_the_files_that_answer_for_it(address: str, match: Match, example: str) -> None:
    [rule] = imported(f"{address}\n  Cache-Control: max-age=5\n")
    assert rule.content.match == match
    assert [(each.url, each.browser_ttl_seconds) for each in rule.content.examples] == [(example, 5)]
    assert rule.content.description == "Imported from line 1 of _headers."
    assert rule.content.expected_result == "These files are served as line 1 of _headers has it."


def test_the_other_headers_find_their_fields() -> None:
    read = read_policy(
        [
            ("Vary ", " Accept-Encoding, Origin "),
            ("Vary", "Save-Data, , Origin"),
            ("Surrogate-Key", "a b"),
            ("Cache-Tag", "b,c"),
            ("CDN-Cache-Control", "max-age=9"),
            ("Access-Control-Allow-Origin", "*"),
            ("Link", " <a> "),
            ("Link", "<b>"),
            ("ETag", '"1"'),
            ("Date", "now"),
        ]
    )
    assert read.left_out == ()
    assert read.policy == Policy(
        vary=("Origin", "Save-Data"),
        surrogate_keys=("a", "b", "c"),
        cdn_ttl_seconds=9,
        allowed_origin="*",
        extra_headers=(("link", "<a>, <b>"),),
    )


@given(
    st.lists(
        st.sampled_from(
            ["public", "private", "no-store", "no-cache", "max-age=0", "max-age=60", "s-maxage=9",
             "immutable", "must-revalidate", "no-transform", "stale-while-revalidate=5",
             "stale-if-error=5", "x=1"]
        )
    )
)  # fmt: skip
def test_whatever_is_said_gives_a_rule_that_can_be_saved(directives: list[str]) -> None:
    [rule] = imported(f"/a.css\n  Cache-Control: {', '.join(directives) or 'public'}\n")
    assert content_faults(rule.slug, rule.content) == []
    ready = Rule(rule.slug, 1, rule.content.match, rule.content.policy)
    assert [result.is_ok for result in run_examples([ready], rule.content.examples)] == [True]


def test_the_first_rule_that_matches_says_what_all_blocks_said() -> None:
    rules = imported(FILE)
    said = {
        path: (cache_control(rule.content.policy), dict(rule.content.policy.extra_headers))
        for path in ("static/app.js", "static/a/live.json", "about.html", "docs/index.html", "x.bin")
        for rule in [first_that_matches(rules, path)]
    }
    framed = {"x-frame-options": "DENY"}
    assert said == {
        "static/app.js": ("public, max-age=31536000, immutable", framed),
        "static/a/live.json": ("no-store", {}),
        "about.html": ("public, max-age=0, must-revalidate", framed),
        "docs/index.html": ("public, max-age=0, must-revalidate", framed),
        "x.bin": ("public, max-age=0, must-revalidate", framed),
    }
    for page in ("about", "about.html", "about/index.html"):
        assert first_that_matches(rules, page).content.policy.vary == ("Accept-Language",)
    assert {rule.content.state for rule in rules} == {RuleState.DRAFT}
    assert [rule.content.order for rule in rules] == sorted({rule.content.order for rule in rules})
    assert len({rule.slug for rule in rules}) == len(rules)


def test_what_a_block_cannot_say_here_stands_with_its_rule() -> None:
    by_name = {rule.content.name: rule.left_out for rule in imported(FILE)}
    assert "X-Secret is not a header that a rule may send." in by_name["Files at /docs/"]
    assert [words for words in by_name["Files at /static/*"] if "as well" in words] == [
        "Files that /*.css (line 14) matches as well get the headers of /static/* alone."
    ]
    [sheets, rest] = imported("/css/*\n  Link: <a>\n/*.js\n  Link: <b>\n")
    assert sheets.left_out[0] == (
        "Files that /*.js (line 3) matches as well get the headers of /css/* alone."
    )
    assert not [words for words in rest.left_out if "as well" in words]
    trust = "Scripts in HTML files do not run under it: trust them on its form, if they are yours."
    assert trust in by_name["Files at /*"]
    assert trust not in by_name["Files at /*.css"]
    for page in ("/*.htm", "/*.html", "/*.xht", "/*.xhtml"):
        assert imported(f"{page}\n  Cache-Control: max-age=5\n")[0].left_out == (trust,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("  X-A: 1\n", "Line 1 is a header of no path: 'X-A: 1'. Put its path above it."),
        ("/a\n  nothing\n", "Line 2 has no colon: 'nothing'. Write it as Name: value."),
        (
            "https://a.example/*\n  X-A: 1",
            "Line 1 is not a path of this site: 'https://a.example/*'. Rules hold for all hosts of a channel:"
            " take the host away, or leave the block out.",
        ),
        ("/a\n  " + "x" * 201, f"Line 2 has no colon: '{'x' * 200}'. Write it as Name: value."),
        ("/a\n" + "  Link: a\n" * 101, "Line 102 is one header too many: a path has at most 100."),
        (
            "".join(f"/{place}\n  Link: a\n" for place in range(201)),
            "Line 401 is one path too many: 200 are taken at once. Import it in parts.",
        ),
        ("/%ff/*\n  X-A: 1", "Line 1 has an escape that is no UTF-8: '%ff/**'. Write the path as it is."),
    ],
)
def test_a_line_that_is_none_is_named(text: str, words: str) -> None:
    with pytest.raises(HeadersFileFault) as fault:
        imported(text)
    assert str(fault.value) == words


def test_lines_end_where_hosts_end_them() -> None:
    text = "/a.css\r\n  Link: <a>\u2028/b.css\x0c\n  Cache-Control: max-age=5\r/c.css\n  Vary: Origin"
    a, c = imported(text)
    assert (a.content.match.paths, c.content.match.paths) == (("a.css",), ("c.css",))
    assert a.content.policy.browser_ttl_seconds == 5
    assert a.left_out[0].startswith("The value of Link must be printable ASCII")


def test_a_path_that_comes_twice_is_one_rule() -> None:
    [rule] = imported("/a.css\n  Cache-Control: max-age=5\n/a.css\n  Link: <b>\n")
    assert (rule.content.policy.browser_ttl_seconds, rule.content.policy.extra_headers) == (
        5,
        (("link", "<b>"),),
    )


def test_answers_give_a_rule_a_kind_and_name_those_that_differ() -> None:
    def answer(path: str, cache_control: str) -> Answer:
        return Answer(path, (("Cache-Control", cache_control),))

    year = "public, max-age=31536000, immutable"
    rules = rules_of_answers(
        [
            answer("a.css", "max-age=60"),
            answer("b.css", "max-age=60"),
            *(answer(f"{place}.css", f"max-age={place}") for place in range(1, 6)),
            Answer("page.htm", (("Cache-Control", "no-cache"), ("X-Secret", "1"))),
            answer("app.3f2a9c41.css", year),
            answer("LICENSE", "max-age=5"),
        ],
        source="https://old.example.org",
        taken={"imported-pages", "imported-pages-2"},
    )
    assert [(rule.slug, cache_control(rule.content.policy), rule.content.match) for rule in rules] == [
        ("imported-pages-3", "no-cache", Match(media_types=("text/html",))),
        ("imported-css-files-with-a-content-hash", year, Match(extensions=("css",), is_fingerprinted=True)),
        ("imported-css-files", "public, max-age=60", Match(extensions=("css",), is_fingerprinted=False)),
        ("imported-other-files", "public, max-age=5", Match(is_fingerprinted=False)),
    ]
    trust = "Scripts in HTML files do not run under it: trust them on its form, if they are yours."
    assert rules[0].left_out == ("X-Secret is not a header that a rule may send.", trust)
    assert rules[2].left_out == ("Answered otherwise: 1.css, 2.css, 3.css and 2 more.",)
    assert [rule.content.order for rule in rules] == [1, 2, 3, 4]
    assert all(content_faults(rule.slug, rule.content) == [] for rule in rules)


POLICIES = {
    "index.html": Policy(browser_ttl_seconds=0, must_revalidate=True, extra_headers=(("Link", "</a.css>"),)),
    "about.html": Policy(extra_headers=(("Content-Security-Policy", "default-src 'self'"),)),
    "about/index.html": Policy(visibility=Visibility.PRIVATE, browser_ttl_seconds=60),
    "a.svg": Policy(browser_ttl_seconds=60, extra_headers=(("X-Frame-Options", "DENY"),)),
    "license": Policy(shared_ttl_seconds=60, surrogate_keys=("legal", "text")),
    "license.html": Policy(visibility=Visibility.NO_STORE),
    "é b/c.css": Policy(
        browser_ttl_seconds=60, cdn_ttl_seconds=5, must_revalidate=True, forbids_transform=True,
        vary=("Save-Data",), allowed_origin="https://example.com",
    ),
}  # fmt: skip


def test_what_was_exported_is_imported_as_it_was() -> None:
    def served(rules: list[Rule]) -> dict[str, HeaderSet]:
        compiler = HeaderCompiler(rules)
        return {path: compiler.header_set(path, guess_media_type(path), 1) for path in POLICIES}

    before = served(
        [
            Rule(f"r{place}", 1, Match(paths=(path,)), said)
            for place, (path, said) in enumerate(POLICIES.items())
        ]
    )
    text = "\n".join(headers_file(RuleSet((), Combination.FIRST, "", "x"), sorted(before.items())))
    drafts = [Rule(one.slug, 1, one.content.match, one.content.policy) for one in imported(text)]
    after = served(drafts)
    assert {path: dict(one.headers) for path, one in after.items()} == {
        path: dict(one.headers) for path, one in before.items()
    }
