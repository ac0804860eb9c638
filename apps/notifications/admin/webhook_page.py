from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse

from apps.accounts.permissions import require
from apps.accounts.staff_pages import actor_of, page_of, refused, render
from apps.notifications.admin.forms import WebhookForm
from apps.notifications.models import Webhook
from apps.notifications.selectors import deliveries_to
from apps.notifications.services import webhooks
from apps.notifications.services.deliveries import send_again
from apps.refusals import Refusal

_MAY = "notifications.change_webhook"


def add_page(request: HttpRequest) -> HttpResponse:
    """Ask for a new webhook; on POST add it, and show its secret this once."""
    form = WebhookForm(request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            webhook = webhooks.add_webhook(actor=actor_of(request), **form.cleaned_data)
        except Refusal as refusal:
            status = refused(request, refusal)
        else:
            return _show(request, webhook, secret=webhook.secret)
    elif request.method == "POST":
        status = 400
    return render(
        request,
        "notifications/webhook/add.html",
        title="Add a webhook",
        status=status,
        form=form,
    )


def webhook_page(request: HttpRequest, webhook: Webhook) -> HttpResponse:
    """Show a webhook and what was sent to it; on POST take the step that was asked for, and come back."""
    if request.method != "POST":
        return _show(request, webhook)
    step = request.POST.get("step", "")
    try:
        if step == "renew_secret":  # its answer shows the secret, this once
            webhooks.renew_secret(webhook=webhook, actor=actor_of(request))
            return _show(request, webhook, secret=webhook.secret)
        done = _STEPS[step](request, webhook)
    except KeyError:
        return HttpResponseBadRequest("There is no such step.", content_type="text/plain")
    except Refusal as refusal:
        webhook.refresh_from_db()
        return _show(request, webhook, status=refused(request, refusal))
    messages.success(request, done)
    return HttpResponseRedirect(request.get_full_path())


def _test(request: HttpRequest, webhook: Webhook) -> str:
    webhooks.test(webhook=webhook, actor=actor_of(request))
    return "A test is on its way. Load this page again to see what came of it."


def _disable(request: HttpRequest, webhook: Webhook) -> str:
    webhooks.disable(webhook=webhook, actor=actor_of(request))
    return f"{webhook} is told nothing more. Enable it again below."


def _enable(request: HttpRequest, webhook: Webhook) -> str:
    webhooks.enable(webhook=webhook, actor=actor_of(request))
    return f"{webhook} is told of what happens from now on."


def _send_again(request: HttpRequest, webhook: Webhook) -> str:
    number = request.POST.get("delivery", "")
    delivery = get_object_or_404(deliveries_to(webhook), pk=number if number.isdecimal() else 0)
    send_again(delivery=delivery, actor=actor_of(request))
    return "It is sent again, with the same key. Load this page again to see what came of it."


def _show(request: HttpRequest, webhook: Webhook, *, secret: str = "", status: int = 200) -> HttpResponse:
    try:
        require(actor_of(request), _MAY, to="change webhooks")
        why_not = ""
    except Refusal as refusal:
        why_not = str(refusal)
    return render(
        request,
        "notifications/webhook/page.html",
        title=f"Webhook {webhook}",
        status=status,
        webhook=webhook,
        secret=secret,
        why_not=why_not,
        told_of=", ".join(webhook.kinds).replace("_", " ") or "everything",
        page=page_of(request, deliveries_to(webhook)),
        address=reverse("admin:notifications_webhook_change", args=[webhook.pk]),
    )


_STEPS: dict[str, Callable[[HttpRequest, Webhook], str]] = {
    "test": _test,
    "disable": _disable,
    "enable": _enable,
    "send_again": _send_again,
}
