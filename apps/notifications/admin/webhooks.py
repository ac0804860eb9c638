from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.notifications.admin.webhook_page import add_page, webhook_page
from apps.notifications.models import Webhook
from apps.notifications.selectors import webhooks_with_counts
from apps.releases.templatetags.staff_pages import ago


@admin.register(Webhook)
class WebhookAdmin(admin.ModelAdmin[Webhook]):
    """The list is the admin's own; the other pages are ours and call the services."""

    list_display = ("name", "shown_state", "told_of", "waiting", "given_up", "last_sent")
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Webhook]:
        return webhooks_with_counts()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {"title": "Webhooks", **(extra_context or {})})

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return add_page(request)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        webhook = webhooks_with_counts().filter(pk=object_id).first() if object_id.isdecimal() else None
        if webhook is None:
            raise Http404(f"There is no webhook {object_id}.")
        return webhook_page(request, webhook)

    @admin.display(description="state")
    def shown_state(self, webhook: Webhook) -> SafeString:
        icon, word = ("●", "active") if webhook.is_active else ("○", "disabled")
        return format_html('<span class="state"><span aria-hidden="true">{}</span> {}</span>', icon, word)

    @admin.display(description="told of")
    def told_of(self, webhook: Webhook) -> str:
        return ", ".join(webhook.kinds).replace("_", " ") or "everything"

    @admin.display(description="waiting")
    def waiting(self, webhook: Webhook) -> int:
        return int(vars(webhook)["waiting"])

    @admin.display(description="given up")
    def given_up(self, webhook: Webhook) -> int:
        return int(vars(webhook)["given_up"])

    @admin.display(description="last sent")
    def last_sent(self, webhook: Webhook) -> SafeString | str:
        return ago(vars(webhook)["last_sent"])
