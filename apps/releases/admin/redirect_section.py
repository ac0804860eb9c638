"""The section of a release's page that lists, adds, removes and undoes redirects."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.http import HttpRequest

from apps.accounts.staff_pages import ROWS_A_PAGE, actor_of
from apps.releases.admin.forms import RedirectForm
from apps.releases.exceptions import InvalidRedirect, RedirectLoop, TooManyRedirects
from apps.releases.manifest import Redirect
from apps.releases.models import Release
from apps.releases.redirects.rows import redirect_rows_of
from apps.releases.redirects.selectors import base_redirects
from apps.releases.redirects.values import typed_source
from apps.releases.seen import Seen
from apps.releases.selectors import threads_by_path
from apps.releases.services.redirects import put_redirect


def redirect_section(request: HttpRequest, seen: Seen, form: RedirectForm | None) -> dict[str, Any]:
    """Return what the section shows: a page of the changes, and one of the redirects that stay."""
    release = seen.release
    changes = Paginator(seen.redirect_changes, ROWS_A_PAGE).get_page(request.GET.get("redirects"))
    kept = _kept(request, seen)
    return {
        "redirect_page": changes,
        "redirect_rows": redirect_rows_of(release, changes),
        "said_of_redirects": threads_by_path(release, [typed_source(change.source) for change in changes]),
        "kept_page": kept,
        "kept_redirects": [(typed_source(redirect.source), redirect) for redirect in kept],
        "redirect_form": form or RedirectForm(),
    }


def put_typed_redirect(request: HttpRequest, release: Release, form: RedirectForm) -> bool:
    """Put what was typed into the release; return whether that went well. What was wrong is in `form`."""
    if not form.is_valid():
        return False
    try:
        redirect = put_redirect(release=release, actor=actor_of(request), **form.cleaned_data)
    except InvalidRedirect as refusal:
        form.add_error(refusal.field, refusal.message)
        return False
    except (RedirectLoop, TooManyRedirects) as refusal:
        form.add_error("target", str(refusal))
        return False
    messages.success(
        request,
        f"{typed_source(redirect.source)} leads to {redirect.target} with this release."
        " While this is a draft it can be taken out again.",
    )
    return True


def _kept(request: HttpRequest, seen: Seen) -> Page[Redirect]:
    changed = {change.source for change in seen.redirect_changes}
    before = base_redirects(seen.release)
    kept = [redirect for source, redirect in sorted(before.items()) if source not in changed]
    return Paginator(kept, ROWS_A_PAGE).get_page(request.GET.get("kept"))
