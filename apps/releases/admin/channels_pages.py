"""The pages of all channels at once: the emergency stop, and a new channel."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.accounts.staff_pages import actor_of, refused, render
from apps.refusals import Refusal
from apps.releases.admin.channel_sections import why_no_lifting, why_not
from apps.releases.models import Channel
from apps.releases.selectors.holds import open_holds, open_stop
from apps.releases.services import holding, making_channels


def stop_page(request: HttpRequest) -> HttpResponse:
    """Show what is on hold; on POST stop all channels, or let them go on."""
    if request.method != "POST":
        return _show_stop(request)
    reason, actor = request.POST.get("reason", ""), actor_of(request)
    try:
        if request.POST.get("step") == "resume":
            holding.resume_all(reason=reason, actor=actor)
            done = "The stop is lifted. A channel with a hold of its own stays on hold; see below."
        else:
            holding.stop(reason=reason, actor=actor)
            done = "All channels are stopped: nothing is published until somebody lifts that here."
    except Refusal as refusal:
        return _show_stop(request, typed=reason, status=refused(request, refusal))
    messages.success(request, done)
    return HttpResponseRedirect(request.get_full_path())


def create_page(request: HttpRequest) -> HttpResponse:
    """Ask for a channel's name and hosts; on POST make it."""
    if request.method != "POST":
        return _show_create(request)
    try:
        channel = making_channels.create_channel(
            name=request.POST.get("name", ""),
            hosts=request.POST.get("hosts", "").split(),
            actor=actor_of(request),
        )
    except Refusal as refusal:
        return _show_create(request, status=refused(request, refusal))
    messages.success(
        request, f"Channel {channel} is made. While nothing was published on it, it can be removed below."
    )
    return HttpResponseRedirect(reverse("admin:releases_channel_change", args=[channel.pk]))


def remove_channel(request: HttpRequest, channel: Channel) -> HttpResponse:
    """On POST remove a channel that never served anything; then show the list."""
    page = reverse("admin:releases_channel_change", args=[channel.pk])
    if request.method != "POST":
        return HttpResponseRedirect(page)
    name = channel.name
    try:
        making_channels.remove_channel(channel=channel, actor=actor_of(request))
    except Refusal as refusal:
        refused(request, refusal)
        return HttpResponseRedirect(page)
    messages.success(request, f"Channel {name} is removed. A new one may be called that again.")
    return HttpResponseRedirect(reverse("admin:releases_channel_changelist"))


def _show_stop(request: HttpRequest, *, typed: str = "", status: int = 200) -> HttpResponse:
    actor, stopped = actor_of(request), open_stop()
    return render(
        request,
        "releases/channel/stop.html",
        title="Stop all channels",
        status=status,
        stop=stopped,
        held=[held for held in open_holds() if not held.is_stop],
        typed=typed,
        why_not=why_no_lifting(stopped, actor)
        if stopped
        else why_not(actor, holding.MAY_HOLD, "stop all channels"),
    )


def _show_create(request: HttpRequest, *, status: int = 200) -> HttpResponse:
    return render(
        request,
        "releases/channel/create.html",
        title="New channel",
        status=status,
        typed=request.POST,
        why_not=why_not(actor_of(request), "releases.add_channel", "make a channel"),
    )
