"""The configuration of Varnish (6.0 or later) as one VCL file.

Read: varnish-cache.org, vcl(7), vmod_std(3), and builtin.vcl, whose subroutines are not reached where ours
return. `max-age`, `s-maxage`, `Age` and `stale-while-revalidate` Varnish honours by itself;
`stale-if-error` it does not, so that a request whose origin fails is looked up once more.
"""

from collections.abc import Iterator
from ipaddress import ip_network

from apps.caching.exports.addresses import host_below
from apps.caching.exports.placement import Placement
from apps.caching.exports.source import RuleSet, commented, conditions, description
from apps.caching.exports.vcl import steps_aside, written

_XKEY = "set beresp.http.xkey = beresp.http.Surrogate-Key;"


def varnish(rules: RuleSet, placement: Placement) -> str:
    """Return the VCL. The same rules and placement give the same bytes."""
    about = [
        "Varnish in front of assetsite. Start varnishd with -p http_gzip_support=off: the origin has better",
        "codings.",
        *description(rules),
    ]
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
            *steps_aside(conditions(rules)),
            written("receive", preview=_preview(rules), purge=_purge(placement)),
            written("deliver", xkey=_XKEY if placement.has_xkey else ""),
        ]
    )


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
