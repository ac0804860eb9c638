import json

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.audit.models import AuditEntry


class WhenFilter(admin.DateFieldListFilter):
    title = "time"


@admin.register(AuditEntry)
class AuditEntryAdmin(admin.ModelAdmin[AuditEntry]):
    """The log, to read. The database refuses every change of it; these pages offer none."""

    list_display = ("sequence", "at", "actor_name", "action", "target", "summary")
    list_display_links = ("sequence", "summary")
    list_filter = (("at", WhenFilter), "action")
    search_fields = ("target", "actor_name__startswith", "summary")
    search_help_text = "A target (release 42), a person, or words of the summary"
    list_per_page = 50
    show_full_result_count = False
    list_select_related = False
    ordering = ("-sequence",)
    nothing_yet = (
        "Nothing has been done yet. What is done from now on is written down here, and"
        " `scripts/manage audit verify` proves that nobody has changed it."
    )
    fields = (
        "sequence",
        "at",
        "actor_name",
        "action",
        "target",
        "summary",
        "shown_details",
        "previous_hash",
        "hash",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEntry]:
        return super().get_queryset(request).defer("details")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        return False

    @admin.display(description="details")
    def shown_details(self, entry: AuditEntry) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(entry.details, indent=2, ensure_ascii=False))
