"""What happened, whom it is told, and each attempt to. No workflows here."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from apps.audit.models import AuditEntry


class Event(models.Model):
    """Something that others may want to know: written in the transaction of what it tells of."""

    kind = models.CharField(max_length=20)
    entry = models.OneToOneField(AuditEntry, null=True, on_delete=models.PROTECT, related_name="event")
    at = models.DateTimeField(default=timezone.now)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    actor_name = models.CharField(max_length=150)
    target = models.CharField(max_length=200)
    summary = models.TextField()
    details = models.JSONField(default=dict)
    handed_out_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        default_permissions = ()
        indexes = (
            models.Index(fields=("id",), condition=Q(handed_out_at=None), name="event_to_hand_out"),
            models.Index(fields=("kind", "target", "-id"), name="event_by_target"),
        )

    def __str__(self) -> str:
        return f"{self.kind}: {self.summary}"


class Webhook(models.Model):
    """An address of another program that is told by a signed POST."""

    name = models.SlugField(max_length=60, unique=True)
    url = models.CharField(max_length=500)
    secret = models.CharField(max_length=80)
    kinds = models.JSONField(
        default=list, blank=True, help_text="What it is told of; nothing named: everything."
    )
    is_active = models.BooleanField(default=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)
        default_permissions = ("view", "add", "change")

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """One event for one person or one webhook: sent, to be tried again, or given up."""

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        SENT = "sent", "sent"
        DEAD = "dead", "given up"
        UNSENT = "unsent", "not sent"

    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="deliveries")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="deliveries"
    )
    webhook = models.ForeignKey(Webhook, null=True, on_delete=models.PROTECT, related_name="deliveries")
    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    subject = models.CharField(max_length=300, blank=True)
    body = models.TextField(help_text="The same bytes at each attempt.")
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    budget = models.PositiveSmallIntegerField(help_text="After so many attempts it is given up.")
    next_at = models.DateTimeField(default=timezone.now)
    claimed_until = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    outcome = models.TextField(blank=True)

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "deliveries"
        default_permissions = ()
        indexes = (
            models.Index(fields=("next_at", "id"), condition=Q(state="waiting"), name="delivery_due"),
            models.Index(fields=("webhook", "-id"), name="delivery_by_webhook"),
            models.Index(fields=("person", "-id"), name="delivery_by_person"),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(person__isnull=True, webhook__isnull=False)
                | Q(person__isnull=False, webhook__isnull=True),
                name="delivery_has_one_recipient",
            ),
            models.UniqueConstraint(fields=("event", "person"), name="one_delivery_a_person"),
            models.UniqueConstraint(fields=("event", "webhook"), name="one_delivery_a_webhook"),
            models.CheckConstraint(
                condition=Q(state="waiting", settled_at__isnull=True)
                | Q(state__in=("sent", "dead", "unsent"), settled_at__isnull=False),
                name="delivery_is_settled_or_waits",
            ),
        )

    def __str__(self) -> str:
        return f"{self.event.kind} for {self.webhook or self.person}"


class Attempt(models.Model):
    """One try, as it ended. Append-only. A number without a row: its worker was stopped within it."""

    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="tries")
    number = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    took_ms = models.PositiveIntegerField()
    status = models.PositiveSmallIntegerField(null=True)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ("delivery", "number")
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("delivery", "number"), name="one_row_an_attempt"),)

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.delivery_id}"


class Mute(models.Model):
    """A kind of event that a person does not want to be told."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mutes")
    kind = models.CharField(max_length=20)

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("person", "kind"), name="one_mute_a_kind"),)

    def __str__(self) -> str:
        return f"{self.person_id} mutes {self.kind}"
