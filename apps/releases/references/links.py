"""The Link header of a page (RFC 8288): what a browser may fetch before it has read the page."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from apps.releases.manifest.names import fingerprinted_name
from apps.releases.references.found import Critical

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_QUOTABLE = re.compile(r"[\x20-\x7e]*")


def link_header(
    critical: Iterable[Critical], names: Mapping[str, str], integrities: Mapping[str, str]
) -> str:
    """Return the header's value, "" for none: `</css/app.3f2a9c1b0d4e.css>; rel=preload; as=style, …`.

    `names` has the fingerprints of targets, `integrities` the digests that the page's elements were given:
    a browser takes what was fetched ahead only where both say the same.
    """
    return ", ".join(_link(each, names.get(each.target, ""), integrities) for each in critical)


def _link(critical: Critical, fingerprint: str, integrities: Mapping[str, str]) -> str:
    name = fingerprinted_name(critical.target, fingerprint) if fingerprint else critical.target
    words = [f"</{quote(name)}{quote(critical.suffix, safe=_SAFE)}>", f"rel={critical.rel}"]
    parameters = [*critical.parameters]
    guarded = integrities.get(critical.target) if critical.may_be_guarded else None
    if integrity := guarded or critical.integrity:
        parameters.append(("integrity", integrity))
    words += [f"{name}={_value(value)}" for name, value in parameters if _QUOTABLE.fullmatch(value)]
    return "; ".join(words)


_SAFE = "!$&'()*+,;=:@/?%-._~"


def _value(value: str) -> str:
    if _TOKEN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
