from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.accounts.staff_pages import actor_of, refused, render
from apps.refusals import Refusal
from apps.releases.actions import actions_for
from apps.releases.conflicts.combinations import Contenders, combination_of
from apps.releases.conflicts.text_merging import Labels
from apps.releases.conflicts.texts import marked_merge, mergeable, merges_cleanly, typed_merge
from apps.releases.models import Release
from apps.releases.seen import Seen
from apps.releases.services.combining import Take, combine, refuse_to_combine

_DRAFTS_SHOWN = 50
_CONFLICTS_SHOWN = 50


def combine_page(request: HttpRequest, release: Release) -> HttpResponse:
    """Let somebody choose drafts to combine with this one, and decide what they change differently."""
    chosen = _chosen(request, release)
    if request.method != "POST":
        return _show(request, release, chosen)
    try:
        made = combine(
            releases=[release, *chosen],
            title=request.POST.get("title", ""),
            actor=actor_of(request),
            takes=dict(_takes(request, [release, *chosen])),
            rest=_number(request.POST.get("rest", "")),
        )
    except Refusal as refusal:
        return _show(request, release, chosen, status=refused(request, refusal))
    names = " and ".join(f"release {each.pk}" for each in (release, *chosen))
    messages.success(
        request, f"Release {made.pk} holds what {names} change. They are kept: withdraw this one to undo it."
    )
    return HttpResponseRedirect(reverse("admin:releases_release_change", args=[made.pk]))


def _chosen(request: HttpRequest, release: Release) -> list[Release]:
    typed = (request.POST if request.method == "POST" else request.GET).getlist("with")
    numbers = [int(each) for each in typed if each.isdecimal()]
    return list(_others(release).filter(pk__in=numbers[:_DRAFTS_SHOWN]))


def _others(release: Release) -> Any:
    drafts = Release.objects.select_related("channel", "owner", "base", "base_manifest")
    return (
        drafts.filter(channel=release.channel_id, state=Release.State.DRAFT)
        .exclude(pk=release.pk)
        .order_by("-pk")
    )


def _takes(request: HttpRequest, releases: Sequence[Release]) -> Iterator[tuple[str, Take]]:
    """Yield what was decided of each conflict: the number of a release, or the merged text."""
    choices = {label: request.POST.get(f"take:{label}", "") for label in request.POST.getlist("conflict")}
    are_merged = "merged" in choices.values()
    known = {each.label: each for each in combination_of(releases).conflicts} if are_merged else {}
    for label, choice in choices.items():
        if choice == "merged":
            typed, conflict = request.POST.get(f"content:{label}", ""), known.get(label)
            content = typed_merge(conflict.as_conflict, typed) if conflict else typed.encode()
            yield label, Take(content=content)
        elif number := _number(choice):
            yield label, Take(release=number)


def _number(typed: str) -> int | None:
    return int(typed) if typed.isdecimal() else None


def _show(
    request: HttpRequest, release: Release, chosen: list[Release], *, status: int = 200
) -> HttpResponse:
    return render(
        request,
        "releases/release/combine.html",
        title=f"Combine release {release.pk} with others",
        status=status,
        release=release,
        others=_others(release)[:_DRAFTS_SHOWN],
        chosen=chosen,
        chosen_numbers=[each.pk for each in chosen],
        typed_title=request.POST.get("title", " + ".join(each.title for each in (release, *chosen))),
        edit=actions_for(Seen(release), actor_of(request))["edit"],
        **_conflicts(request, [release, *chosen] if chosen else []),
    )


def _conflicts(request: HttpRequest, releases: list[Release]) -> dict[str, Any]:
    """Return what the drafts change differently and nobody can merge for them; or why they cannot be one."""
    if not releases:
        return {"combination": None}
    try:
        refuse_to_combine(releases)
    except Refusal as refusal:
        return {"combination": None, "why_not": str(refusal)}
    combination = combination_of(releases)
    pairs = [each.as_conflict for each in combination.conflicts if each.is_of_two]
    clean = {pair.label for pair in mergeable(pairs) if merges_cleanly(pair)}
    still_open = [each for each in combination.conflicts if each.label not in clean]
    return {
        "combination": combination,
        "merged_count": len(clean),
        "rows": [_row(request, each) for each in still_open[:_CONFLICTS_SHOWN]],
        "unlisted": max(0, len(still_open) - _CONFLICTS_SHOWN),
    }


def _row(request: HttpRequest, contenders: Contenders) -> dict[str, Any]:
    label = contenders.label
    numbers = contenders.releases
    merged = None
    if contenders.is_of_two:
        labels = Labels(f"release {numbers[0]}", "both began with", f"release {numbers[-1]}")
        merged = marked_merge(contenders.as_conflict, labels)
    return {
        "label": label,
        "in_words": contenders.as_conflict.in_words,
        "numbers": numbers,
        "choice": request.POST.get(f"take:{label}", ""),
        "content": request.POST.get(f"content:{label}", merged.text if merged else None),
    }
