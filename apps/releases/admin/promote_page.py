from contextlib import suppress

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.accounts.permissions import require
from apps.accounts.staff_pages import actor_of, refused, render
from apps.refusals import Refusal
from apps.releases.comparing.impact import impact_between
from apps.releases.exceptions import UnknownChannel
from apps.releases.models import Channel
from apps.releases.selectors import channel_named, live_publication
from apps.releases.services.promoting import promote, promotion_of


def promote_page(request: HttpRequest, channel: Channel) -> HttpResponse:
    """Show what promoting to `channel` exactly what another one serves changes; on POST make the release."""
    source = _source(request, channel)
    if request.method != "POST" or source is None:
        return _show(request, channel, source)
    try:
        release = promote(
            source=source, target=channel, actor=actor_of(request), digest=request.POST.get("digest", "")
        )
    except Refusal as refusal:
        return _show(request, channel, source, status=refused(request, refusal))
    messages.success(
        request,
        f"Release {release.pk} is exactly what {source} serves. Nothing has changed for visitors; withdraw it"
        " if it is not wanted.",
    )
    return HttpResponseRedirect(reverse("admin:releases_release_change", args=[release.pk]))


def _source(request: HttpRequest, channel: Channel) -> Channel | None:
    """Return the channel that was asked for, or staging, or any other than `channel`."""
    name = request.GET.get("from", "staging")
    with suppress(UnknownChannel):
        if name != channel.name:
            return channel_named(name)
    return Channel.objects.exclude(pk=channel.pk).first()


def _show(
    request: HttpRequest, channel: Channel, source: Channel | None, *, status: int = 200
) -> HttpResponse:
    live = live_publication(channel)
    promotion, why_not = None, f"There is no other channel than {channel}."
    if source:
        try:
            why_not = ""
            require(actor_of(request), "releases.add_release", to="promote")
            promotion = promotion_of(source, channel)
        except Refusal as refusal:
            why_not = str(refusal)
    return render(
        request,
        "releases/channel/promote.html",
        title=f"Promote to {channel}",
        status=status,
        channel=channel,
        source=source,
        sources=Channel.objects.exclude(pk=channel.pk),
        served=promotion.source if promotion else None,
        live=live,
        impact=impact_between(
            live.manifest if live else None, promotion.source.manifest, is_patient="count" in request.GET
        )
        if promotion
        else None,
        why_not=why_not,
    )
