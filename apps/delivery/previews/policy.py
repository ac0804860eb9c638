"""What every answer of a preview says instead of what its release would say: that nobody may keep it."""

from apps.delivery.resource import Headers
from apps.delivery.respond import Response

_NEVER_KEPT: Headers = (
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


def as_preview(response: Response, digest: str) -> Response:
    """Return a release's answer as one of its preview, which names the digest (hex) that is shown."""
    kept, would_be = [], []
    for name, value in response.headers:
        if name.lower() in _WOULD_BE:
            would_be.append((f"Assetsite-Would-Be-{name}", value))
        elif name.lower() not in _DROPPED:
            kept.append((name, value))
    headers = (*kept, *_NEVER_KEPT, ("Assetsite-Digest", f"sha256:{digest}"), *would_be)
    return Response(response.status, headers, response.body)


def never_kept(response: Response) -> Response:
    """Return an answer that is no release's, such as a form, under the policy of previews."""
    kept = [(name, value) for name, value in response.headers if name.lower() not in _WOULD_BE]
    return Response(response.status, (*kept, *_NEVER_KEPT), response.body)
