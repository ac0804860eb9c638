from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, re_path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.accounts.staff_pages import ReadByPages
from apps.audit.selectors import entries
from apps.releases.admin.changelog_page import changelog_page
from apps.releases.admin.channel_page import channel_page, roll_back_page
from apps.releases.admin.channels_pages import create_page, remove_channel, stop_page
from apps.releases.admin.history_page import history_page
from apps.releases.admin.promote_page import promote_page
from apps.releases.admin.receipt_page import changed_urls_file, receipt_page
from apps.releases.models import Channel
from apps.releases.selectors import channels_with_live
from apps.releases.selectors.holds import open_holds, open_stop
from apps.releases.templatetags.staff_pages import ago


@admin.register(Channel)
class ChannelAdmin(ReadByPages, admin.ModelAdmin[Channel]):
    """What is live where, since when; and the way back."""

    list_display = ("name", "live_release", "since", "shown_hold", "shown_hosts", "required_approvals")
    show_full_result_count = False
    ordering = ("pk",)
    nothing_yet = "No channel yet. `scripts/run` makes production and staging."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Channel]:
        return channels_with_live().prefetch_related(
            "hosts", Prefetch("holds", queryset=open_holds(), to_attr="held")
        )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        frame = {"title": "Channels", "stop": open_stop()}
        return super().changelist_view(request, {**frame, **(extra_context or {})})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        return channel_page(request, self._channel(request, object_id))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        channel = self._channel(request, object_id)
        found = entries(target=f"channel {channel}").select_related("actor")
        return history_page(request, found, subject=channel, name=f"Channel {channel}")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.roll_back_view)
        roll_back = path("<int:number>/roll-back/<int:sequence>/", view, name="releases_channel_roll_back")
        receipt = path(
            "<int:number>/receipt/<int:sequence>/",
            self.admin_site.admin_view(self.receipt_view),
            name="releases_channel_receipt",
        )
        urls = re_path(
            r"^(?P<number>\d+)/receipt/(?P<sequence>\d+)/urls\.(?P<ending>txt|json)$",
            self.admin_site.admin_view(self.changed_urls_view),
            name="releases_channel_changed_urls",
        )
        ours = [
            path("stop/", self.admin_site.admin_view(self.stop_view), name="releases_channel_stop"),
            path("new/", self.admin_site.admin_view(self.create_view), name="releases_channel_create"),
            path(
                "<int:number>/remove/",
                self.admin_site.admin_view(self.remove_view),
                name="releases_channel_remove",
            ),
        ]
        promote = path(
            "<int:number>/promote/",
            self.admin_site.admin_view(self.promote_view),
            name="releases_channel_promote",
        )
        changelog = path(
            "<int:number>/changelog/",
            self.admin_site.admin_view(self.changelog_view),
            name="releases_channel_changelog",
        )
        return [roll_back, receipt, urls, promote, changelog, *ours, *super().get_urls()]

    def stop_view(self, request: HttpRequest) -> HttpResponse:
        self._require_view(request)
        return stop_page(request)

    def create_view(self, request: HttpRequest) -> HttpResponse:
        self._require_view(request)
        return create_page(request)

    def remove_view(self, request: HttpRequest, number: int) -> HttpResponse:
        return remove_channel(request, self._channel(request, number))

    def _require_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def promote_view(self, request: HttpRequest, number: int) -> HttpResponse:
        return promote_page(request, self._channel(request, number))

    def changelog_view(self, request: HttpRequest, number: int) -> HttpResponse:
        return changelog_page(request, self._channel(request, number))

    def roll_back_view(self, request: HttpRequest, number: int, sequence: int) -> HttpResponse:
        return roll_back_page(request, self._channel(request, number), sequence)

    def receipt_view(self, request: HttpRequest, number: int, sequence: int) -> HttpResponse:
        return receipt_page(request, self._channel(request, number), sequence)

    def changed_urls_view(
        self, request: HttpRequest, number: str, sequence: str, ending: str
    ) -> HttpResponse:
        return changed_urls_file(request, self._channel(request, number), int(sequence), ending)

    def _channel(self, request: HttpRequest, number: str | int) -> Channel:
        self._require_view(request)
        found = Channel.objects.filter(pk=number).first() if str(number).isdecimal() else None
        if found is None:
            raise Http404(f"There is no channel {number}.")
        return found

    @admin.display(description="hold")
    def shown_hold(self, channel: Channel) -> SafeString | str:
        if not vars(channel)["held"]:
            return "none"
        (held,) = vars(channel)["held"]
        words = '<span class="state state-held"><span aria-hidden="true">❙❙</span> on hold</span> by {}'
        return format_html(words, held.placed_by)

    @admin.display(description="hosts")
    def shown_hosts(self, channel: Channel) -> str:
        return ", ".join(row.host for row in channel.hosts.all()) or "none"

    @admin.display(description="live")
    def live_release(self, channel: Channel) -> SafeString | str:
        live = vars(channel)
        if live["live_release_id"] is None:
            return "nothing yet"
        url = reverse("admin:releases_release_change", args=[live["live_release_id"]])
        title = live["live_title"]
        return format_html('<a href="{}">Release {}</a> {}', url, live["live_release_id"], title)

    @admin.display(description="since")
    def since(self, channel: Channel) -> SafeString | str:
        return ago(vars(channel)["live_since"])
