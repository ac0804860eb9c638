from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html

from apps.accounts.staff_pages import actor_of, page_of, refused, render
from apps.refusals import Refusal
from apps.releases.actions import actions_for
from apps.releases.models import Release
from apps.releases.seen import Seen
from apps.releases.selectors import change_counts, changes_of
from apps.releases.services.splitting import KINDS, Selection, split

_ROWS_A_PAGE = 100


def split_page(request: HttpRequest, release: Release) -> HttpResponse:
    """Let somebody choose which changes of a draft move to a new one; on POST move them."""
    if request.method != "POST":
        return _show(request, release)
    typed = request.POST
    selection = Selection(
        names=typed.getlist("name"),
        below=typed.get("below", "").strip(),
        kind=typed.get("kind", "") if typed.get("kind") in KINDS else "",
    )
    try:
        made = split(
            release=release, selection=selection, title=typed.get("title", ""), actor=actor_of(request)
        )
    except Refusal as refusal:
        return _show(request, release, selection=selection, status=refused(request, refusal))
    words = format_html(
        'Release {} has what was chosen of <a href="{}">release {}</a>. To undo it, combine the two.',
        made.pk,
        reverse("admin:releases_release_change", args=[release.pk]),
        release.pk,
    )
    messages.success(request, words)
    return HttpResponseRedirect(reverse("admin:releases_release_change", args=[made.pk]))


def _show(
    request: HttpRequest, release: Release, *, selection: Selection | None = None, status: int = 200
) -> HttpResponse:
    return render(
        request,
        "releases/release/split.html",
        title=f"Split release {release.pk}",
        status=status,
        release=release,
        counts=change_counts(release),
        page=page_of(request, changes_of(release), size=_ROWS_A_PAGE),
        redirects=release.redirect_changes.order_by("source")[:_ROWS_A_PAGE],
        kinds=KINDS,
        selection=selection or Selection(),
        typed_title=request.POST.get("title", f"{release.title} (part)"),
        edit=actions_for(Seen(release), actor_of(request))["edit"],
    )
