"""The conflicts of a release with what is live: a page that lists them, and one of each."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.urls import reverse

from apps.accounts.staff_pages import ROWS_A_PAGE, actor_of, refused, render
from apps.assets import store
from apps.refusals import Refusal
from apps.releases.actions import actions_for
from apps.releases.comparing.texts import compare
from apps.releases.conflicts.reports import ConflictRow, conflict_rows
from apps.releases.conflicts.standing import Conflict, Kind, Standing
from apps.releases.conflicts.texts import labels_of, marked_merge, texts_of, typed_merge
from apps.releases.models import Release
from apps.releases.seen import Seen
from apps.releases.services import rebasing
from apps.releases.services.rebasing import Choice, Decision

_SIDE_LINES = 200


def conflicts_page(request: HttpRequest, release: Release) -> HttpResponse:
    """List what a release and its channel have both changed; on POST decide, or rebase."""
    if request.method != "POST":
        return _show_all(request, release)
    try:
        done = _take(request, release)
    except KeyError:
        return HttpResponseBadRequest("There is no such step.", content_type="text/plain")
    except Refusal as refusal:
        release.refresh_from_db()
        return _show_all(request, release, status=refused(request, refusal))
    messages.success(request, done)
    if request.POST.get("step") == "rebase":
        return HttpResponseRedirect(reverse("admin:releases_release_change", args=[release.pk]))
    return HttpResponseRedirect(request.get_full_path())


def conflict_page(request: HttpRequest, release: Release) -> HttpResponse:
    """Show one conflict: what each side did, and the merge where it is text; on POST decide about it."""
    seen = Seen(release)
    conflict = _named(_standing(seen), request.GET.get("name", ""))
    if request.method != "POST":
        return _show_one(request, seen, conflict)
    typed = request.POST.get("content")
    try:
        decision = _decision(request.POST.get("choice", ""), conflict, typed)
        rebasing.resolve(release=release, name=conflict.label, decision=decision, actor=actor_of(request))
    except ValueError:
        return HttpResponseBadRequest("There is no such choice.", content_type="text/plain")
    except Refusal as refusal:
        return _show_one(request, Seen(release), conflict, typed=typed, status=refused(request, refusal))
    messages.success(request, f"Decided about {conflict.in_words}. Until the rebase it can be decided anew.")
    return HttpResponseRedirect(reverse("admin:releases_release_conflicts", args=[release.pk]))


def address_of(release: Release, conflict: Conflict) -> str:
    """Return the address of a conflict's own page."""
    page = reverse("admin:releases_release_conflict", args=[release.pk])
    return f"{page}?{urlencode({'name': conflict.label})}"


def _take(request: HttpRequest, release: Release) -> str:
    """Take the step that was asked for; return what has happened. Raises `KeyError` where there is none."""
    typed, actor = request.POST, actor_of(request)
    step, name = typed.get("step"), typed.get("name", "")
    if step == "rebase":
        rebasing.rebase(release=release, actor=actor)
        return (
            f"Release {release.pk} is a draft on what {release.channel} serves. Submit it when it is ready."
        )
    choice = {"ours": Choice.OURS, "theirs": Choice.THEIRS}
    if step == "decide":
        rebasing.resolve(release=release, name=name, decision=Decision(choice[typed["choice"]]), actor=actor)
        return f"Decided about {name}. Until the rebase it can be decided anew."
    if step == "decide_rest":
        count = rebasing.resolve_rest(release=release, choice=choice[typed["choice"]], actor=actor)
        return f"Decided about {count} conflicts. Until the rebase each can be decided anew."
    if step == "forget":
        rebasing.forget_resolution(release=release, name=name, actor=actor)
        return f"The decision about {name} is taken back."
    raise KeyError(step)


def _standing(seen: Seen) -> Standing | None:
    """Return how the release stands to what is live, None where it was begun on that."""
    return seen.standing if seen.is_behind else None


def _named(standing: Standing | None, name: str) -> Conflict:
    found = next((each for each in standing.conflicts if each.label == name), None) if standing else None
    if found is None:
        raise Http404(f"{name} is not in conflict.")
    return found


def _decision(choice: str, conflict: Conflict, typed: str | None) -> Decision:
    """Return the decision that was typed. Raises `ValueError` where there is no such choice."""
    if Choice(choice) is not Choice.MERGED:
        return Decision(Choice(choice))
    return Decision(Choice.MERGED, typed_merge(conflict, typed or ""))


def _show_all(request: HttpRequest, release: Release, *, status: int = 200) -> HttpResponse:
    seen = Seen(release)
    standing = _standing(seen)
    page = Paginator(standing.conflicts if standing else (), ROWS_A_PAGE).get_page(request.GET.get("page"))
    rows = [(row, address_of(release, row.conflict)) for row in conflict_rows(release, list(page))]
    return render(
        request,
        "releases/release/conflicts.html",
        title=f"Conflicts · release {release.pk}",
        status=status,
        release=release,
        live=seen.live,
        standing=standing,
        decided=release.resolutions.count() if standing else 0,
        page=page,
        rows=rows,
        rebase=actions_for(seen, actor_of(request))["rebase"],
    )


def _show_one(
    request: HttpRequest,
    seen: Seen,
    conflict: Conflict,
    *,
    typed: str | None = None,
    status: int = 200,
) -> HttpResponse:
    release = seen.release
    row = conflict_rows(release, [conflict])[0]
    return render(
        request,
        "releases/release/conflict.html",
        title=f"{conflict.label} · conflicts of release {release.pk}",
        status=status,
        release=release,
        row=row,
        conflict=conflict,
        rebase=actions_for(seen, actor_of(request))["rebase"],
        **_merge_of(seen, row, typed),
        **_sides_of(conflict),
    )


def _merge_of(seen: Seen, row: ConflictRow, typed: str | None) -> dict[str, Any]:
    """Return what the text area holds: what was typed, what was decided, or the merge with its markers."""
    merged = marked_merge(row.conflict, labels_of(seen.release, seen.live))
    if merged is None:
        return {"content": None, "clashes": 0}
    decided = row.decision.blob if row.decision else None
    text = typed if typed is not None else _text_of(decided.digest) if decided else merged.text
    return {"content": text.replace("\r\n", "\n"), "clashes": merged.clashes}


def _text_of(digest: str) -> str:
    return store.read_blob(digest).decode(errors="replace")


def _sides_of(conflict: Conflict) -> dict[str, Any]:
    """Return what each side changed of what both began with: as lines of text, or as plain values."""
    texts = texts_of(conflict)
    if texts:
        return {
            "ours_text": compare(texts.base, texts.ours, max_lines=_SIDE_LINES),
            "theirs_text": compare(texts.base, texts.theirs, max_lines=_SIDE_LINES),
        }
    is_file = conflict.kind is Kind.FILE
    values = (("Both began with", conflict.base), ("The release", conflict.ours), ("Live", conflict.theirs))
    return {"values": [(name, value, is_file) for name, value in values]}
