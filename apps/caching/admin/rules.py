from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from apps.accounts.staff_pages import ReadByPages, render
from apps.caching.admin.exports import export_file
from apps.caching.admin.import_page import import_page
from apps.caching.admin.list_steps import combine_step, move_step
from apps.caching.admin.rule_page import add_page, edit_page, outcome_page
from apps.caching.admin.sections import sections_of
from apps.caching.admin.version_pages import compare_page, restore_page, state_step, why_not_change
from apps.caching.exports.targets import TARGETS
from apps.caching.lint import grouped
from apps.caching.models import CacheRule, CacheRuleVersion
from apps.caching.overview import RuleOverview, history, overviews
from apps.caching.remarks import remarks
from apps.caching.rules import Combination, RuleState
from apps.caching.selectors import chosen_combination, newest_versions


class RuleChangeList(ChangeList):
    """Gives each row its overview, with a few queries. `failing` are rules that fail, on any page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[CacheRule] = list(self.result_list)
        every = dict(newest_versions().values_list("rule", "rule__slug"))
        found, odd, in_order = overviews(every), remarks(), list(every.values())
        for row in rows:
            vars(row)["overview"] = found[row.pk]
            vars(row)["remarks"] = grouped(odd.get(row.slug, ()))
            vars(row)["moves"] = moves_of(row.slug, in_order)
        self.failing = [each.version.rule for each in found.values() if each.failing_count]
        self.result_list = rows


def moves_of(slug: str, in_order: list[str]) -> tuple[str | None, str | None, str]:
    """Return before which rule `slug` has to come to go up, and down: "" for last, None for not at all.

    The third is the rule behind it, "" for none: what is to be right behind `slug` comes before that one.
    """
    place = in_order.index(slug)
    up = in_order[place - 1] if place else None
    behind, after_next = [*in_order[place + 1 :], "", ""][:2]
    return up, after_next if behind else None, behind


@admin.register(CacheRule)
class CacheRuleAdmin(ReadByPages, admin.ModelAdmin[CacheRule]):
    """The list is the admin's own; every other page is ours and calls the services."""

    list_display = ("place", "name", "short_name", "owner", "matches", "cache_control", "examples")
    list_display_links = ("name",)
    search_fields = ("slug", "versions__name")
    list_per_page = 50
    nothing_yet = "No cache rule yet. `scripts/run` makes those that a site begins with."

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        ours = [
            path("add/", view(add_page), name="caching_cacherule_add"),
            path("import/", view(import_page), name="caching_cacherule_import"),
            path("move/", view(require_POST(move_step)), name="caching_cacherule_move"),
            path("combine/", view(require_POST(combine_step)), name="caching_cacherule_combine"),
            path("export/<str:target>/", view(export_file), name="caching_cacherule_export"),
            path("outcome/", view(require_POST(outcome_page)), name="caching_cacherule_outcome"),
            path("<int:number>/edit/", self._view(edit_page), name="caching_cacherule_edit"),
            path("<int:number>/compare/", self._view(compare_page), name="caching_cacherule_compare"),
            path("<int:number>/state/", self._view(require_POST(state_step)), name="caching_cacherule_state"),
            path(
                "<int:number>/restore/<int:version>/",
                self._view(restore_page),
                name="caching_cacherule_restore",
            ),
        ]
        return ours + super().get_urls()

    def _view(self, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        def of_rule(request: HttpRequest, number: int, **parts: int) -> HttpResponse:
            if not self.has_view_permission(request):
                raise PermissionDenied
            return view(request, get_object_or_404(CacheRule, pk=number), **parts)

        return self.admin_site.admin_view(of_rule)

    def get_queryset(self, request: HttpRequest) -> QuerySet[CacheRule]:
        newest = CacheRuleVersion.objects.filter(rule=OuterRef("pk")).order_by("-number")
        rules = CacheRule.objects.annotate(current_order=Subquery(newest.values("order")[:1]))
        return rules.filter(current_order__isnull=False).order_by(*self.get_ordering(request))

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("current_order", "slug")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RuleChangeList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        chosen = chosen_combination()
        context = {
            "title": "Cache rules",
            "combination": Combination(chosen.combination) if chosen else Combination.FIRST,
            "chosen": chosen,
            "why_not": why_not_change(request),
            "targets": TARGETS,
            "may_add": request.user.has_perm("caching.add_cacherule"),
        }
        return super().changelist_view(request, context | (extra_context or {}))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rule = self.get_object(request, object_id)
        if rule is None:
            messages.warning(request, f"There is no cache rule {object_id}. Perhaps it never was saved.")
            return HttpResponseRedirect(reverse("admin:caching_cacherule_changelist"))
        overview = overviews([rule.pk])[rule.pk]
        return render(
            request,
            "caching/cacherule/change_form.html",
            title=overview.version.name,
            original=rule,
            overview=overview,
            history=history(rule),
            why_not=why_not_change(request),
            remarks=grouped(remarks().get(rule.slug, ())),
            sections=sections_of(request, rule.slug),
        )

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        may_change = request.user.has_perm("caching.change_cacherule")
        return self.list_display if may_change else ("number", *self.list_display[1:])

    @admin.display(description="Order")
    def number(self, rule: CacheRule) -> SafeString:
        return format_html('<span class="rule-number">{}</span>', _overview(rule).version.order)

    @admin.display(description="Order")
    def place(self, rule: CacheRule) -> SafeString:
        up, down, behind = vars(rule)["moves"]
        return format_html(
            '{}<span class="rule-moves" id="rule-{}" data-rule="{}" data-behind="{}">{}{}</span>',
            self.number(rule),
            rule.slug,
            rule.slug,
            behind,
            _move_button(rule.slug, up, "\N{UPWARDS ARROW}", "up"),
            _move_button(rule.slug, down, "\N{DOWNWARDS ARROW}", "down"),
        )

    @admin.display(description="Name")
    def name(self, rule: CacheRule) -> SafeString:
        version = _overview(rule).version
        state = "" if version.state == RuleState.ACTIVE else f" ({version.state})"
        return format_html("{}{}", version.name, state)

    @admin.display(description="Short name")
    def short_name(self, rule: CacheRule) -> SafeString:
        return format_html("<code>{}</code>", rule.slug)

    @admin.display(description="Owner")
    def owner(self, rule: CacheRule) -> SafeString:
        owner = _overview(rule).version.owner
        if owner.is_active:
            return format_html("{}", owner)
        return format_html(
            '{} <strong class="rule-bad"><span aria-hidden="true">✗</span> has left</strong>', owner
        )

    @admin.display(description="What it matches")
    def matches(self, rule: CacheRule) -> str:
        return _overview(rule).matches_in_words

    @admin.display(description="Cache-Control")
    def cache_control(self, rule: CacheRule) -> SafeString:
        return format_html("<code>{}</code>", _overview(rule).cache_control)

    @admin.display(description="Examples")
    def examples(self, rule: CacheRule) -> SafeString:
        overview, odd = _overview(rule), vars(rule)["remarks"]
        count, failing = len(overview.results), overview.failing_count
        words = f"✗ {failing} of {count} fail" if failing else f"✓ {count} of {count} hold"
        words = words if count else "Not executed"
        if not odd:
            return format_html("{}", words)
        more = f"{len(odd)} remark{'s' if len(odd) > 1 else ''}"
        address = reverse("admin:caching_cacherule_change", args=[rule.pk])
        return format_html('{}<br><a href="{}" title="{}">⚠ {}</a>', words, address, odd[0].words, more)


def _move_button(slug: str, before: str | None, sign: str, where: str) -> SafeString:
    if before is None:
        return format_html('<span class="rule-move" aria-hidden="true">{}</span>', "")
    return format_html(
        '<button class="rule-move" name="move" value="{}:{}" formaction="{}"'
        ' aria-label="Move {} {}">{}</button>',
        slug,
        before,
        reverse("admin:caching_cacherule_move"),
        slug,
        where,
        sign,
    )


def _overview(rule: CacheRule) -> RuleOverview:
    overview: RuleOverview = vars(rule)["overview"]
    return overview
