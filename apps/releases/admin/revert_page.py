from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html

from apps.accounts.staff_pages import actor_of, refused, render
from apps.refusals import Refusal
from apps.releases.actions import actions_for
from apps.releases.comparing.impact import impact_between
from apps.releases.models import Release
from apps.releases.seen import Seen
from apps.releases.services.reverting import revert


def revert_page(request: HttpRequest, release: Release) -> HttpResponse:
    """Show what taking one release back means; on POST make the draft that does."""
    if request.method != "POST":
        return _show(request, release)
    try:
        draft = revert(release=release, actor=actor_of(request))
    except Refusal as refusal:
        return _show(request, release, status=refused(request, refusal))
    words = format_html(
        'Release {} is a draft that reverts <a href="{}">release {}</a>. Nothing has changed for visitors;'
        " withdraw it if it is not wanted.",
        draft.pk,
        reverse("admin:releases_release_change", args=[release.pk]),
        release.pk,
    )
    messages.success(request, words)
    return HttpResponseRedirect(reverse("admin:releases_release_change", args=[draft.pk]))


def _show(request: HttpRequest, release: Release, *, status: int = 200) -> HttpResponse:
    seen = Seen(release)
    return render(
        request,
        "releases/release/revert.html",
        title=f"Revert release {release.pk}",
        status=status,
        release=release,
        live=seen.live,
        impact=impact_between(release.manifest, release.base_manifest, is_patient="count" in request.GET)
        if release.manifest
        else None,
        action=actions_for(seen, actor_of(request))["revert"],
    )
