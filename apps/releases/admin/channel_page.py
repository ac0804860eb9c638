from enum import StrEnum

from django.contrib import messages
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseRedirect,
    QueryDict,
)
from django.urls import reverse
from django.utils.html import format_html

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.accounts.staff_pages import actor_of, page_of, refused, render
from apps.refusals import Refusal
from apps.releases.admin import channel_steps
from apps.releases.admin.channel_sections import sections_of, why_not
from apps.releases.admin.following import following_words
from apps.releases.admin.forms import OptionsForm, ReasonForm, RequirementsForm
from apps.releases.admin.proposal_section import decide, proposal_rows, proposed_in_words
from apps.releases.exceptions import BaseMoved, WrongOption
from apps.releases.headlines import counted, kept_in_words
from apps.releases.history.verification import unverified
from apps.releases.models import Channel, Publication
from apps.releases.rolling_back.preview import preview_roll_back
from apps.releases.rolling_back.retention import kept_names
from apps.releases.selectors import (
    failed_schedules,
    history_of,
    live_publication,
    publication_before,
    publication_undone_by,
    waiting_schedules,
)
from apps.releases.selectors.emergencies import marks_of
from apps.releases.services import channels, publishing
from apps.releases.services.fingerprinting import is_built_otherwise
from apps.releases.services.making_channels import refuse_removing
from apps.releases.services.pointers import is_current

FAILED_SHOWN = 5


class Pointer(StrEnum):
    """Whether storage, from which visitors are served, says what the database says."""

    CURRENT = "current"
    BEHIND = "behind"
    UNREACHABLE = "unreachable"


def channel_page(request: HttpRequest, channel: Channel) -> HttpResponse:
    """Show what a channel serves and how it came to that; on POST take a step, or set what it asks for."""
    if request.method != "POST":
        return _show_channel(request, channel)
    if "proposal" in request.POST:
        return _decide(request, channel)
    if "step" in request.POST:
        return _take_step(request, channel)
    return _set_options(request, channel) if "options" in request.POST else _require(request, channel)


def _decide(request: HttpRequest, channel: Channel) -> HttpResponse:
    try:
        decide(request, channel)
    except Refusal as refusal:
        return _show_channel(request, channel, status=refused(request, refusal))
    return HttpResponseRedirect(request.get_full_path())


def _take_step(request: HttpRequest, channel: Channel) -> HttpResponse:
    try:
        done = channel_steps.take(request.POST["step"], channel, request.POST, actor_of(request))
    except KeyError:
        return HttpResponseBadRequest("There is no such step.", content_type="text/plain")
    except Refusal as refusal:
        status = refused(request, refusal)
        return _show_channel(request, channel, typed=request.POST, status=status)
    messages.success(request, done)
    return HttpResponseRedirect(request.get_full_path())


def _set_options(request: HttpRequest, channel: Channel) -> HttpResponse:
    form, before = OptionsForm(request.POST), _values(channel)
    if not form.is_valid():
        return _show_channel(request, channel, options=form, status=400)
    try:
        channel = channels.set_options(channel=channel, actor=actor_of(request), **form.cleaned_data)
    except WrongOption as refusal:
        form.add_error(refusal.option, str(refusal))
        return _show_channel(request, channel, options=form, status=400)
    except Refusal as refusal:
        return _show_channel(request, channel, status=refused(request, refusal))
    messages.success(request, _saved(before, channel) or "Nothing was changed.")
    return HttpResponseRedirect(request.get_full_path())


def _require(request: HttpRequest, channel: Channel) -> HttpResponse:
    form, before, count_before = RequirementsForm(request.POST), _values(channel), channel.required_approvals
    if not form.is_valid():
        return _show_channel(request, channel, requirements=form, status=400)
    options = dict(form.cleaned_data)
    count = options.pop("required_approvals")
    try:
        channel = channels.set_requirements(
            channel=channel, approvals=count, actor=actor_of(request), **options
        )
    except Refusal as refusal:
        channel.refresh_from_db()
        return _show_channel(request, channel, requirements=form, status=refused(request, refusal))
    asks = f"From now on {channel} asks for {counted(count, 'approval')}. Before: {count_before}."
    proposed = proposed_in_words(channel, actor_of(request))
    saved = [asks if channel.required_approvals != count_before else "", _saved(before, channel), proposed]
    messages.success(request, " ".join(filter(None, saved)) or "Nothing was changed.")
    return HttpResponseRedirect(request.get_full_path())


def _values(channel: Channel) -> dict[str, bool | int | str]:
    return {name: channels.value_of(channel, name) for name in channels.OPTIONS}


def _saved(before: dict[str, bool | int | str], channel: Channel) -> str:
    """Say which options have changed, and what they were before; "" where none has."""
    changed = [
        f"{words}: {channels.in_words(value)}, before: {channels.in_words(before[name])}"
        for name, words in channels.OPTIONS.items()
        if (value := channels.value_of(channel, name)) != before[name]
    ]
    return f"Saved: {'; '.join(changed)}. Set it back below." if changed else ""


def roll_back_page(request: HttpRequest, channel: Channel, sequence: int) -> HttpResponse:
    """Show what rolling back to an earlier publication changes; on POST, with a reason, roll back."""
    goal = history_of(channel).select_related("manifest").filter(sequence=sequence).first()
    live = live_publication(channel)
    if goal is None or live is None:
        raise Http404(f"{channel} has no publication {sequence}.")
    if request.method != "POST":
        return _show_roll_back(request, channel, live, goal, ReasonForm())
    form, seen = ReasonForm(request.POST), request.POST.get("live", "")
    try:
        _refuse_other_live(live, seen)
        done = publishing.roll_back(
            channel=channel, to=goal.sequence, reason=request.POST.get("reason", ""), actor=actor_of(request)
        )
    except Refusal as refusal:
        return _show_roll_back(request, channel, live, goal, form, status=refused(request, refusal))
    messages.success(request, _rolled_back(done, live))
    return HttpResponseRedirect(reverse("admin:releases_channel_change", args=[channel.pk]))


def _refuse_other_live(live: Publication, seen: str) -> None:
    """Raise `BaseMoved` where the page that was confirmed compared with what is no longer live."""
    if seen != str(live.sequence):
        raise BaseMoved(
            f"{live.channel} serves {live.tag} by now, not what this page compared with.",
            next_step="Look at what would change now, and decide again.",
        )


def _rolled_back(done: Publication, before: Publication) -> str:
    undo = reverse("admin:releases_channel_roll_back", args=[done.channel_id, before.sequence])
    return format_html(
        'Rolled back: {} serves release {} again (<a href="{}">receipt</a>). '
        'If that was wrong, <a href="{}">serve {} again</a>.',
        done.channel,
        done.release_id,
        reverse("admin:releases_channel_receipt", args=[done.channel_id, done.sequence]),
        undo,
        before.tag,
    )


def _show_channel(
    request: HttpRequest,
    channel: Channel,
    *,
    requirements: RequirementsForm | None = None,
    options: OptionsForm | None = None,
    typed: QueryDict | None = None,
    status: int = 200,
) -> HttpResponse:
    live, actor, kept = live_publication(channel), actor_of(request), kept_names(channel)
    page = page_of(request, history_of(channel).select_related("seal"))
    marked = marks_of(page)
    return render(
        request,
        "releases/channel/page.html",
        title=f"Channel {channel}",
        status=status,
        channel=channel,
        live=live,
        pointer=_pointer(live) if live else None,
        following=following_words(live) if live else None,
        undone=publication_undone_by(live) if live else None,
        waits_for_build=is_built_otherwise(live),
        goal=publication_before(live) if live else None,
        page=page,
        unverified=unverified(page, marked),
        marks={pk: marks.words for pk, marks in marked.items()},
        kept=kept_in_words(kept) if kept else "",
        requirements=requirements or RequirementsForm.of(channel),
        options=options or OptionsForm.of(channel),
        proposals=proposal_rows(channel, actor),
        option_words=_in_words(channel, channels.ANSWERS),
        requirement_words=_in_words(channel, channels.REQUIREMENTS),
        why_no_roll_back=why_not(actor, "releases.roll_back_channel", f"roll {channel} back"),
        why_no_change=why_not(actor, "releases.change_channel", "change that"),
        why_no_removal=_why_no_removal(channel, actor),
        **sections_of(channel, actor, typed),
        can_promote=not why_not(actor, "releases.add_release", f"promote to {channel}"),
        schedules=waiting_schedules(channel=channel),
        failed_schedules=failed_schedules(channel=channel)[:FAILED_SHOWN],
    )


def _show_roll_back(
    request: HttpRequest,
    channel: Channel,
    live: Publication,
    goal: Publication,
    form: ReasonForm,
    *,
    status: int = 200,
) -> HttpResponse:
    return render(
        request,
        "releases/channel/roll_back.html",
        title=f"Roll {channel} back to {goal.tag}",
        status=status,
        channel=channel,
        live=live,
        goal=goal,
        is_same=goal.manifest_id == live.manifest_id,
        preview=(preview := preview_roll_back(live, goal, is_patient="count" in request.GET)),
        impact=preview.impact,
        form=form,
        why_not=why_not(actor_of(request), "releases.roll_back_channel", f"roll {channel} back"),
    )


def _in_words(channel: Channel, options: dict[str, str]) -> list[tuple[str, str]]:
    return [(words, channels.in_words(channels.value_of(channel, name))) for name, words in options.items()]


def _pointer(live: Publication) -> Pointer:
    try:
        return Pointer.CURRENT if is_current(live) else Pointer.BEHIND
    except OSError:
        return Pointer.UNREACHABLE


def _why_no_removal(channel: Channel, actor: User) -> str:
    try:
        require(actor, "releases.delete_channel", to=f"remove channel {channel}")
        refuse_removing(channel)
    except Refusal as refusal:
        return str(refusal)
    return ""
