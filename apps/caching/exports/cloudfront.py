"""The configuration of CloudFront: a function for viewer requests, and the cache policy that it needs.

Read: docs.aws.amazon.com, CloudFront Functions (runtime 2.0: event structure, restrictions) and the cache
key. A function cannot step aside; a request that must not be answered from what is kept gets a key of its
own. CloudFront honours `stale-while-revalidate` and `stale-if-error` by itself.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from apps.caching.exports.addresses import CANONICAL, FILE, PREFIX_OF_DJANGO, host_below, parameter
from apps.caching.exports.placement import Placement
from apps.caching.exports.source import (
    Condition,
    RuleSet,
    Unsayable,
    commented,
    conditions,
    description,
    words_of,
)
from apps.caching.rules import BypassKind

MOST_BYTES = 10 * 1024  # CloudFront takes no longer function
_FUNCTION = Path(__file__).with_name("cloudfront.js")


def cloudfront(rules: RuleSet, _placement: Placement) -> str:
    """Return the function. The same rules give the same bytes. Raises `Unsayable` if it is too long.

    Where there is no room for what each rule says, its comments go without.
    """
    text = _function(rules, description(rules))
    if len(text.encode()) > MOST_BYTES:
        text = _function(rules, [f"Cache rules of {rules.origin}, which there is no room to describe."])
    if len(text.encode()) > MOST_BYTES:
        raise Unsayable(
            f"The function would have {len(text.encode())} bytes, and CloudFront takes {MOST_BYTES}:"
            " shorten the reasons of bypass conditions, or how many there are."
        )
    return text


def _function(rules: RuleSet, about: Iterable[str]) -> str:
    patterns = {
        "CANONICAL": f"^{CANONICAL}$",
        "FILE": FILE,
        "PREVIEW": host_below(rules.preview_domain) if rules.preview_domain else "(?!)",
    }
    return "\n".join(
        [
            *commented(
                [
                    "CloudFront in front of assetsite: a function for viewer requests (cloudfront-js-2.0).",
                    "The cache policy that goes with it: minimum TTL 0, default TTL 0, maximum TTL 31536000,",
                    "gzip and Brotli, no queries, no cookies, and the headers Host and x-assetsite-alone.",
                    "The origin request policy: all of the viewer's headers, cookies and query strings.",
                    *about,
                ],
                mark="//",
            ),
            *(f"const {name} = new RegExp({json.dumps(value)});" for name, value in patterns.items()),
            f"const DJANGO = {json.dumps(PREFIX_OF_DJANGO)};",
            "const CONDITIONS = [",
            *(line for condition in conditions(rules) for line in _condition(condition)),
            "];",
            "",
            _FUNCTION.read_text(),
        ]
    )


def _condition(condition: Condition) -> Iterator[str]:
    yield from commented(words_of(condition), mark="//", indent="    ")
    asked = parameter(condition.name) if condition.kind is BypassKind.QUERY else condition.name
    values = {"kind": condition.kind, "asked": asked, "within": condition.scope.expression}
    yield f"    {json.dumps(values)},"
