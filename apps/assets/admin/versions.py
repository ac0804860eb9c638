from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.accounts.staff_pages import ReadByPages
from apps.assets.models import AssetVersion
from apps.assets.selectors import path_begins_with

NOTHING_YET = (
    'No file yet. Importing a folder brings some: `scripts/manage import ../my-site --title "First light"`'
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
    nothing_yet = NOTHING_YET
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
        return shown_digest(version)

    @admin.display(description="SHA-256")
    def whole_digest(self, version: AssetVersion) -> str:
        return version.blob_id


def shown_digest(version: AssetVersion) -> SafeString:
    """Show 12 characters of a digest; a click takes all of it."""
    return format_html(
        '<code class="digest" title="sha256:{0}" data-copy="{0}">{1}</code>',
        version.blob_id,
        str(version.blob),
    )
