"""The caches that the rules can be written for, by the name that people type."""

from collections.abc import Callable
from dataclasses import dataclass

from apps.caching.exports.cloudflare import cloudflare
from apps.caching.exports.cloudfront import cloudfront
from apps.caching.exports.fastly import fastly
from apps.caching.exports.nginx import nginx
from apps.caching.exports.placement import Placement
from apps.caching.exports.source import RuleSet
from apps.caching.exports.varnish import varnish


@dataclass(frozen=True, slots=True)
class Target:
    """A kind of cache: what it is called, how its file is named, and what writes it."""

    label: str
    file: str
    write: Callable[[RuleSet, Placement], str]


TARGETS: dict[str, Target] = {
    "nginx": Target("nginx", "assetsite-nginx.conf", nginx),
    "varnish": Target("Varnish", "assetsite.vcl", varnish),
    "cloudflare": Target("Cloudflare", "assetsite-cloudflare.json", cloudflare),
    "cloudfront": Target("CloudFront", "assetsite-cloudfront.js", cloudfront),
    "fastly": Target("Fastly", "assetsite-fastly.vcl", fastly),
}
