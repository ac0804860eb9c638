from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.caching.models import CacheRule, CacheRuleVersion
from apps.caching.overview import RuleOverview, history, overviews


class RuleChangeList(ChangeList):
    """Gives each row its overview: one query and one evaluation for the page, not one a row."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[CacheRule] = list(self.result_list)
        found = overviews(row.pk for row in rows)
        for row in rows:
            vars(row)["overview"] = found[row.pk]
        self.result_list = rows


@admin.register(CacheRule)
class CacheRuleAdmin(admin.ModelAdmin[CacheRule]):
    """Rules are read here; a new wording is a new version, which a service writes."""

    list_display = ("name", "owner", "matches", "cache_control", "examples")
    search_fields = ("slug", "versions__name")
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: CacheRule | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: CacheRule | None = None) -> bool:
        return False

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
        return super().changelist_view(request, {"title": "Cache rules"} | (extra_context or {}))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        rule = self.get_object(request, object_id)
        page: dict[str, Any] = {}
        if rule is not None and self.has_view_permission(request, rule):
            overview = overviews([rule.pk])[rule.pk]
            page = {
                "title": overview.version.name,
                "subtitle": None,
                "overview": overview,
                "history": history(rule),
            }
        return super().change_view(request, object_id, form_url, page | (extra_context or {}))

    @admin.display(description="Name")
    def name(self, rule: CacheRule) -> str:
        return _overview(rule).version.name

    @admin.display(description="Owner")
    def owner(self, rule: CacheRule) -> str:
        return str(_overview(rule).version.owner)

    @admin.display(description="What it matches")
    def matches(self, rule: CacheRule) -> str:
        return _overview(rule).matches_in_words

    @admin.display(description="Cache-Control")
    def cache_control(self, rule: CacheRule) -> SafeString:
        return format_html("<code>{}</code>", _overview(rule).cache_control)

    @admin.display(description="Examples")
    def examples(self, rule: CacheRule) -> str:
        overview = _overview(rule)
        count, failing = len(overview.results), overview.failing_count
        return f"✗ {failing} of {count} fail" if failing else f"✓ {count} of {count} hold"


def _overview(rule: CacheRule) -> RuleOverview:
    overview: RuleOverview = vars(rule)["overview"]
    return overview
