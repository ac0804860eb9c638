"""The configuration of nginx (1.18 or later, no module beside its own) as a file for its `http` context.

Read: nginx.org, ngx_http_proxy_module and ngx_http_map_module. What `Cache-Control` says nginx honours by
itself, `stale-while-revalidate` and `stale-if-error` included (since 1.11.10), as long as
`proxy_cache_use_stale` and `proxy_cache_valid` say nothing.
"""

from collections.abc import Iterator
from itertools import batched

from apps.caching.exports.addresses import (
    CANONICAL,
    FILE,
    PREFIX_OF_DJANGO,
    cookie,
    host_below,
    parameter,
)
from apps.caching.exports.placement import Placement
from apps.caching.exports.source import Condition, RuleSet, commented, conditions, description, words_of
from apps.caching.rules import BypassKind

_MOST_NAMES = 100  # variables in one word, which may have 4096 bytes
_STATUS = (
    ("HIT", "hit"),
    ("STALE", "hit; detail=stale"),
    ("UPDATING", "hit; detail=stale"),
    ("EXPIRED", "fwd=stale"),
    ("MISS", "fwd=uri-miss"),
    ("BYPASS", "fwd=bypass"),
)


def nginx(rules: RuleSet, placement: Placement) -> str:
    """Return the file. The same rules and placement give the same bytes."""
    found = conditions(rules)
    lines = [
        *commented(["nginx in front of assetsite: put it into /etc/nginx/conf.d/.", *description(rules)]),
        "",
        *_addresses(rules),
        *_conditions(found),
        *_decision(sum(map(_can_be_said, found))),
        *_server(placement),
    ]
    return "\n".join(lines) + "\n"


def _addresses(rules: RuleSet) -> Iterator[str]:
    yield "# Only addresses as the origin writes them are kept: each file has one name in the cache."
    yield from _map(
        "$request_uri",
        "$assetsite_path",
        {rf"~^(?<assetsite_sent>{CANONICAL})(?:\?|$)": "$assetsite_sent"},
        '""',
    )
    yield "# What a page without its ending is called, for the rules that go by endings."
    pages = {r"~/$": "${assetsite_path}index.html", r"~/[^./]+$": "${assetsite_path}.html"}
    yield from _map("$assetsite_path", "$assetsite_page", pages, '""')
    yield from _map("$assetsite_path", "$assetsite_is_file", {f"~{FILE}": "1"})
    yield from _map("$assetsite_path", "$assetsite_is_django", {f"~^{PREFIX_OF_DJANGO}": "1"})
    yield "# A query on a page may be meant for a redirect; a file has none that counts."
    yield from _map('"$assetsite_is_file:$args"', "$assetsite_has_query", {"~^0:.": "1"})
    previews = {f"~{host_below(rules.preview_domain)}": "1"} if rules.preview_domain else {}
    yield from _map("$host", "$assetsite_is_preview", previews)


def _conditions(found: list[Condition]) -> Iterator[str]:
    for number, condition in enumerate(filter(_can_be_said, found), start=1):
        yield from commented(words_of(condition))
        source, expression = _asked(condition)
        yield from _map(source, f"$assetsite_asks_{number}", {expression: "1"})
        if condition.scope.is_everything:
            yield from _map(f"$assetsite_asks_{number}", f"$assetsite_bypass_{number}", {"1": "1"})
            continue
        within = f"~{condition.scope.expression}"
        page, path = f"$assetsite_page_{number}", f"$assetsite_path_{number}"
        yield from _map("$assetsite_page", page, {within: "1"})
        yield from _map("$assetsite_path", path, {within: "1"}, page)
        both = f'"$assetsite_asks_{number}{path}"'
        yield from _map(both, f"$assetsite_bypass_{number}", {"11": "1"})
    for condition in found:
        if not _can_be_said(condition):
            yield from commented(["nginx has no variable for this header, so it does not step aside for:"])
            yield from commented(words_of(condition))
            yield ""


def _can_be_said(condition: Condition) -> bool:
    """A header becomes a variable if its name has letters, digits and dashes only."""
    return condition.kind is not BypassKind.HEADER or condition.name.replace("-", "").isalnum()


def _asked(condition: Condition) -> tuple[str, str]:
    """Return where to look for a condition, and the pattern that it has there."""
    if condition.kind is BypassKind.QUERY:
        return "$args", f"~{parameter(condition.name)}"
    if condition.kind is BypassKind.COOKIE:
        return "$http_cookie", f"~{cookie(condition.name)}"
    return f"$http_{condition.name.replace('-', '_')}", "~."


def _decision(count: int) -> Iterator[str]:
    yield "# Whether to step aside, and what the origin is asked then."
    bypasses = (f"$assetsite_bypass_{number}" for number in range(1, count + 1))
    flags = ""
    for place, names in enumerate(batched(bypasses, _MOST_NAMES), start=1):
        flag = f"$assetsite_bypass_of_{place}"
        yield from _map(f'"{"".join(names)}"', flag, {"~1": "1"})
        flags += flag
    every = f'"$assetsite_is_preview$assetsite_is_django$assetsite_has_query{flags}:$assetsite_path"'
    yield from _map(every, "$assetsite_bypass", {"~^[01]*1": "1", "~:$": "1"})
    yield "# Nothing goes to the origin that is not part of the key: no query, no cookie, one form of host."
    yield from _map("$assetsite_bypass", "$assetsite_target", {"1": "$request_uri"}, "$assetsite_path")
    yield from _map("$assetsite_bypass", "$assetsite_cookie", {"1": "$http_cookie"}, '""')
    authorization = {"1": "$http_authorization"}
    yield from _map("$assetsite_bypass", "$assetsite_authorization", authorization, '""')
    yield from _map("$assetsite_bypass", "$assetsite_host", {"1": "$http_host"}, "$host")
    yield "# RFC 9211. nginx knows no time to live here."
    yield from _map("$upstream_cache_status", "$assetsite_status", dict(_STATUS), '"fwd=bypass"')
    yield "# nginx makes these answers out of a 200: what was said of that one stands in a 416 already."
    yield from _map(
        "$status", "$assetsite_said", {"416": ""}, '"assetsite-nginx; $assetsite_status"', is_volatile=True
    )
    yield from _map(
        "$status", "$assetsite_never_kept", {"412": "no-store", "416": "no-store"}, '""', is_volatile=True
    )


def _server(placement: Placement) -> Iterator[str]:
    yield f"""\
proxy_cache_path {placement.folder} levels=1:2 keys_zone=assetsite:16m
    inactive=7d max_size=10g use_temp_path=off;
upstream assetsite_origin {{ server {placement.origin}; keepalive 32; }}

server {{
    listen {placement.listen};
    server_tokens off;
    client_max_body_size 1m;

    location / {{
        proxy_pass http://assetsite_origin$assetsite_target;
        proxy_http_version 1.1;
        proxy_set_header Host $assetsite_host;
        proxy_set_header Cookie $assetsite_cookie;
        proxy_set_header Authorization $assetsite_authorization;
        proxy_set_header Connection "";
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        # Headers by which others let a visitor choose another address or method.
        proxy_set_header X-Forwarded-Host "";
        proxy_set_header X-Original-URL "";
        proxy_set_header X-Rewrite-URL "";
        proxy_set_header X-HTTP-Method-Override "";

        # The longest head that a rule may ask for; nginx answers 502 to a longer one.
        proxy_buffer_size 32k;
        proxy_buffers 4 32k;

        proxy_cache assetsite;
        proxy_cache_key "$host$assetsite_target";
        proxy_cache_bypass $assetsite_bypass;
        proxy_no_cache $assetsite_bypass;
        # No proxy_cache_lock: visitors of a page that is asked for each time would wait for each other.
        # No proxy_cache_revalidate: of a 304 nginx takes over no header, and sends the old ones on.
        # How long old copies serve, the origin says: no proxy_cache_use_stale, no proxy_cache_valid.
        proxy_cache_background_update on;
        add_header Cache-Status $assetsite_said always;
        add_header Cache-Control $assetsite_never_kept always;
        # Of what is not kept, too: nginx asks for all of it.
        proxy_force_ranges on;
    }}
}}"""


def _map(
    source: str, name: str, patterns: dict[str, str], default: str = "0", *, is_volatile: bool = False
) -> list[str]:
    """Return a map; one that is volatile is read anew each time.

    Patterns are quoted: none of them has a quote, a backslash stands before x or a dot.
    """
    rows = [f"    {_quoted(pattern)} {_quoted(value)};" for pattern, value in patterns.items()]
    first = ["    volatile;"] if is_volatile else []
    return [f"map {source} {name} {{", *first, f"    default {default};", *rows, "}", ""]


def _quoted(text: str) -> str:
    return f'"{text}"'
