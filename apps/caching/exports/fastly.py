"""The configuration of Fastly as its main custom VCL, macros of Fastly's own included.

Read: Fastly's reference of VCL (it is Varnish 2.1's, with words of its own) and its page on cache freshness.
Its short strings read `%XX`, so that expressions stand in long ones. `stale-while-revalidate`,
`stale-if-error`, `Surrogate-Control` and `Surrogate-Key` Fastly honours by itself.
"""

from apps.caching.exports.addresses import host_below
from apps.caching.exports.placement import Placement
from apps.caching.exports.source import RuleSet, commented, conditions, description
from apps.caching.exports.vcl import steps_aside, written

_LONG = ('{"', '"}')


def fastly(rules: RuleSet, _placement: Placement) -> str:
    """Return the VCL. The same rules give the same bytes; hosts and backends are the service's own."""
    about = [
        "Fastly in front of assetsite: upload it as the service's main VCL, with the origin as its backend.",
        *description(rules),
    ]
    preview = f'req.http.host ~ {{"{host_below(rules.preview_domain)}"}}' if rules.preview_domain else "false"
    return "\n".join(
        [
            *commented(about),
            "",
            *steps_aside(conditions(rules), quotes=_LONG),
            written("fastly", preview=preview),
        ]
    )
