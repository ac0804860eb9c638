import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from apps.audit.guards import Guard


class Migration(migrations.Migration):
    dependencies = [
        ("releases", "0014_review"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Drill",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "outcome",
                    models.CharField(
                        blank=True, choices=[("passed", "passed"), ("failed", "failed")], max_length=6
                    ),
                ),
                ("words", models.TextField(blank=True, help_text="Why it failed.")),
                (
                    "actor",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="drills",
                        to="releases.channel",
                    ),
                ),
                (
                    "earlier",
                    models.ForeignKey(
                        help_text="What was live there before, and has to be again.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="releases.publication",
                    ),
                ),
                (
                    "manifest",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="releases.manifest"
                    ),
                ),
                (
                    "published",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="releases.publication",
                    ),
                ),
                (
                    "release",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="drills",
                        to="releases.release",
                    ),
                ),
                (
                    "rolled_back",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="releases.publication",
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("finished_at", None)),
                        fields=("channel",),
                        name="one_drill_at_a_time_on_a_channel",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("finished_at__isnull", True), ("outcome", ""), ("words", "")),
                            models.Q(
                                ("finished_at__isnull", False),
                                ("outcome", "passed"),
                                ("rolled_back__isnull", False),
                                ("words", ""),
                            ),
                            models.Q(
                                ("finished_at__isnull", False),
                                ("outcome", "failed"),
                                models.Q(("words", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="drill_has_an_outcome_when_finished",
                    ),
                ],
            },
        ),
        Guard(
            "drill_begins_open",
            table="releases_drill",
            event="INSERT",
            condition="NEW.finished_at IS NOT NULL OR NEW.rolled_back_id IS NOT NULL",
            message="drill_open: a rehearsal ends after it has begun",
        ),
        Guard(
            "drill_finished_no_update",
            table="releases_drill",
            event="UPDATE",
            condition="OLD.finished_at IS NOT NULL OR NEW.release_id <> OLD.release_id"
            " OR NEW.manifest_id <> OLD.manifest_id OR NEW.earlier_id <> OLD.earlier_id"
            " OR NEW.published_id <> OLD.published_id",
            message="drill_finished: what was rehearsed, and how that ended, is never changed",
        ),
        Guard(
            "drill_passed_only_if_it_came_back",
            table="releases_drill",
            event="UPDATE",
            condition="NEW.outcome = 'passed' AND (SELECT manifest_id FROM releases_publication"
            " WHERE id = NEW.rolled_back_id) <> (SELECT manifest_id FROM releases_publication"
            " WHERE id = NEW.earlier_id)",
            message="drill_failed: the channel does not serve what it served before",
        ),
        Guard(
            "releases_drill_no_delete",
            table="releases_drill",
            event="DELETE",
            message="append_only: rows of releases_drill are never removed",
        ),
    ]
