"""The configurations of caches that run elsewhere: when each would step aside, request by request.

CloudFront's function is executed by a browser. Cloudflare's expressions and Fastly's conditions are read
here by as much of their languages as the exports use: what they do not know is an error.
"""

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, unquote

import pytest
from playwright.sync_api import Browser

from apps.caching.exports.addresses import CANONICAL
from apps.caching.exports.placement import Placement
from apps.caching.exports.source import NamedRule, RuleSet, Unsayable
from apps.caching.exports.targets import TARGETS
from apps.caching.matching import matches
from apps.caching.rules import Bypass, BypassKind, Combination, Match, Policy, Rule

MATCHES = (
    Match(paths=("css/*.css", "docs/**/index.html")),
    Match(folders=("img/icons", "é")),
    Match(extensions=("Js", "tar.gz")),
    Match(paths=("a?c.txt",), extensions=("txt",)),
    Match(paths=("about.html",)),
)
PATHS = (
    "css/site.css", "css/a/b.css", "docs/index.html", "docs/a/b/index.html", "img/icons/x.svg", "img/x.svg",
    "é/ü.png", "app.JS", "dist/a.tar.gz", "abc.txt", "a/c.txt", "index.html", "x.bin", "about.html",
)  # fmt: skip
CONDITIONS = (
    Bypass(BypassKind.QUERY, "Fresh", "To see it at once."),
    Bypass(BypassKind.COOKIE, "Editor", "Editors see drafts."),
    Bypass(BypassKind.HEADER, "X-Debug", "For debugging."),
)


@dataclass(frozen=True)
class Request:
    path: str
    query: str = ""
    cookies: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    host: str = "www.example.org"
    method: str = "GET"


def rules_with(*pairs: tuple[Match, Bypass]) -> RuleSet:
    named = (
        NamedRule(Rule(f"rule-{number}", 1, match, Policy(browser_ttl_seconds=60), (bypass,)), "Name", "ann")
        for number, (match, bypass) in enumerate(pairs)
    )
    return RuleSet(tuple(named), Combination.FIRST, "preview.example.org", "a test")


def addresses(path: str) -> list[str]:
    """Return the paths under which a file is asked for, as this origin writes them."""
    names = [path]
    if path == "index.html" or path.endswith("/index.html"):
        names.append(path.removesuffix("index.html"))
    elif path.endswith(".html"):
        names.append(path.removesuffix(".html"))
    return ["/" + quote(name, safe="/:@!$&'()*+,;=~") for name in names]


def asking(bypass: Bypass, request: Request, *, is_encoded: bool) -> Request:
    if bypass.kind is BypassKind.QUERY:
        name = "".join(f"%{byte:02x}" for byte in bypass.name.encode()) if is_encoded else bypass.name
        return replace(request, query=f"a=1&{name}=1")
    if bypass.kind is BypassKind.COOKIE:
        return replace(request, cookies={"a": "1", bypass.name: "1"})
    return replace(request, headers={bypass.name.lower(): "1"})


CASES = [
    (rules_with((match, bypass)), asking(bypass, Request(address), is_encoded=is_encoded))
    for match in MATCHES
    for bypass in CONDITIONS
    for path in PATHS
    if matches(match, path, "text/plain", 1)
    for address in addresses(path)
    for is_encoded in (False, True)
]
ALL = rules_with(*((match, bypass) for match in MATCHES for bypass in CONDITIONS))
PLAIN = [
    Request(address, query=query, cookies={"theme": "dark"}, headers={"accept": "*/*"})
    for path in PATHS
    for address in addresses(path)
    for query in ("", "utm=1")
    if not query or re.search(r"\.(?!html$)[^./]+$", address)
]
ASIDE = [
    Request("/css/site.css", host="r1-a.preview.example.org"),
    Request("/-/healthz"),
    Request("/", query="next=/x"),
    Request("/about", query="a"),
    Request("/css//site.css"),
]


def text(target: str, rules: RuleSet) -> str:
    return TARGETS[target].write(rules, Placement())


# ── Fastly ──────────────────────────────────────────────────────────────────────────────────────────


def fastly_steps_aside(rules: RuleSet, request: Request) -> bool:
    """Say what the subroutine of the rules' own conditions does."""
    page = request.path + ("index.html" if request.path.endswith("/") else ".html")
    values = {
        "Path": request.path,
        "Page": page if re.search(r"/$|/[^./]+$", request.path) else "",
        "Query": request.query,
        "Cookie": "; ".join(f"{name}={value}" for name, value in request.cookies.items()),
    }

    def holds(words: str) -> bool:
        if asked := re.fullmatch(r'req\.http\.(?:X-Assetsite-)?(\w+) ~ \{"(.*)"\}', words):
            return re.search(asked[2], values[asked[1]]) is not None
        header = re.fullmatch(r"req\.http\.([\w-]+)", words)
        assert header, words
        return header[1] in request.headers

    body = text("fastly", rules).split("sub assetsite_step_aside {")[1].split("\n}")[0]
    conditions = re.findall(r"^    if \((.*?)(?: && \((.*) \|\| (.*)\))?\) \{$", body, re.MULTILINE)
    assert len(conditions) == body.count("set req.http.X-Assetsite-Status")
    return any(holds(asked) and (not path or holds(path) or holds(page)) for asked, path, page in conditions)


# ── Cloudflare ──────────────────────────────────────────────────────────────────────────────────────

_TOKEN = re.compile(r'\s*("(?:\\.|[^"\\])*"|strict wildcard|[\w.]+|\[\*\]|[(){},])')


class Expression:
    """The Rules language of Cloudflare, as far as the export uses it: `or`, `and`, comparisons, functions."""

    def __init__(self, words: str, request: Request) -> None:
        self._tokens, at = [], 0
        while at < len(words):
            token = _TOKEN.match(words, at)
            assert token, words[at:]
            self._tokens.append(token[1])
            at = token.end()
        extension = re.search(r"\.([^./]+)$", request.path)
        self._fields: dict[str, Any] = {
            "true": True,
            "http.host": request.host,
            "http.cookie": "; ".join(f"{name}={value}" for name, value in request.cookies.items()),
            "http.request.headers.names": list(request.headers),
            "http.request.uri.path": request.path,
            "http.request.uri.path.extension": extension[1].lower() if extension else "",
            "http.request.uri.query": request.query,
            "raw.http.request.uri.path": request.path,
        }
        self._functions: dict[str, Callable[..., Any]] = {
            "any": any,
            "concat": lambda *parts: "".join(parts),
            "ends_with": str.endswith,
            "lower": str.lower,
            "starts_with": str.startswith,
            "url_decode": unquote,
        }

    def value(self) -> bool:
        found = self._either()
        assert not self._tokens, self._tokens
        return bool(found)

    def _either(self) -> Any:
        found = self._both()
        while self._tokens[:1] == ["or"]:
            self._tokens.pop(0)
            found = self._both() or found
        return found

    def _both(self) -> Any:
        found = self._compared()
        while self._tokens[:1] == ["and"]:
            self._tokens.pop(0)
            found = self._compared() and found
        return found

    def _compared(self) -> Any:
        left = self._single()
        if self._tokens[:1] == ["[*]"]:  # each of a list, compared with one value
            assert self._tokens[1] == "eq"
            del self._tokens[:2]
            right = self._single()
            return [each == right for each in left]
        operator = self._tokens[0] if self._tokens else ""
        if operator not in {"eq", "ne", "contains", "in", "strict wildcard"}:
            return left
        self._tokens.pop(0)
        right = self._single()
        if operator == "strict wildcard":
            parts = re.findall(r"\\.|\*|[^*\\]", right)
            pattern = "".join(".*" if part == "*" else re.escape(part[-1]) for part in parts)
            return re.fullmatch(pattern, left, re.DOTALL) is not None
        return {
            "eq": left == right, "ne": left != right, "contains": operator == "contains" and right in left,
            "in": operator == "in" and left in right,
        }[operator]  # fmt: skip

    def _single(self) -> Any:
        token = self._tokens.pop(0)
        if token == "(":
            found = self._either()
            assert self._tokens.pop(0) == ")"
            return found
        if token == "{":
            found = []
            while self._tokens[0] != "}":
                found.append(self._single())
            self._tokens.pop(0)
            return found
        if token.startswith('"'):
            return re.sub(r"\\(.)", r"\1", token[1:-1])
        if self._tokens[:1] == ["("] and token in self._functions:
            self._tokens.pop(0)
            given = [self._either()]
            while self._tokens.pop(0) == ",":
                given.append(self._either())
            return self._functions[token](*given)
        return self._fields[token]


def cloudflare_steps_aside(rules: RuleSet, request: Request) -> bool:
    is_cached = False
    for rule in json.loads(text("cloudflare", rules))["rules"]:  # the last one that matches counts
        assert rule["action"] == "set_cache_settings"
        assert rule["description"]
        if Expression(rule["expression"], request).value():
            is_cached = rule["action_parameters"]["cache"]
    return not is_cached


# ── CloudFront ──────────────────────────────────────────────────────────────────────────────────────


def cloudfront_answers(browser: Browser, rules: RuleSet, requests: list[Request]) -> list[dict[str, Any]]:
    """Execute the function in a browser, in strict mode; return what becomes of each request."""
    events = [
        {
            "context": {"requestId": f"id-{number}"},
            "request": {
                "method": request.method,
                "uri": request.path,
                "querystring": {
                    name.partition("=")[0]: {"value": ""} for name in request.query.split("&") if name
                },
                "headers": {
                    "host": {"value": request.host}, "authorization": {"value": "Basic x"},
                    **{name: {"value": value} for name, value in request.headers.items()},
                },
                "cookies": {name: {"value": value} for name, value in request.cookies.items()},
            },
        }
        for number, request in enumerate(requests)
    ]  # fmt: skip
    page = browser.new_page()
    try:
        function = f'"use strict"; {text("cloudfront", rules)}\nreturn events.map(handler);'
        answers: list[dict[str, Any]] = page.evaluate(
            "([text, events]) => new Function('events', text)(events)", [function, events]
        )
        return answers
    finally:
        page.close()


# ── What all of them have to do ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("steps_aside", [cloudflare_steps_aside, fastly_steps_aside])
def test_no_request_that_a_rule_exempts_is_answered_from_what_is_kept(
    steps_aside: Callable[[RuleSet, Request], bool],
) -> None:
    assert len(CASES) > 60
    assert [request for rules, request in CASES if not steps_aside(rules, request)] == []


@pytest.mark.parametrize("steps_aside", [cloudflare_steps_aside, fastly_steps_aside])
def test_all_others_are(steps_aside: Callable[[RuleSet, Request], bool]) -> None:
    others = [request for request in PLAIN if "%" not in request.path]
    assert [request for request in others if steps_aside(ALL, request)] == []
    for match, path in (
        (Match(folders=("img/icons",)), "/css/site.css"),
        (Match(paths=("css/*.css",)), "/js/site.css"),
        (Match(extensions=("js", "txt")), "/css/site.css"),
        (Match(extensions=("js", "txt")), "/css/site.cjs"),
        (Match(paths=("a?c.*",), extensions=("txt",)), "/abc.bin"),
        (Match(paths=("a?c.*",), extensions=("txt",)), "/abd.txt"),
    ):
        elsewhere = rules_with((match, CONDITIONS[1]))
        assert not steps_aside(elsewhere, Request(path, cookies={"Editor": "1"})), match


def test_cloudflare_steps_aside_whatever_the_rules_say() -> None:
    assert [request for request in ASIDE if not cloudflare_steps_aside(ALL, request)] == []
    assert cloudflare_steps_aside(ALL, Request("/caf%C3%A9.css"))
    between = [f"/a{chr(code)}b.css" for code in range(0x21, 0x7F) if chr(code) not in "?#"]
    for path in [*between, "/a//b.css", "/a/./b.css", "/a/../b.css"]:
        assert cloudflare_steps_aside(ALL, Request(path)) is (not re.fullmatch(CANONICAL, path)), path


@pytest.mark.browser
def test_cloudfronts_function_does_as_well(browser: Browser) -> None:
    exempt = [request for _, request in CASES]
    random.Random(1).shuffle(exempt)
    answers = cloudfront_answers(browser, ALL, exempt + ASIDE + [Request("/a.css", method="POST")])
    for number, (request, answer) in enumerate(zip(exempt + ASIDE, answers, strict=False)):
        assert answer["headers"].get("x-assetsite-alone") == {"value": f"id-{number}"}, request
        assert answer["cookies"].keys() == request.cookies.keys()
        assert "authorization" in answer["headers"]
    forged = replace(PLAIN[0], headers={"x-assetsite-alone": "1", "x-original-url": "/evil"})
    for request, answer in zip(
        [*PLAIN, forged], cloudfront_answers(browser, ALL, [*PLAIN, forged]), strict=True
    ):
        assert not {"x-assetsite-alone", "x-original-url", "authorization"} & answer["headers"].keys(), (
            request
        )
        assert (answer["uri"], answer["querystring"], answer["cookies"]) == (request.path, {}, {})


def test_a_function_that_cloudfront_would_not_take_is_refused() -> None:
    long = replace(CONDITIONS[0], reason="word " * 2000)
    with pytest.raises(Unsayable, match="takes 10240: shorten the reasons"):
        text("cloudfront", rules_with((Match(), long)))


def test_cloudfront_keeps_apart_what_the_origin_tells_apart_by_host() -> None:
    """The origin gets all of a visitor's headers, and two channels may stand behind one distribution."""
    [policy] = re.findall(r"no queries, no cookies, and the headers (.*)\.", text("cloudfront", ALL))
    assert policy == "Host and x-assetsite-alone"


def fastly_subroutine(name: str) -> str:
    return text("fastly", ALL).split(f"sub {name} {{")[1].split("\n}\n")[0]


@pytest.mark.parametrize("host", ["www.example.org", "WWW.example.org.", "www.example.org..:443"])
def test_fastly_has_one_name_for_a_host(host: str) -> None:
    """Purges name hosts as channels have them, in lower case and without a port."""
    written = r'std\.tolower\(regsub\(req\.http\.host, \{"(.*)"\}, ""\)\)'
    [expression] = re.findall(written, fastly_subroutine("vcl_recv"))
    assert re.sub(expression, "", host, count=1).lower() == "www.example.org"


def test_fastly_goes_by_the_time_for_cdns_where_browsers_have_to_ask() -> None:
    """RFC 9213 section 2.2: `no-cache` in Cache-Control is not said to who reads Surrogate-Control."""
    passing = fastly_subroutine("vcl_fetch").split("if (!beresp.http.Cache-Control")[1].split(") {")[0]
    assert [line for line in passing.splitlines() if "no-cache" in line] == [
        '        || (beresp.http.Cache-Control ~ "(?i)(^|[, ])no-cache" && !beresp.http.Surrogate-Control)'
    ]


def test_fastly_keeps_no_previews() -> None:
    [condition] = re.findall(r'req\.http\.host ~ \{"(.*?)"\}', text("fastly", ALL))
    assert re.search(condition, "r1-a.preview.example.org")
    assert not re.search(condition, "www.example.org")
    assert "req.http.host ~" not in text("fastly", replace(ALL, preview_domain=""))


def test_fastlys_expressions_stand_where_no_percent_sign_is_read() -> None:
    written = text("fastly", ALL)
    assert not re.search(r'(?<!\{)"[^"\n]*%[^"\n]*"(?!\})', re.sub(r'\{".*?"\}', "", written))
    assert written.count("{") == written.count("}")
