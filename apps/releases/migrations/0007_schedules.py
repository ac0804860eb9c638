import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from apps.audit.guards import Guard

FIXED = ("release_id", "manifest_id", "action", "at", "time_zone", "by_id", "created_at")
CHANGED = " OR ".join(f"NEW.{column} <> OLD.{column}" for column in FIXED)
# A release that is live may get an end; one that is approved may get both.
OF_THIS_DIGEST = """
    EXISTS (SELECT 1 FROM releases_release WHERE id = NEW.release_id AND manifest_id = NEW.manifest_id
            AND (state = 'approved' OR (state = 'published' AND NEW.action = 'end')))
"""

GUARDS = [
    Guard(
        "schedule_begins_waiting",
        table="releases_schedule",
        event="INSERT",
        condition="NEW.state <> 'waiting'",
        message="wrong_schedule: a schedule begins as one that waits",
    ),
    Guard(
        "schedule_of_what_is_approved",
        table="releases_schedule",
        event="INSERT",
        condition=f"NOT {OF_THIS_DIGEST}",
        message="wrong_schedule: only an approved digest is scheduled, and an end of what is live",
    ),
    Guard(
        "schedule_is_settled_once",
        table="releases_schedule",
        event="UPDATE",
        condition=f"OLD.state <> 'waiting' OR {CHANGED}",
        message="schedule_settled: a schedule is settled once, and its terms never change",
    ),
    Guard(
        "schedule_goes_live_by_a_publication",
        table="releases_schedule",
        event="UPDATE",
        condition="NEW.state IN ('done', 'late') AND NEW.action = 'publish' AND NOT EXISTS ("
        "SELECT 1 FROM releases_publication WHERE id = NEW.publication_id"
        " AND release_id = NEW.release_id AND manifest_id = NEW.manifest_id)",
        message="wrong_schedule: what is done has published the digest that it names",
    ),
    Guard(
        "schedule_is_kept",
        table="releases_schedule",
        event="DELETE",
        message="append_only: rows of releases_schedule are never removed",
    ),
]


class Migration(migrations.Migration):
    dependencies = [
        ("releases", "0006_channel_requirements"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Schedule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "action",
                    models.CharField(choices=[("publish", "publish"), ("end", "take down")], max_length=7),
                ),
                ("at", models.DateTimeField()),
                (
                    "time_zone",
                    models.CharField(help_text="The zone in which the time was typed.", max_length=64),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting"),
                            ("done", "done"),
                            ("late", "done late"),
                            ("failed", "failed"),
                            ("cancelled", "cancelled"),
                        ],
                        default="waiting",
                        max_length=9,
                    ),
                ),
                (
                    "tried_at",
                    models.DateTimeField(
                        blank=True, help_text="When storage first failed to do it.", null=True
                    ),
                ),
                ("outcome", models.TextField(blank=True)),
                ("done_at", models.DateTimeField(blank=True, null=True)),
                (
                    "by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "manifest",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="releases.manifest"
                    ),
                ),
                (
                    "publication",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="schedule",
                        to="releases.publication",
                    ),
                ),
                (
                    "release",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="schedules",
                        to="releases.release",
                    ),
                ),
                (
                    "revert",
                    models.ForeignKey(
                        blank=True,
                        help_text="The draft that would take it down, where later releases are on top.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="releases.release",
                    ),
                ),
            ],
            options={
                "ordering": ("at", "id"),
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["state", "at"], name="schedule_by_time"),
                    models.Index(fields=["release", "-id"], name="schedule_by_release"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "waiting")),
                        fields=("release", "action"),
                        name="one_waiting_schedule_an_action",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("action__in", ("publish", "end"))),
                        name="schedule_action_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("done_at__isnull", True), ("state", "waiting")),
                            models.Q(
                                ("done_at__isnull", False),
                                ("state__in", ("done", "late", "failed", "cancelled")),
                                models.Q(("outcome", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="schedule_is_settled_with_words",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("publication__isnull", True),
                            ("state__in", ("done", "late")),
                            _connector="OR",
                        ),
                        name="schedule_has_a_publication_if_done",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("revert__isnull", True),
                            models.Q(("action", "end"), ("state", "failed")),
                            _connector="OR",
                        ),
                        name="schedule_has_a_revert_if_not_ended",
                    ),
                ],
            },
        ),
        *GUARDS,
    ]
