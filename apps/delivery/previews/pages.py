"""The pages of a preview's host that are none of the release's. They load nothing from elsewhere."""

from collections.abc import Mapping
from html import escape

from apps.delivery.previews.addresses import ENTER_PATH, STYLE_PATH
from apps.delivery.previews.policy import never_kept
from apps.delivery.respond import Response
from apps.releases.channels.answer_headers import spelled

_POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
_STYLE = b"""\
#assetsite-preview-banner { all: initial !important; position: fixed !important; inset: auto 0 0 0 !important;
  z-index: 2147483647 !important; box-sizing: border-box !important; padding: 6px 12px !important;
  background: #1f2937 !important; color: #fff !important; border-top: 2px solid #f59e0b !important;
  font: 13px/1.4 system-ui, sans-serif !important; text-align: center !important; display: block !important; }
@media print { #assetsite-preview-banner { position: static !important; } }
.assetsite-preview-page { font: 16px/1.5 system-ui, sans-serif; margin: 0; }
.assetsite-preview-page main { max-width: 24rem; margin: 12vh auto; padding: 0 1rem; }
.assetsite-preview-page h1 { font-size: 1.25rem; }
.assetsite-preview-page label { display: block; font-weight: 600; margin-bottom: .25rem; }
.assetsite-preview-page input { font: inherit; width: 100%; box-sizing: border-box; padding: .5rem; }
.assetsite-preview-page button { font: inherit; margin-top: .75rem; padding: .5rem 1rem; }
.assetsite-preview-page [role=alert] { border-inline-start: 4px solid #dc2626; padding-inline-start: .75rem; }
"""
_FRAME = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
{style}<body class="assetsite-preview-page">
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""


def gone() -> Response:
    """Answer for every host that shows nothing: one answer, which does not tell why."""
    words = (
        "<p>It may have ended, or the address was copied in part. Ask whoever sent it for another one.</p>"
    )
    return _page(404, "There is no preview here", words)


def unavailable() -> Response:
    """Answer where storage does not say what a preview shows."""
    words = "<p>Try again in a moment.</p>"
    return _page(503, "This preview cannot be read just now", words, more={"retry-after": "5"})


def ask_password(*, to: str, fault: str = "", status: int = 403, retry_after: int = 0) -> Response:
    """Ask for the password; with it, `to` is what is shown. `fault` says what was wrong the last time."""
    alert = f'<p role="alert" id="fault">{escape(fault)}</p>\n' if fault else ""
    described = ' aria-describedby="fault" aria-invalid="true"' if fault else ""
    form = (
        f'{alert}<form method="post" action="{ENTER_PATH}">\n'
        f'<input type="hidden" name="to" value="{escape(to)}">\n'
        '<label for="password">Password</label>\n'
        '<input id="password" name="password" type="password" autocomplete="current-password" '
        f'maxlength="200" required autofocus{described}>\n'
        "<button>Show the preview</button>\n</form>"
    )
    more = {"retry-after": str(retry_after)} if retry_after else {}
    return _page(status, "This preview has a password", form, has_style=True, more=more)


def style_sheet() -> Response:
    """Return the style of these pages and of the banner."""
    return _answer(200, "text/css; charset=utf-8", _STYLE)


def robots() -> Response:
    """Tell robots to stay away from all of it, whatever the release's own file says."""
    return _answer(200, "text/plain; charset=utf-8", b"User-agent: *\nDisallow: /\n")


def moved(location: str, *, cookie: str = "") -> Response:
    """Send on to another path of the host, with a cookie if one is given."""
    more = {"location": location, **({"set-cookie": cookie} if cookie else {})}
    return _answer(303, "text/plain; charset=utf-8", f"It is at {location}\n".encode(), more=more)


def _page(
    status: int, title: str, body: str, *, has_style: bool = False, more: Mapping[str, str] | None = None
) -> Response:
    style = f'<link rel="stylesheet" href="{STYLE_PATH}">\n' if has_style else ""
    page = _FRAME.format(title=title, style=style, body=body)
    policy = {"content-security-policy": _POLICY, **(more or {})}
    return _answer(status, "text/html; charset=utf-8", page.encode(), more=policy)


def _answer(status: int, media_type: str, body: bytes, *, more: Mapping[str, str] | None = None) -> Response:
    headers = {
        "content-type": media_type,
        "content-length": str(len(body)),
        "x-content-type-options": "nosniff",
        **(more or {}),
    }
    return never_kept(Response(status, spelled(headers), (body,)))
