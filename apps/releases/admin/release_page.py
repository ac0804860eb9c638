from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect

from apps.accounts.staff_pages import actor_of, page_of, refused, render
from apps.refusals import Refusal
from apps.releases.actions import Action, actions_for, main_action
from apps.releases.admin import steps
from apps.releases.admin.checks_section import checks_section
from apps.releases.admin.drill_section import drill_section
from apps.releases.admin.emergency_section import emergency_section
from apps.releases.admin.findings_page import findings_section
from apps.releases.admin.forms import BriefForm, RedirectForm
from apps.releases.admin.preview_section import PreviewForm, open_typed_preview, preview_section
from apps.releases.admin.redirect_section import put_typed_redirect, redirect_section
from apps.releases.admin.review_section import review_section
from apps.releases.admin.rules_page import rules_section
from apps.releases.admin.schedule_page import schedule_section
from apps.releases.admin.standing_section import standing_section
from apps.releases.comparing.change_rows import rows_of
from apps.releases.headlines import headline
from apps.releases.models import Release
from apps.releases.seen import Seen
from apps.releases.selectors import (
    built_manifest_of,
    changes_of,
    entries_about,
    threads_by_path,
)
from apps.releases.services import drafts
from apps.releases.transitions import State

ENTRIES_SHOWN = 6
_FEW = 10  # so many changes are shown open: a reader sees all of it without a click
_CHANGE_KINDS = ("added", "changed", "removed")


@dataclass(frozen=True, slots=True)
class Stop:
    """A place on the line from draft to published."""

    label: str
    is_current: bool
    is_passed: bool


def release_page(request: HttpRequest, release: Release) -> HttpResponse:
    """Show a release; on POST take the step that was asked for, and come back."""
    if request.method != "POST":
        return _show(request, release)
    if request.POST.get("step") == "edit":
        return _edit(request, release)
    if request.POST.get("step") == "put_redirect":
        return _put_redirect(request, release)
    if request.POST.get("step") == "open_preview":
        return _open_preview(request, release)
    return _take_step(request, release)


def progress_of(release: Release) -> list[Stop]:
    """Return the line of a release's life with the place where it is."""
    labels = [State.DRAFT, State.IN_REVIEW, State.APPROVED, State.PUBLISHED]
    now = State(release.state)
    if now is State.SUPERSEDED:
        labels.append(now)
    elif now not in labels:
        labels = [State.DRAFT, now]
    place = labels.index(now)
    return [
        Stop(label.label.capitalize(), is_current=at == place, is_passed=at < place)
        for at, label in enumerate(labels)
    ]


def _take_step(request: HttpRequest, release: Release) -> HttpResponse:
    try:
        done = steps.take(request.POST.get("step", ""), release, request.POST, actor_of(request))
    except KeyError:
        return HttpResponseBadRequest("There is no such step.", content_type="text/plain")
    except Refusal as refusal:
        release.refresh_from_db()
        return _show(request, release, status=refused(request, refusal), typed=request.POST)
    messages.success(request, done)
    return HttpResponseRedirect(request.get_full_path())


def _edit(request: HttpRequest, release: Release) -> HttpResponse:
    # A model form writes into its instance: the release itself stays what the database says.
    form = BriefForm(request.POST, instance=copy(release))
    if not form.is_valid():
        messages.error(request, "Nothing was saved: see below.")
        return _show(request, release, status=400, brief=form)
    try:
        drafts.edit_release(release=copy(release), actor=actor_of(request), **form.cleaned_data)
    except Refusal as refusal:
        release.refresh_from_db()
        return _show(request, release, status=refused(request, refusal), brief=form)
    messages.success(request, "The brief is saved. While this is a draft it can be edited again.")
    return HttpResponseRedirect(request.get_full_path())


def _put_redirect(request: HttpRequest, release: Release) -> HttpResponse:
    form = RedirectForm(request.POST)
    try:
        is_in = put_typed_redirect(request, release, form)
    except Refusal as refusal:
        release.refresh_from_db()
        return _show(request, release, status=refused(request, refusal), redirect=form)
    if not is_in:
        return _show(request, release, status=400, redirect=form)
    return HttpResponseRedirect(request.get_full_path())


def _open_preview(request: HttpRequest, release: Release) -> HttpResponse:
    form = PreviewForm(request.POST)
    try:
        is_made = open_typed_preview(request, release, form)
    except Refusal as refusal:
        return _show(request, release, status=refused(request, refusal), preview=form)
    if not is_made:
        return _show(request, release, status=400, preview=form)
    return HttpResponseRedirect(request.get_full_path())


def _show(
    request: HttpRequest,
    release: Release,
    *,
    status: int = 200,
    brief: BriefForm | None = None,
    typed: Mapping[str, Any] | None = None,
    redirect: RedirectForm | None = None,
    preview: PreviewForm | None = None,
) -> HttpResponse:
    reader, seen = actor_of(request), Seen(release)
    actions = actions_for(seen, reader)
    context = {
        "release": release,
        "is_live": seen.live is not None and seen.live.release_id == release.pk,
        "headline": headline(seen, actions, reader),
        "progress": progress_of(release),
        "brief": brief or BriefForm(instance=release),
        "has_typed_brief": brief is not None,
        "typed": typed or {},
        **_steps(actions),
        **_changes(request, seen),
        **findings_section(release),
        **redirect_section(request, seen, redirect),
        **preview_section(request, release, preview),
        **checks_section(request, seen),
        **review_section(request, seen),
        **drill_section(request, release),
        **standing_section(seen),
        **schedule_section(request, seen),
        **emergency_section(request, release),
        **rules_section(release),
        **_history(release),
    }
    return render(
        request,
        "releases/release/page.html",
        title=f"Release {release.pk} · {release.title}",
        status=status,
        **context,
    )


def _steps(actions: dict[str, Action]) -> dict[str, Any]:
    main = main_action(actions)
    others = [action for action in actions.values() if action is not main and action.name != "edit"]
    return {
        "actions": actions,
        "main": main,
        "open_steps": [action for action in others if action.is_next and action.is_allowed],
        "refused_steps": [action for action in actions.values() if action.is_next and not action.is_allowed],
        "other_steps": [action for action in others if not action.is_next],
    }


def _changes(request: HttpRequest, seen: Seen) -> dict[str, Any]:
    release, counts = seen.release, seen.changes
    kind = request.GET.get("kind", "")
    kind = kind if kind in _CHANGE_KINDS else ""
    numbers = changes_of(release, kind=kind).values_list("pk", flat=True)
    page = page_of(request, numbers, count=getattr(counts, kind or "total"))
    # What is shown of a change is read of those on the page only: not of all that are sorted by path for it.
    changes = list(changes_of(release).filter(pk__in=list(page)))
    return {
        "counts": counts,
        "kind": kind,
        "kinds": [(name, getattr(counts, name)) for name in _CHANGE_KINDS],
        "page": page,
        "rows": rows_of(changes, built_manifest_of(release)),
        "said_of": threads_by_path(release, [change.asset.path for change in changes]),
        "are_few": counts.total <= _FEW,
    }


def _history(release: Release) -> dict[str, Any]:
    entries = entries_about(release)
    return {"entries": entries[:ENTRIES_SHOWN], "entry_count": entries.count()}
