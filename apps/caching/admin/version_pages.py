"""Two versions of a rule side by side, and the way back to an earlier one."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.urls import reverse

from apps.accounts.staff_pages import actor_of, refused, render, why_not
from apps.caching.admin.outcome import outcome_of
from apps.caching.admin.rule_page import say_saved
from apps.caching.evaluation import path_of
from apps.caching.examples import guess_media_type
from apps.caching.exceptions import UnknownRule
from apps.caching.models import CacheRule, CacheRuleVersion
from apps.caching.rules import RuleContent, RuleState
from apps.caching.selectors import content_of, newest_versions, restored_content, version_numbered
from apps.caching.services import restore_version, set_state
from apps.caching.versions import FieldChange, field_changes, header_changes
from apps.refusals import Refusal

_DIGITS = 9


def compare_page(request: HttpRequest, rule: CacheRule) -> HttpResponse:
    """Show what two versions of `rule` differ in; without `?old=`, the newest and the one before it."""
    newest = newest_versions().get(rule=rule)
    new = _version(rule, request.GET.get("new", str(newest.number)))
    old = _version(rule, request.GET.get("old", str(max(new.number - 1, 1))))
    numbers = list(rule.versions.order_by("-number").values_list("number", flat=True))
    return render(
        request,
        "caching/cacherule/compare.html",
        title=f"{newest.name}: version {old.number} and version {new.number}",
        rule=rule,
        newest=newest,
        numbers=numbers,
        why_not=why_not_change(request),
        **_comparison(old, new),
    )


def restore_page(request: HttpRequest, rule: CacheRule, version: int) -> HttpResponse:
    """Ask why a rule goes back to an earlier version, with what that changes; on POST do it."""
    newest, earlier = newest_versions().get(rule=rule), _version(rule, str(version))
    status = 200
    if request.method == "POST":
        try:
            made = restore_version(
                rule_slug=rule.slug,
                number=earlier.number,
                reason=request.POST.get("reason", ""),
                actor=actor_of(request),
                based_on=_number(request.POST.get("based_on", "")),
            )
        except Refusal as refusal:
            status = refused(request, refusal)
        else:
            say_saved(request, made)
            return HttpResponseRedirect(reverse("admin:caching_cacherule_change", args=[rule.pk]))
    return render(
        request,
        "caching/cacherule/restore.html",
        title=f"{newest.name}: back to version {earlier.number}",
        status=status,
        rule=rule,
        newest=newest,
        earlier=earlier,
        outcome=outcome_of(rule.slug, newest.number + 1, restored_content(earlier, newest=newest)),
        typed_reason=request.POST.get("reason", ""),
        why_not=why_not_change(request),
        **_comparison(newest, earlier),
    )


def state_step(request: HttpRequest, rule: CacheRule) -> HttpResponse:
    """Disable `rule` or enable it again, and come back to its page."""
    try:
        state = RuleState(request.POST.get("state", ""))
    except ValueError:
        return HttpResponseBadRequest("There is no such state.", content_type="text/plain")
    try:
        made = set_state(
            rule_slug=rule.slug,
            state=state,
            reason=request.POST.get("reason", ""),
            actor=actor_of(request),
            based_on=_number(request.POST.get("based_on", "")),
        )
    except Refusal as refusal:
        refused(request, refusal)
    else:
        say_saved(request, made)
    return HttpResponseRedirect(reverse("admin:caching_cacherule_change", args=[rule.pk]))


def why_not_change(request: HttpRequest) -> str:
    """Return why the reader may not change rules, and who may; "" where they may."""
    return why_not(request, "caching.change_cacherule", to="change a cache rule")


def _comparison(old: CacheRuleVersion, new: CacheRuleVersion) -> dict[str, Any]:
    before, after = content_of(old), content_of(new)
    changes = field_changes(before, after)
    if old.owner_id != new.owner_id:
        changes.insert(0, FieldChange("Owner", str(old.owner), str(new.owner)))
    return {
        "old": old,
        "new": new,
        "changes": changes,
        "headers": header_changes(before, after, _media_type(after)),
    }


def _media_type(content: RuleContent) -> str:
    url = next((example.url for example in content.examples), "/app.css")
    return guess_media_type(path_of(url))


def _version(rule: CacheRule, typed: str) -> CacheRuleVersion:
    try:
        return version_numbered(rule.slug, _number(typed) or 0)
    except UnknownRule as refusal:
        raise Http404(str(refusal)) from refusal


def _number(typed: str) -> int | None:
    return int(typed) if typed.isdecimal() and len(typed) <= _DIGITS else None
