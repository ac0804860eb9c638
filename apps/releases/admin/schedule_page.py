"""The page on which a release is scheduled, and what its own page says of that."""

import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.accounts.exceptions import WrongTime
from apps.accounts.local_times import SHOWN, moment_of, offset_words, zone_named, zone_names
from apps.accounts.permissions import require
from apps.accounts.selectors import time_zone_of
from apps.accounts.staff_pages import actor_of, refused, render
from apps.refusals import Refusal
from apps.releases.models import Release, Schedule
from apps.releases.seen import Seen
from apps.releases.services import scheduling
from apps.releases.transitions import State

Action = Schedule.Action
_OFFSET = re.compile(r"[+-]\d{2}:\d{2}")
_SETTLED_SHOWN = 4


class ScheduleForm(forms.Form):
    """When a release goes live, and is taken down. What times may be is for the services to say."""

    publish_at = forms.CharField(required=False, widget=forms.DateTimeInput(attrs={"type": "datetime-local"}))
    publish_at_offset = forms.CharField(required=False)
    end_at = forms.CharField(
        required=False,
        label="Take it down",
        help_text="Empty: it stays until something else takes its place.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )
    end_at_offset = forms.CharField(required=False)
    time_zone = forms.ChoiceField(help_text="Both times are meant in this zone.")

    def __init__(self, release: Release, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        self.fields["publish_at"].label = f"Publish to {release.channel}"
        zone = self.fields["time_zone"]
        if isinstance(zone, forms.ChoiceField):
            names = {*zone_names(), str(self.initial.get("time_zone", "UTC"))}
            zone.choices = [(name, name) for name in sorted(names)]
        self.offsets: dict[str, list[tuple[str, str]]] = {}

    def moment(self, name: str) -> datetime | None:
        """Return the moment that a field names; None where it names none, or an error was added to it."""
        typed, offset = self.cleaned_data[name], self.cleaned_data[f"{name}_offset"]
        zone = zone_named(self.cleaned_data["time_zone"])
        if not typed:
            return None
        try:
            return moment_of(typed + (offset if _OFFSET.fullmatch(offset) else ""), zone)
        except WrongTime as refusal:
            self.add_error(name, str(refusal))
            self.offsets[name] = [_offset_choice(each, zone) for each in refusal.choices]
            return None


def schedule_page(request: HttpRequest, release: Release) -> HttpResponse:
    """Ask when a release is to go live and to end; on POST schedule that."""
    if request.method != "POST":
        return _show(request, release, ScheduleForm(release, initial=_typed_before(request, release)))
    form = ScheduleForm(release, request.POST)
    if not form.is_valid():
        return _show(request, release, form, status=400)
    publish_at, end_at = form.moment("publish_at"), form.moment("end_at")
    if form.errors:
        return _show(request, release, form, status=400)
    try:
        done = _apply(request, release, form, {Action.PUBLISH: publish_at, Action.END: end_at})
    except Refusal as refusal:
        release.refresh_from_db()
        return _show(request, release, form, status=refused(request, refusal))
    messages.success(request, done)
    return HttpResponseRedirect(f"{reverse('admin:releases_release_change', args=[release.pk])}#schedule")


@transaction.atomic
def _apply(
    request: HttpRequest, release: Release, form: ScheduleForm, times: dict[Schedule.Action, datetime | None]
) -> str:
    """Schedule what was typed, and call off what was left empty; return that in words."""
    actor, waiting = actor_of(request), release.schedules.filter(state=Schedule.State.WAITING)
    cleared = [each for each in waiting if times[Action(each.action)] is None]
    for each in cleared:
        scheduling.unschedule(release=release, action=each.action, actor=actor)
    if cleared and not any(times.values()):
        return f"Called off: {scheduling.in_words(cleared)}. It can be scheduled again."
    made = scheduling.schedule(
        release=release,
        publish_at=times[Action.PUBLISH],
        end_at=times[Action.END],
        zone=zone_named(form.cleaned_data["time_zone"]),
        digest=request.POST.get("digest", ""),
        actor=actor,
    )
    return f"Scheduled: {scheduling.in_words(made)}. Until then it can be called off below."


def schedule_section(request: HttpRequest, seen: Seen) -> dict[str, Any]:
    """Return what a release's own page says of its schedules."""
    release, found = seen.release, seen.schedules
    waiting = [each for each in found if each.state == Schedule.State.WAITING]
    settled = [each for each in found if each.state != Schedule.State.WAITING]
    return {
        "waiting_schedules": sorted(waiting, key=lambda each: each.at),
        "settled_schedules": settled[:_SETTLED_SHOWN],
        "may_be_scheduled": release.state in (State.APPROVED, State.PUBLISHED),
        "why_no_schedule": _why_not(request, release),
    }


def _why_not(request: HttpRequest, release: Release) -> str:
    try:
        require(actor_of(request), "releases.publish_release", to=f"schedule release {release.pk}")
    except Refusal as refusal:
        return str(refusal)
    return ""


def _typed_before(request: HttpRequest, release: Release) -> dict[str, str]:
    """Return what waits, as it was typed, to be changed; else the reader's own zone."""
    waiting = list(release.schedules.filter(state=Schedule.State.WAITING))
    zone = zone_named(waiting[0].time_zone) if waiting else time_zone_of(actor_of(request))
    typed = {f"{each.action}_at": f"{each.at.astimezone(zone):{SHOWN}}".replace(" ", "T") for each in waiting}
    return typed | {"time_zone": zone.key}


def _offset_choice(moment: datetime, zone: ZoneInfo) -> tuple[str, str]:
    local = moment.astimezone(zone)
    return f"{local:%:z}", f"{local:%H:%M} at {offset_words(moment, zone)}"


def _show(request: HttpRequest, release: Release, form: ScheduleForm, *, status: int = 200) -> HttpResponse:
    seen = Seen(release)
    return render(
        request,
        "releases/release/schedule.html",
        title=f"Schedule release {release.pk}",
        status=status,
        release=release,
        live=seen.live,
        form=form,
        is_live=release.state == State.PUBLISHED,
        **schedule_section(request, seen),
    )
