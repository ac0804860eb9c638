"""Whatever a rule may say, its export is a file that the real servers take."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from apps.caching.exports import cloudflare
from apps.caching.exports.placement import Placement
from apps.caching.exports.source import NamedRule, RuleSet
from apps.caching.exports.targets import TARGETS
from apps.caching.rules import Bypass, BypassKind, Combination, Example, Match, Policy, Rule, RuleContent
from apps.caching.validation import MAX_BYPASS_NAME, MAX_GLOBS, content_faults
from tests.acceptance.caches import program

MARKS = "\"'`\\*/${}%#;@|^.()[]<>&=~!?+, \n\u2028aé𝄞"
ODD = "@canonical@ ${x} */ '\" \\ \n } ; # {%"
TOKEN = "!#$%&'*+.^_`|~aZ0-"
PLACE = Placement(listen="127.0.0.1:8099")  # nginx -t minds no port that is taken, but 80 is root's
KINDS = tuple(kind for kind in BypassKind if kind is not BypassKind.PREVIEW)
words = st.text(st.sampled_from(MARKS), min_size=1, max_size=12)
parts = words.filter(lambda part: part.isprintable() and part.strip("/") == part)


def content(match: Match, bypasses: Sequence[Bypass], name: str = "N") -> RuleContent:
    examples = (Example("/a", is_cached=True, rule="odd"),)
    return RuleContent(name, 1, match, Policy(), "Better.", "Go back.", "", tuple(bypasses), examples)


contents = st.builds(
    content,
    st.builds(
        Match,
        paths=st.lists(parts, max_size=3).map(tuple),
        folders=st.lists(parts, max_size=2).map(tuple),
        extensions=st.lists(st.sampled_from(["a_b", "-", "tar.gz", "Z"]), max_size=2).map(tuple),
    ),
    st.lists(
        st.builds(
            Bypass, st.sampled_from(KINDS), st.text(st.sampled_from(TOKEN), min_size=1, max_size=9), words
        ),
        min_size=1,
        max_size=4,
    ),
    words,
)


def exported(target: str, contents: Sequence[RuleContent], slug: str = "odd") -> str:
    for one in contents:
        assert not content_faults("odd", one)
    named = tuple(
        NamedRule(
            Rule(f"{slug}-{place}", 1, one.match, one.policy, one.bypass_conditions), one.name, one.name
        )
        for place, one in enumerate(contents)
    )
    return TARGETS[target].write(RuleSet(named, Combination.FIRST, "preview.localhost", "x"), PLACE)


def assert_taken(target: str, text: str, work: Path) -> None:
    (work / "exported").write_text(text.replace("/var/cache/nginx", str(work)))
    command = [program("varnishd"), "-C", "-j", "none", "-n", f"{work}/n", "-f", f"{work}/exported"]
    if target == "nginx":
        (work / "conf").write_text(
            f"pid {work}/pid; events {{}} http {{ access_log off; include {work}/exported; }}"
        )
        command = [program("nginx"), "-t", "-e", "stderr", "-p", str(work), "-c", f"{work}/conf"]
    said = subprocess.run(command, check=False, capture_output=True, text=True)
    assert said.returncode == 0, f"{said.stderr[-2000:]}\n{text}"


SOME = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SOME
@given(one=contents)
def test_nginx_takes_whatever_a_rule_may_say(one: RuleContent, tmp_path: Path) -> None:
    assume(not content_faults("odd", one))
    assert_taken("nginx", exported("nginx", [one]), tmp_path)


@pytest.mark.parametrize(("target", "many"), [("nginx", 250), ("varnish", 10)])
def test_a_server_takes_odd_and_long_words_and_many_of_them(target: str, many: int, tmp_path: Path) -> None:
    longest = "~" * MAX_BYPASS_NAME
    odd = [
        content(Match(paths=(ODD.replace("\n", ""),)), [Bypass(kind, TOKEN, ODD) for kind in KINDS], ODD),
        content(Match(), [Bypass(kind, longest, "𝄞" * 5_000) for kind in KINDS]),
        content(Match(), [Bypass(BypassKind.HEADER, "x" * MAX_BYPASS_NAME, "r")]),
        content(
            Match(paths=tuple(f"{place}{'𝄞' * 190}" for place in range(MAX_GLOBS))),
            [Bypass(BypassKind.QUERY, "a", "r")],
        ),
        content(
            Match(folders=tuple(f"{place}{'f' * 190}" for place in range(MAX_GLOBS)), extensions=("css",)),
            [Bypass(BypassKind.QUERY, "a", "r")],
        ),
        *(content(Match(), [Bypass(BypassKind.QUERY, f"q{place}", "r")]) for place in range(many)),
        *(content(Match(), [Bypass(BypassKind.QUERY, "same", "r")]) for _ in range(many)),
    ]
    written = exported(target, odd, slug="s" * 50)
    assert "its patterns are too long for one expression" in written
    assert "its folders are too long for one expression" in written
    assert_taken(target, written, tmp_path)


def test_a_name_that_varnish_takes_for_no_header_is_refused() -> None:
    long = content(Match(), [Bypass(BypassKind.HEADER, "x" * (MAX_BYPASS_NAME + 1), "r")])
    [fault] = content_faults("odd", long)
    assert (fault.field, fault.message) == (
        "bypass_conditions[0].name",
        f"At most {MAX_BYPASS_NAME} characters.",
    )


def test_cloudflare_steps_aside_everywhere_where_an_expression_would_be_too_long() -> None:
    match = Match(paths=tuple(f"{place}{'a' * 20}" for place in range(MAX_GLOBS)))
    written = exported("cloudflare", [content(match, [Bypass(BypassKind.COOKIE, "team", "r")])])
    assert '"expression": "http.cookie contains \\"team\\""' in written
    assert "For all addresses" in written
    assert cloudflare.MAX_EXPRESSION == 4_096


def test_a_function_for_cloudfront_has_room_for_more_rules_than_it_can_describe() -> None:
    many = [content(Match(extensions=(f"e{place}",)), []) for place in range(100)]
    written = exported("cloudfront", many)
    assert "which there is no room to describe" in written
    assert "CONDITIONS = [" in written
