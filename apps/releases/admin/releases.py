from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

from apps.accounts.staff_pages import ReadByPages
from apps.releases.admin.combine_page import combine_page
from apps.releases.admin.compare_page import compare_file_page, compare_page, compared_picture
from apps.releases.admin.comparison_page import comparison_page, picture
from apps.releases.admin.conflicts_page import conflict_page, conflicts_page
from apps.releases.admin.findings_page import findings_page
from apps.releases.admin.history_page import history_page
from apps.releases.admin.publish_page import publish_page
from apps.releases.admin.release_page import release_page
from apps.releases.admin.report_page import report_page
from apps.releases.admin.revert_page import revert_page
from apps.releases.admin.rules_page import with_rules_page
from apps.releases.admin.schedule_page import schedule_page
from apps.releases.admin.split_page import split_page
from apps.releases.admin.trace_page import trace_page
from apps.releases.exceptions import UnknownRelease
from apps.releases.models import Publication, Release
from apps.releases.selectors import entries_about, release_numbered, releases_with_counts
from apps.releases.templatetags.staff_pages import ago, change_counts, person, state


@admin.register(Release)
class ReleaseAdmin(ReadByPages, admin.ModelAdmin[Release]):
    """The list is the admin's own; every other page is ours and calls the services."""

    list_display = ("number", "title", "shown_state", "shown_owner", "channel", "shown_changes", "updated")
    list_display_links = ("number", "title")
    list_filter = ("state", "channel", ("owner", admin.RelatedOnlyFieldListFilter))
    search_fields = ("title",)
    list_per_page = 50
    show_full_result_count = False
    ordering = ("-pk",)
    nothing_yet = (
        "No release yet. Importing a folder makes one: "
        '`scripts/manage import ../my-site --title "First light"`'
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Release]:
        return releases_with_counts()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Release], search_term: str
    ) -> tuple[QuerySet[Release], bool]:
        found, has_duplicates = super().get_search_results(request, queryset, search_term)
        if search_term.strip().isdecimal():
            found = found | queryset.filter(pk=int(search_term))
        if search_term:
            tagged = Publication.objects.filter(tag=search_term.strip()).values("release")
            found = found | queryset.filter(pk__in=tagged)
        return found, has_duplicates

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {"title": "Releases", **(extra_context or {})})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        return release_page(request, self._release(request, object_id))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        release = self._release(request, object_id)
        return history_page(request, entries_about(release), subject=release, name=f"Release {release.pk}")

    def get_urls(self) -> list[URLPattern]:
        changes = "<int:number>/changes/<int:change_number>/"
        ours = [
            path("compare/", self._open_view(compare_page), name="releases_release_compare"),
            path("compare/file/", self._open_view(compare_file_page), name="releases_release_compare_file"),
            path(
                "compare/picture/", self._open_view(compared_picture), name="releases_release_compare_picture"
            ),
            path("with-rules/", self._open_view(with_rules_page), name="releases_release_with_rules"),
            path("trace/", self._open_view(trace_page), name="releases_release_trace"),
            path("<int:number>/publish/", self._view(publish_page), name="releases_release_publish"),
            path("<int:number>/conflicts/", self._view(conflicts_page), name="releases_release_conflicts"),
            path("<int:number>/conflicts/one/", self._view(conflict_page), name="releases_release_conflict"),
            path("<int:number>/revert/", self._view(revert_page), name="releases_release_revert"),
            path("<int:number>/combine/", self._view(combine_page), name="releases_release_combine"),
            path("<int:number>/split/", self._view(split_page), name="releases_release_split"),
            path("<int:number>/report/", self._view(report_page), name="releases_release_report"),
            path("<int:number>/schedule/", self._view(schedule_page), name="releases_release_schedule"),
            path("<int:number>/findings/", self._view(findings_page), name="releases_release_findings"),
            path(changes, self._view(comparison_page), name="releases_release_comparison"),
            path(f"{changes}<str:side>/", self._view(picture), name="releases_release_picture"),
        ]
        return ours + super().get_urls()

    def _open_view(self, view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        """Return a view that is not of one release, for whoever may look at releases."""

        def for_readers(request: HttpRequest) -> HttpResponseBase:
            if not self.has_view_permission(request):
                raise PermissionDenied
            return view(request)

        return self.admin_site.admin_view(for_readers)

    def _view(self, view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        def of_release(request: HttpRequest, number: int, **parts: Any) -> HttpResponseBase:
            return view(request, self._release(request, number), **parts)

        return self.admin_site.admin_view(of_release)

    def _release(self, request: HttpRequest, number: str | int) -> Release:
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            return release_numbered(int(number))
        except (UnknownRelease, ValueError, OverflowError) as error:
            raise Http404(str(error)) from error

    @admin.display(description="no.", ordering="pk")
    def number(self, release: Release) -> int:
        return release.pk

    @admin.display(description="state", ordering="state")
    def shown_state(self, release: Release) -> SafeString:
        return state(release)

    @admin.display(description="owner", ordering="owner__username")
    def shown_owner(self, release: Release) -> SafeString:
        return person(release.owner)

    @admin.display(description="changes")
    def shown_changes(self, release: Release) -> SafeString:
        return change_counts(release)

    @admin.display(description="updated", ordering="updated_at")
    def updated(self, release: Release) -> SafeString | str:
        return ago(release.updated_at)
