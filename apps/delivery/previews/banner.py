"""The line at the foot of a page that says: this is a preview.

It is appended, so that no page is read wrongly: what follows `</html>` belongs to the body. It has no
script and no style of its own, since a page's policy may allow neither; its style sheet comes from the
preview's host, which such policies usually allow ('self').
"""

from datetime import UTC, datetime
from html import escape

from apps.delivery.previews.addresses import STYLE_PATH
from apps.delivery.previews.pointer import PreviewPointer
from apps.delivery.respond import Response

MOST_PAGE_BYTES = 8 << 20  # a larger page is shown without
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
# What would be wrong of another body, or of one that changes with the banner.
_NOT_OF_BANNERED = frozenset(
    {"accept-ranges", "content-length", "etag", "last-modified", "repr-digest", "content-digest"}
)


def takes_banner(response: Response) -> bool:
    """Say whether an answer is a whole page in no content coding."""
    said = {name.lower(): value for name, value in response.headers}
    is_page = said.get("content-type", "").partition(";")[0].strip().lower() == "text/html"
    is_small = int(said.get("content-length", "0")) <= MOST_PAGE_BYTES
    return response.status == 200 and is_page and is_small and "content-encoding" not in said


def with_banner(response: Response, page: bytes, pointer: PreviewPointer, *, host: str) -> Response:
    """Return the answer with `page`, its body, and the banner; `host` is the Host header's value."""
    body = page if page.startswith(_UTF_16) else page + banner_of(pointer, host=host)
    kept = [(name, value) for name, value in response.headers if name.lower() not in _NOT_OF_BANNERED]
    return Response(200, (*kept, ("Content-Length", str(len(body)))), (body,))


def banner_of(pointer: PreviewPointer, *, host: str) -> bytes:
    """Return the banner as HTML in ASCII, which means the same in every encoding that pages have."""
    expires = f"{datetime.fromtimestamp(pointer.expires_at, UTC):%Y-%m-%d %H:%M} UTC"
    what = f"a draft, built {datetime.fromtimestamp(pointer.built_at, UTC):%Y-%m-%d %H:%M} UTC"
    words = (
        f"Preview of release {pointer.release}, not published"
        f"{f', {what}' if pointer.is_of_draft else ''}. Digest {pointer.digest[:12]}, expires {expires}."
    )
    # A page may have a <base>: the address names the host.
    style = escape(f"//{host}{STYLE_PATH}")
    return (
        f'\n<link rel="stylesheet" href="{style}">'
        f'<div id="assetsite-preview-banner" role="note" lang="en" dir="ltr">{words}</div>\n'
    ).encode("ascii", "replace")
