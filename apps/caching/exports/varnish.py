"""The configuration of Varnish (6.0 or later) as one VCL file.

Read: varnish-cache.org, vcl(7), vmod_std(3), and builtin.vcl, whose subroutines are not reached where ours
return. `max-age`, `s-maxage`, `Age` and `stale-while-revalidate` Varnish honours by itself;
`stale-if-error` it does not, so that a request whose origin fails is looked up once more.
"""

from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

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

_PARTS = Path(__file__).with_name("vcl")
_MARKS = {"canonical": CANONICAL, "file": FILE, "django": PREFIX_OF_DJANGO}
_XKEY = "set beresp.http.xkey = beresp.http.Surrogate-Key;"


def varnish(rules: RuleSet, placement: Placement) -> str:
    """Return the VCL. The same rules and placement give the same bytes."""
    about = [
        "Varnish in front of assetsite. Start varnishd with -p http_gzip_support=off: the origin has better",
        "codings.",
        *description(rules),
    ]
    found = conditions(rules)
    return "\n".join(
        [
            "vcl 4.1;",
            "",
            *commented(about),
            "",
            "import std;",
            *(["import xkey;"] if placement.has_xkey else []),
            "",
            *_edges(placement),
            *_steps_aside(found),
            _written("receive", preview=_preview(rules), purge=_purge(placement)),
            _written("deliver", xkey=_XKEY if placement.has_xkey else ""),
        ]
    )


def _written(name: str, **values: str) -> str:
    """Return a part of the VCL that is the same for all rules, with `values` in the places of its marks."""
    text = (_PARTS / f"{name}.vcl").read_text()
    for mark, value in (_MARKS | values).items():
        text = text.replace(f"@{mark}@", value)
    return text


def _edges(placement: Placement) -> Iterator[str]:
    yield f'backend assetsite {{ .host = "{placement.origin_host}"; .port = "{placement.origin_port}"; }}'
    yield ""
    yield "acl assetsite_purgers {"
    for text in placement.purge_from:
        network = ip_network(text)
        yield f'    "{network.network_address}"/{network.prefixlen};'
    yield "}"
    yield ""


def _preview(rules: RuleSet) -> str:
    """Return the condition that holds for a preview's host."""
    return f'req.http.Host ~ "{host_below(rules.preview_domain)}"' if rules.preview_domain else "false"


def _purge(placement: Placement) -> str:
    if placement.has_xkey:
        return "set req.http.X-Assetsite-Purged = xkey.purge(req.http.Surrogate-Key);"
    keys = 'regsuball(req.http.Surrogate-Key, " +", "|")'
    return f'ban("obj.http.Surrogate-Key ~ (^|\\s)(" + {keys} + ")(\\s|$)");'


def _steps_aside(found: list[Condition]) -> Iterator[str]:
    """Yield the subroutine that sets X-Assetsite-Status where a cache has to step aside."""
    yield "# When to step aside."
    yield "sub assetsite_step_aside {"
    for condition in found:
        yield from commented(words_of(condition), indent="    ")
        if not _can_be_said(condition):
            yield "    # VCL has no way to write this header's name, so it does not step aside here."
            continue
        yield f"    if ({_asked(condition)}{_within(condition)}) {{"
        yield f'        set req.http.X-Assetsite-Status = "fwd=bypass; detail={condition.kind}";'
        yield "    }"
    yield "}"
    yield ""


def _can_be_said(condition: Condition) -> bool:
    """A header's name is written without quotes: letters, digits, dashes and underscores."""
    name = condition.name.replace("-", "").replace("_", "")
    return condition.kind is not BypassKind.HEADER or (name.isalnum() and condition.name[0].isalpha())


def _asked(condition: Condition) -> str:
    if condition.kind is BypassKind.QUERY:
        return f'req.http.X-Assetsite-Query ~ "{parameter(condition.name)}"'
    if condition.kind is BypassKind.COOKIE:
        return f'req.http.Cookie ~ "{cookie(condition.name)}"'
    return f"req.http.{condition.name}"


def _within(condition: Condition) -> str:
    expression = condition.scope.expression
    if not expression:
        return ""
    path, page = "req.http.X-Assetsite-Path", "req.http.X-Assetsite-Page"
    return f' && ({path} ~ "{expression}" || {page} ~ "{expression}")'
