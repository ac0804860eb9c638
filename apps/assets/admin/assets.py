from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.views.decorators.http import require_POST

from apps.accounts.staff_pages import ReadByPages
from apps.assets.admin.asset_page import asset_page, asset_tag_step
from apps.assets.admin.chips import chips
from apps.assets.admin.tag_filter import TagFilter
from apps.assets.admin.tag_page import list_query, tag_page
from apps.assets.admin.tags_pages import tagging_page, tags_page
from apps.assets.admin.versions import NOTHING_YET, shown_digest
from apps.assets.models import Asset, AssetVersion
from apps.assets.selectors import path_begins_with, with_contents

_TAGS_SHOWN = 5


@admin.register(Asset)
class AssetAdmin(ReadByPages, admin.ModelAdmin[Asset]):
    """The paths, each with what it consisted of last and its tags. The bytes themselves are not shown here.

    Assets come in through releases, and stay. The list is the admin's own, every other page is ours.
    """

    list_display = ("path", "tags", "content", "digest", "changed")
    list_filter = (TagFilter,)
    search_fields = ("path",)
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    ordering = ("path",)
    nothing_yet = NOTHING_YET
    actions = ("tag_chosen",)

    def get_urls(self) -> list[URLPattern]:
        step = self._of_asset(require_POST(asset_tag_step))
        ours = [
            path("tag/", self._view(tag_page), name="assets_asset_tag"),
            path("tags/", self._view(tags_page), name="assets_asset_tags"),
            path("tags/<int:number>/", self._view(tagging_page), name="assets_asset_tagging"),
            path("<int:asset_id>/tag/", step, name="assets_asset_tag_one"),
        ]
        return ours + super().get_urls()

    def _view(self, view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        """Return a view for whoever may look at assets."""

        def for_readers(request: HttpRequest, **parts: Any) -> HttpResponseBase:
            if not self.has_view_permission(request):
                raise PermissionDenied
            return view(request, **parts)

        return self.admin_site.admin_view(for_readers)

    def _of_asset(self, view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        def of_asset(request: HttpRequest, asset_id: int) -> HttpResponseBase:
            return view(request, get_object_or_404(Asset, pk=min(asset_id, 2**63 - 1)))

        return self._view(of_asset)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Asset]:
        return with_contents(super().get_queryset(request))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Asset], search_term: str
    ) -> tuple[QuerySet[Asset], bool]:
        prefix = search_term.strip().removeprefix("/")
        return queryset.filter(path_begins_with(prefix)) if prefix else queryset, False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        found = list_query(request.GET.get("q", ""), request.GET.get("tag", ""))
        context = {"title": "Assets", "found": found, "may_tag": self.has_tag_permission(request)}
        return super().changelist_view(request, context | (extra_context or {}))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if request.method == "POST" or not self.has_view_permission(request):
            raise PermissionDenied
        asset = self.get_object(request, object_id)
        if asset is None:
            return super().change_view(request, object_id, form_url, extra_context)
        return asset_page(request, asset)

    def has_tag_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("assets.change_asset")

    @admin.action(permissions=["tag"], description="Tag…")
    def tag_chosen(self, request: HttpRequest, queryset: QuerySet[Asset]) -> HttpResponse:
        """Go on to the page that tags these files, or all that the list has found."""
        asked = {name: request.GET[name] for name in ("q", "tag") if request.GET.get(name)}
        if request.POST.get("select_across") != "1":
            asked["files"] = ",".join(map(str, queryset.order_by("pk").values_list("pk", flat=True)))
        address = reverse("admin:assets_asset_tag")
        return HttpResponseRedirect(f"{address}?{urlencode(asked, safe=',')}" if asked else address)

    @admin.display(description="tags")
    def tags(self, asset: Asset) -> SafeString:
        names = [tag.name for tag in vars(asset)["carried_tags"]]
        more = len(names) - _TAGS_SHOWN
        shown = chips(names[:_TAGS_SHOWN])
        return format_html("{} and {} more", shown, more) if more > 0 else shown

    @admin.display(description="content")
    def content(self, asset: Asset) -> str | None:
        version = _newest(asset)
        return f"{version.media_type}, {filesizeformat(version.blob.size_bytes)}" if version else None

    @admin.display(description="digest")
    def digest(self, asset: Asset) -> SafeString | None:
        return shown_digest(version) if (version := _newest(asset)) else None

    @admin.display(description="changed")
    def changed(self, asset: Asset) -> SafeString | None:
        version = _newest(asset)
        if version is None:
            return None
        local = localtime(version.created_at)
        return format_html(
            '<time datetime="{}" title="{}">{}</time> by {}',
            local.isoformat(timespec="seconds"),
            f"{local:%Y-%m-%d %H:%M:%S %Z}",
            naturaltime(version.created_at),
            version.created_by,
        )


def _newest(asset: Asset) -> AssetVersion | None:
    """Return the newest version, which the list's query has fetched."""
    return next(iter(vars(asset)["newest_versions"]), None)
