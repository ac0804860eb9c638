from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html

from apps.accounts.staff_pages import actor_of, refused, render
from apps.refusals import Refusal
from apps.releases.actions import actions_for
from apps.releases.checks import title_of
from apps.releases.comparing.impact import impact_between
from apps.releases.exceptions import StaleDigest
from apps.releases.models import Release
from apps.releases.review.brief import brief_of
from apps.releases.review.findings import lint_of
from apps.releases.seen import Seen
from apps.releases.services import publishing
from apps.releases.services.freezes import freeze_of, in_words


def publish_page(request: HttpRequest, release: Release) -> HttpResponse:
    """Show what publishing a release changes; on POST publish it."""
    if request.method != "POST":
        return _show(request, release)
    try:
        _refuse_other_digest(release, request.POST.get("digest", ""))
        publication = publishing.publish(
            release=release, actor=actor_of(request), override_freeze=request.POST.get("override", "")
        )
    except Refusal as refusal:
        release.refresh_from_db()
        return _show(request, release, status=refused(request, refusal))
    channel_url = reverse("admin:releases_channel_change", args=[release.channel_id])
    messages.success(
        request,
        format_html(
            'Published: {} serves release {} as {} (<a href="{}">receipt</a>). '
            '<a href="{}">Roll back from the page of {}</a>.',
            release.channel,
            release.pk,
            publication.tag,
            reverse("admin:releases_channel_receipt", args=[release.channel_id, publication.sequence]),
            channel_url,
            release.channel,
        ),
    )
    return HttpResponseRedirect(reverse("admin:releases_release_change", args=[release.pk]))


def _refuse_other_digest(release: Release, digest: str) -> None:
    """Raise `StaleDigest` where the page that was confirmed showed another content than is approved now."""
    if digest != release.manifest_id:
        raise StaleDigest(
            f"Release {release.pk} is no longer what this page showed.",
            next_step="Look at what it changes now, and publish that.",
        )


def _show(request: HttpRequest, release: Release, *, status: int = 200) -> HttpResponse:
    seen, freeze = Seen(release), freeze_of(release.channel)
    live = seen.live
    return render(
        request,
        "releases/release/publish.html",
        title=f"Publish release {release.pk} to {release.channel}",
        status=status,
        release=release,
        live=live,
        impact=impact_between(
            live.manifest if live else None, release.manifest, is_patient="count" in request.GET
        )
        if release.manifest
        else None,
        lint=lint_of(release),
        approvals=seen.approvals,
        checks=[(title_of(each.result.name), each) for each in seen.checks],
        stated=brief_of(release),
        frozen=f"{in_words(freeze, release.channel)}." if freeze else "",
        typed=request.POST.get("override", ""),
        action=actions_for(seen, actor_of(request))["publish"],
    )
