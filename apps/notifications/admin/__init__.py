"""The staff's pages of what people and programs are told."""

from apps.notifications.admin.webhooks import WebhookAdmin

__all__ = ["WebhookAdmin"]
