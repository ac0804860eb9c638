from apps.refusals import Refusal


class NotificationRefusal(Refusal):
    code = "notification_refused"


class WrongAddress(NotificationRefusal):
    """Nothing is sent to such an address."""

    code = "wrong_address"


class UnknownWebhook(NotificationRefusal):
    code = "unknown_webhook"


class WrongWebhook(NotificationRefusal):
    code = "wrong_webhook"


class WebhookDisabled(NotificationRefusal):
    code = "webhook_disabled"


class UnknownKind(NotificationRefusal):
    code = "unknown_event_kind"


class NotGivenUp(NotificationRefusal):
    """Only what was given up is sent again by hand."""

    code = "not_given_up"
