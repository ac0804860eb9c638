from datetime import datetime

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.accounts.staff_pages import ReadByPages
from apps.assets.models import Asset, AssetVersion
from apps.assets.selectors import path_begins_with

_VERSIONS_SHOWN = 20
_NOTHING_YET = (
    'No file yet. Importing a folder brings some: `scripts/manage import ../my-site --title "First light"`'
)


@admin.register(Asset)
class AssetAdmin(ReadByPages, admin.ModelAdmin[Asset]):
    """The paths, each with what it consisted of last. The bytes themselves are not shown here.

    Assets come in through releases, and stay.
    """

    list_display = ("path", "size", "media_type", "digest", "changed", "changed_by")
    search_fields = ("path",)
    search_help_text = "The beginning of a path, as it is written: css/si"
    list_per_page = 50
    show_full_result_count = False
    ordering = ("path",)
    nothing_yet = _NOTHING_YET
    fields = ("path", "description", "created_at", "versions_table")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Asset]:
        versions = AssetVersion.objects.select_related("blob", "created_by").order_by("-id")
        newest = Prefetch("versions", versions[:_VERSIONS_SHOWN], to_attr="newest_versions")
        return super().get_queryset(request).prefetch_related(newest)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Asset], search_term: str
    ) -> tuple[QuerySet[Asset], bool]:
        prefix = search_term.strip().removeprefix("/")
        return queryset.filter(path_begins_with(prefix)) if prefix else queryset, False

    @admin.display(description="size")
    def size(self, asset: Asset) -> str | None:
        return filesizeformat(version.blob.size_bytes) if (version := _newest(asset)) else None

    @admin.display(description="type")
    def media_type(self, asset: Asset) -> str | None:
        return version.media_type if (version := _newest(asset)) else None

    @admin.display(description="digest")
    def digest(self, asset: Asset) -> SafeString | None:
        return _digest(version) if (version := _newest(asset)) else None

    @admin.display(description="changed")
    def changed(self, asset: Asset) -> datetime | None:
        return version.created_at if (version := _newest(asset)) else None

    @admin.display(description="by")
    def changed_by(self, asset: Asset) -> str | None:
        return str(version.created_by) if (version := _newest(asset)) else None

    @admin.display(description="versions")
    def versions_table(self, asset: Asset) -> SafeString:
        rows = (
            (
                v.created_at.isoformat(),
                v.created_by,
                filesizeformat(v.blob.size_bytes),
                v.media_type,
                _digest(v),
            )
            for v in _versions(asset)
        )
        return format_html(
            '<table class="rows"><thead><tr><th scope="col">When<th scope="col">By<th scope="col">Size'
            '<th scope="col">Type<th scope="col">Digest</tr></thead><tbody>{}</tbody></table>'
            '<p><a href="{}?asset__id__exact={}">All versions</a></p>',
            format_html_join("", "<tr><td>{}<td>{}<td>{}<td>{}<td>{}</tr>", rows),
            reverse("admin:assets_assetversion_changelist"),
            asset.pk,
        )


@admin.register(AssetVersion)
class AssetVersionAdmin(ReadByPages, admin.ModelAdmin[AssetVersion]):
    """Everything that any path has ever consisted of, newest first."""

    list_display = ("asset", "size", "media_type", "digest", "created_at", "created_by")
    search_fields = ("asset__path",)
    search_help_text = "The beginning of a path, as it is written: css/si"
    list_select_related = ("asset", "blob", "created_by")
    list_per_page = 50
    show_full_result_count = False
    ordering = ("-id",)
    nothing_yet = _NOTHING_YET
    fields = ("asset", "size", "media_type", "whole_digest", "created_at", "created_by")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AssetVersion], search_term: str
    ) -> tuple[QuerySet[AssetVersion], bool]:
        prefix = search_term.strip().removeprefix("/")
        return queryset.filter(path_begins_with(prefix, field="asset__path")) if prefix else queryset, False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Let an asset's page link to its versions."""
        return lookup == "asset__id__exact" or super().lookup_allowed(lookup, value, request)

    @admin.display(description="size", ordering="blob__size_bytes")
    def size(self, version: AssetVersion) -> str:
        return filesizeformat(version.blob.size_bytes)

    @admin.display(description="digest")
    def digest(self, version: AssetVersion) -> SafeString:
        return _digest(version)

    @admin.display(description="SHA-256")
    def whole_digest(self, version: AssetVersion) -> str:
        return version.blob_id


def _versions(asset: Asset) -> list[AssetVersion]:
    """Return the newest versions that the list's query has fetched."""
    fetched: list[AssetVersion] = getattr(asset, "newest_versions", [])
    return fetched


def _newest(asset: Asset) -> AssetVersion | None:
    return next(iter(_versions(asset)), None)


def _digest(version: AssetVersion) -> SafeString:
    """Show 12 characters of a digest; a click takes all of it."""
    return format_html(
        '<code class="digest" title="sha256:{0}" data-copy="{0}">{1}</code>',
        version.blob_id,
        str(version.blob),
    )
