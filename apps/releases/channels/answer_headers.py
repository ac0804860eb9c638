"""What answers say of themselves beside what a cache rule says: delivery sends it, a trace names it.

Headers are pairs, or a mapping by lower-case name, in the order in which they are sent.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from email.utils import formatdate
from functools import lru_cache

type Headers = tuple[tuple[str, str], ...]

NEVER_KEPT = "no-store"
# A missing page may be there after the next publication, which purges; a cache shields us meanwhile.
SHORT_SHARED = "public, max-age=0, s-maxage=10"
# What a page asks for by name. Anything kept in its place would outlive the release that lacks it.
PARTS_OF_PAGES = (".css", ".js", ".mjs", ".map", ".json", ".wasm")
# What the page of a 404 does not say of itself: it is not what was asked for, nor kept as long as the page.
NOT_OF_A_404 = (
    "etag", "last-modified", "accept-ranges", "link", "cdn-cache-control", "surrogate-control",
)  # fmt: skip

_SPELLED = {"etag": "ETag", "x-xss-protection": "X-XSS-Protection", "sourcemap": "SourceMap"}
_OF_PREVIEWS: Headers = (
    ("Cache-Control", "private, no-store"),
    ("X-Robots-Tag", "noindex, nofollow"),
    # The host is what opens a preview: no other site may learn it from a link or a picture.
    ("Referrer-Policy", "same-origin"),
)
# What speaks to caches, or would contradict the above. A reader of cache rules wants to see it all the same.
_WOULD_BE = frozenset(
    {
        "cache-control",
        "cdn-cache-control",
        "expires",
        "pragma",
        "referrer-policy",
        "surrogate-control",
        "x-robots-tag",
    }
)
_DROPPED = frozenset({"surrogate-key", "cache-tag", "age"})


def spelled(headers: Mapping[str, str]) -> Headers:
    """Return headers as they are usually written; `headers` have names in lower case."""
    return tuple((_spelling(name), value) for name, value in headers.items())


def ruled(headers: Headers, *, link: str, is_coded: bool) -> dict[str, str]:
    """Return a rule's headers as a file's answer has them: with its Link, and with codings to choose from."""
    by_rule = dict(headers)
    if link:
        by_rule["link"] = f"{by_rule['link']}, {link}" if "link" in by_rule else link
    if is_coded:
        by_rule["vary"] = _with_accept_encoding(by_rule.get("vary"))
    return by_rule


def names(release: int | None, rule: str = "") -> dict[str, str]:
    """Return the headers that name a release and a rule; none where the channel names no release."""
    if not release:
        return {}
    return {"assetsite-release": str(release), **({"assetsite-rule": rule} if rule else {})}


def etag(digest: str) -> str:
    """Return the ETag of the bytes with this SHA-256 (hex)."""
    return f'"{digest}"'


def repr_digest(digest: str) -> str:
    """Return the value of Repr-Digest (RFC 9530) of the bytes with this SHA-256 (hex)."""
    return f"sha-256=:{b64encode(bytes.fromhex(digest)).decode()}:"


@lru_cache(1_024)
def http_date(seconds: int) -> str:
    """Return a moment, in seconds since 1970, as HTTP writes it."""
    return formatdate(seconds, usegmt=True)


def of_preview(headers: Iterable[tuple[str, str]], digest: str) -> Headers:
    """Return a release's headers as its preview sends them, naming the digest (hex) that is shown."""
    kept, would_be = [], []
    for name, value in headers:
        if name.lower() in _WOULD_BE:
            would_be.append((f"Assetsite-Would-Be-{name}", value))
        elif name.lower() not in _DROPPED:
            kept.append((name, value))
    return (*kept, *_OF_PREVIEWS, ("Assetsite-Digest", f"sha256:{digest}"), *would_be)


def of_previews_page(headers: Iterable[tuple[str, str]]) -> Headers:
    """Return the headers of a page that is no release's, such as a form, under the policy of previews."""
    return (*((name, value) for name, value in headers if name.lower() not in _WOULD_BE), *_OF_PREVIEWS)


@lru_cache(1_024)
def _spelling(name: str) -> str:
    return _SPELLED.get(name) or name.title()


def _with_accept_encoding(vary: str | None) -> str:
    if not vary:
        return "Accept-Encoding"
    fields = {field.strip().lower() for field in vary.split(",")}
    return vary if fields & {"*", "accept-encoding"} else f"{vary}, Accept-Encoding"
