"""The form of a rule: a new one, or a new version of one that is there. Services write."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.accounts.permissions import require
from apps.accounts.staff_pages import actor_of, refused, render
from apps.caching.admin.editor import RuleEditor, with_more_rows
from apps.caching.admin.known_values import known_values
from apps.caching.admin.outcome import Outcome, outcome_of, outcome_of_typed
from apps.caching.checking import BrokenExample, broken_by_saving
from apps.caching.exceptions import InvalidRule, VersionMoved
from apps.caching.models import CacheRule, CacheRuleVersion
from apps.caching.ordering import number_before
from apps.caching.overview import history
from apps.caching.rules import Match, Policy, RuleContent, RuleState
from apps.caching.selectors import content_of, current_versions, newest_versions
from apps.caching.serialisation import parse_match
from apps.caching.services import add_rule, add_version
from apps.caching.validation import FieldFault
from apps.caching.wording import mending_in_words
from apps.refusals import Refusal

MOST_BYTES = 256 * 1024
_NAMED = 5


def add_page(request: HttpRequest) -> HttpResponse:
    """Let somebody write a new rule."""
    return _page(request, None)


def edit_page(request: HttpRequest, rule: CacheRule) -> HttpResponse:
    """Let somebody write the next version of `rule`."""
    newest = newest_versions().select_related("created_by").get(rule=rule)
    return _page(request, newest)


def outcome_page(request: HttpRequest) -> HttpResponse:
    """Return what comes of the form as it is typed, as a part of a page. Nothing is kept.

    Status 413 where more is sent than a rule can say.
    """
    if int(request.headers.get("content-length") or 0) > MOST_BYTES:
        return HttpResponse("A rule is smaller than this.", status=413, content_type="text/plain")
    slug = request.POST.get("rule", "")
    newest = newest_versions().filter(rule__slug=slug).first() if slug else None
    try:
        _refuse_reader(request, newest)
    except Refusal as refusal:
        return HttpResponse(str(refusal), status=403, content_type="text/plain")
    editor = _editor(request, newest, typed=request.POST)
    outcome = outcome_of_typed(editor, _number(newest))
    return render(
        request,
        "caching/cacherule/outcome.html",
        title="",
        outcome=outcome,
        editor=editor,
        faults=list(editor.fault_words()),
        is_typed=True,
    )


def _page(request: HttpRequest, newest: CacheRuleVersion | None) -> HttpResponse:
    try:
        _refuse_reader(request, newest)
    except Refusal as refusal:
        return render(
            request, "caching/cacherule/refused.html", title="Cache rules", status=refused(request, refusal)
        )
    if request.method != "POST":
        return _show(request, newest)
    step = request.POST.get("step", "")
    if step in {"check", "rows"}:
        typed = with_more_rows(request.POST) if step == "rows" else request.POST
        return _show_typed(request, newest, _editor(request, newest, typed=typed))
    return _save(request, newest, state=RuleState.DRAFT if step == "draft" else None)


def _refuse_reader(request: HttpRequest, newest: CacheRuleVersion | None) -> None:
    permission = "caching.change_cacherule" if newest else "caching.add_cacherule"
    require(actor_of(request), permission, to="write cache rules")


def _number(newest: CacheRuleVersion | None) -> int:
    return newest.number + 1 if newest else 1


def _editor(
    request: HttpRequest, newest: CacheRuleVersion | None, *, typed: QueryDict | None = None
) -> RuleEditor:
    others = list(newest_versions())
    owner = newest.owner if newest else actor_of(request)
    return RuleEditor(
        slug=newest.rule.slug if newest else "",
        others=others,
        content=content_of(newest) if newest else _blank(others),
        owner=owner if owner.is_active else None,
        based_on=newest.number if newest else None,
        typed=typed,
    )


def _blank(others: Sequence[CacheRuleVersion]) -> RuleContent:
    """Return what a new rule begins with: caches may keep nothing unasked, and it is tried last.

    That is before the first rule that ships and takes every file: behind that one it would never decide.
    """
    orders = {version.rule.slug: version.order for version in others}
    takes_all = (each.rule.slug for each in current_versions() if _takes_all(each))
    return RuleContent("", number_before(orders, next(takes_all, "")), Match(), Policy(), "", "")


def _takes_all(version: CacheRuleVersion) -> bool:
    return parse_match(version.match) == Match()


def _save(request: HttpRequest, newest: CacheRuleVersion | None, *, state: RuleState | None) -> HttpResponse:
    editor = _editor(request, newest, typed=request.POST)
    if not editor.is_valid():
        return _show_refused(request, newest, editor)
    content = editor.content() | ({"state": state} if state else {})
    words = {"owner": editor.owner, "reason": editor.form.cleaned_data["reason"]}
    try:
        if newest is None:
            version = add_rule(actor=actor_of(request), content=content, slug=editor.typed_slug, **words)
        else:
            begun_with = editor.form.cleaned_data["based_on"] or 0
            version = add_version(
                actor=actor_of(request),
                content=content,
                rule_slug=newest.rule.slug,
                based_on=begun_with,
                **words,
            )
    except InvalidRule as refusal:
        return _show_refused(request, newest, editor, refusal.faults)
    except VersionMoved as refusal:
        return _show_moved(request, refusal, begun_with)
    say_saved(request, version)
    return HttpResponseRedirect(reverse("admin:caching_cacherule_change", args=[version.rule_id]))


def say_saved(request: HttpRequest, version: CacheRuleVersion) -> None:
    """Say on the next page what was saved, and which examples of other rules do not hold because of it."""
    messages.success(request, _saved_words(version))
    if broken := broken_by_saving(version):
        messages.warning(request, _broken_words(version, broken))


def _broken_words(version: CacheRuleVersion, broken: Sequence[BrokenExample]) -> SafeString:
    named = [
        (
            reverse("admin:caching_cacherule_edit", args=[each.rule_id]),
            each.name,
            each.result.example.url,
            each.result.words,
        )
        for each in broken[:_NAMED]
    ]
    more = len(broken) - len(named)
    return format_html(
        "A release with it would not pass its check: examples of other rules fail now. {}{}. {}",
        format_html_join("; ", '<a href="{}">{}</a>: <code>{}</code> {}', named),
        f"; and {more} more" if more else "",
        mending_in_words(RuleState(version.state)),
    )


def _saved_words(version: CacheRuleVersion) -> str:
    """Say what ships with what from now on, and how to undo it."""
    number, back = version.number, _way_back(version)
    if version.state == RuleState.DRAFT:
        return format_html("Version {} is saved as a draft: no release ships with it. {}", number, back)
    if version.state == RuleState.DISABLED:
        return format_html("Version {} disables the rule in releases begun from now on. {}", number, back)
    return format_html(
        "Version {} ships with releases begun from now on."
        ' <a class="button" href="{}">Make a release with it</a> {}',
        number,
        reverse("admin:releases_release_with_rules"),
        back,
    )


def _way_back(version: CacheRuleVersion) -> SafeString:
    """Say where the page of the rule undoes what was saved: a first version has none before it."""
    page = reverse("admin:caching_cacherule_change", args=[version.rule_id])
    if version.number > 1:
        return format_html('<a href="{}#rule-history">Its history</a> leads back to earlier versions.', page)
    if version.state == RuleState.ACTIVE:
        return format_html('To undo it, <a href="{}#rule-switch">disable it</a>.', page)
    return format_html('<a href="{}#rule-switch">Make it active</a> once releases are to ship with it.', page)


def _show_refused(
    request: HttpRequest,
    newest: CacheRuleVersion | None,
    editor: RuleEditor,
    faults: Sequence[FieldFault] = (),
) -> HttpResponse:
    messages.error(request, "Nothing was saved: see what has to be corrected.")
    return _show_typed(request, newest, editor, status=400, refused_for=faults)


def _show_moved(request: HttpRequest, refusal: VersionMoved, begun_with: int) -> HttpResponse:
    """Show what was typed again, now as a change of the version that somebody else has saved."""
    typed = request.POST.copy()
    newest = newest_versions().select_related("created_by").get(rule__slug=refusal.slug)
    typed["based_on"] = str(newest.number)
    messages.error(request, str(refusal))
    editor = _editor(request, newest, typed=typed)
    return _show_typed(request, newest, editor, status=409, begun_with=begun_with)


def _show_typed(
    request: HttpRequest,
    newest: CacheRuleVersion | None,
    editor: RuleEditor,
    *,
    status: int = 200,
    refused_for: Sequence[FieldFault] = (),
    begun_with: int | None = None,
) -> HttpResponse:
    outcome = outcome_of_typed(editor, _number(newest))
    editor.place(fault for fault in refused_for if fault not in outcome.check.faults)
    return _render(
        request,
        newest,
        editor,
        outcome,
        status=status,
        faults=list(editor.fault_words()),
        is_typed=True,
        is_refused=status == 400,
        begun_with=begun_with,
    )


def _show(request: HttpRequest, newest: CacheRuleVersion | None) -> HttpResponse:
    editor = _editor(request, newest)
    slug = newest.rule.slug if newest else "this-rule"
    return _render(request, newest, editor, outcome_of(slug, _number(newest), editor.given))


def _render(
    request: HttpRequest,
    newest: CacheRuleVersion | None,
    editor: RuleEditor,
    outcome: Outcome,
    *,
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    number, known = _number(newest), known_values()
    editor.suggest(known)
    return render(
        request,
        "caching/cacherule/edit.html",
        title=f"{newest.name} · version {number}" if newest else "New cache rule",
        status=status,
        newest=newest,
        number=number,
        editor=editor,
        outcome=outcome,
        history=history(newest.rule) if newest else [],
        addresses=known.addresses,
        **context,
    )
