"""The caches that `PURGE_URLS` names, each by an address."""

import re
from importlib import import_module
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from apps.caching.purging.asking import Server
from apps.caching.purging.by_method import MethodPurger
from apps.caching.purging.cloudflare import Cloudflare
from apps.caching.purging.contract import BY_KEYS, Purger
from apps.caching.purging.fastly import Fastly
from apps.caching.purging.nginx_files import NginxFiles

_METHOD = re.compile(r"[A-Z]+")
_TOKEN = re.compile(r"[\x21-\x7e]+")  # what would be refused as a header's value would be told with its words
KINDS = ("varnish", "http", "https", "nginx", "cloudflare", "fastly", "cloudfront")


class UnknownCache(ValueError):
    """An address of a cache that cannot be read; its words do not repeat it, since it may hold a secret."""


def purgers(text: str) -> list[Purger]:
    """Read `varnish://127.0.0.1:6081,cloudflare://TOKEN@api.cloudflare.com/ZONE`. Raises `UnknownCache`."""
    found = [_purger(part.strip(), place) for place, part in enumerate(text.split(","), 1) if part.strip()]
    if len({one.name.removesuffix(BY_KEYS) for one in found}) < len(found):
        raise UnknownCache("names the same cache twice")
    return found


def _purger(text: str, place: int) -> Purger:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise UnknownCache(f"has a port that is none, at place {place}") from error
    kind, tells_keys = parts.scheme, _tells_keys(parts, place)
    if kind == "nginx" and parts.path.strip("/") and not parts.netloc:
        return _nginx(parts, place, tells_keys=tells_keys)
    if kind == "cloudfront" and parts.hostname:
        return _cloudfront(parts, tells_keys=tells_keys)
    if kind in ("varnish", "http", "https") and parts.hostname:
        method = parse_qs(parts.query).get("method", ["PURGE"])[0]
        if not _METHOD.fullmatch(method):
            raise UnknownCache(f"has ?method= at place {place} with something that is no method")
        port = 6081 if kind == "varnish" else None
        server = _server(parts, is_tls=kind == "https", port=port)
        return MethodPurger(server, method, tells_keys=tells_keys)
    if kind in ("cloudflare", "fastly") and parts.hostname and parts.username:
        return _vendor(parts, tells_keys=tells_keys)
    raise UnknownCache(f"has something at place {place} that is no address of one of {', '.join(KINDS)}")


def _tells_keys(parts: SplitResult, place: int) -> bool:
    by = parse_qs(parts.query, keep_blank_values=True).get("by", ["addresses"])
    if by not in (["addresses"], ["keys"]):
        raise UnknownCache(f"has ?by= at place {place} with something else than keys or addresses")
    return by == ["keys"]


def _nginx(parts: SplitResult, place: int, *, tells_keys: bool) -> Purger:
    if tells_keys:
        raise UnknownCache(
            f"has ?by=keys at place {place}, but nginx finds its copies by address alone: leave it out there"
        )
    return NginxFiles(Path(parts.path))


def _vendor(parts: SplitResult, *, tells_keys: bool) -> Purger:
    token, is_plain = unquote(parts.username or ""), parse_qs(parts.query).get("tls") == ["0"]
    if not _TOKEN.fullmatch(token):
        raise UnknownCache(f"has a token for {parts.scheme} with characters that no token has")
    server = _server(parts, is_tls=not is_plain)
    if parts.scheme == "fastly":
        return _fastly(parts, server, token, tells_keys=tells_keys)
    zone = parts.path.strip("/")
    if not zone.isalnum():
        raise UnknownCache("has no zone for Cloudflare: cloudflare://TOKEN@api.cloudflare.com/ZONE")
    return Cloudflare(server, zone, token, tells_keys=tells_keys)


def _fastly(parts: SplitResult, server: Server, token: str, *, tells_keys: bool) -> Purger:
    service = parts.path.strip("/")
    if tells_keys and not service.isalnum():
        raise UnknownCache("has no service for Fastly: fastly://TOKEN@api.fastly.com/SERVICE?by=keys")
    return Fastly(server, token, service=service, tells_keys=tells_keys)


def _cloudfront(parts: SplitResult, *, tells_keys: bool) -> Purger:
    endpoint = parse_qs(parts.query).get("endpoint", [None])[0]
    name = parts.netloc.rpartition("@")[2]  # in the case in which it was written
    key = unquote(parts.username) if parts.username else None
    secret = unquote(parts.password) if parts.password else None
    # boto3 takes long to import, and every process reads the configuration.
    cloudfront = import_module("apps.caching.purging.cloudfront")
    if endpoint is not None and not cloudfront.is_endpoint(endpoint):
        raise UnknownCache("has ?endpoint= for CloudFront with something that is no http or https URL")
    made: Purger = cloudfront.CloudFront(name, endpoint, key, secret, tells_keys=tells_keys)
    return made


def _server(parts: SplitResult, *, is_tls: bool, port: int | None = None) -> Server:
    return Server(parts.hostname or "", parts.port or port or (443 if is_tls else 80), is_tls)
