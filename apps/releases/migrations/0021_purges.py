import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    """Note what each cache in front was told after a publication. A new table: nothing is rewritten."""

    dependencies = [
        ("releases", "0020_open_drills"),
    ]

    operations = [
        migrations.CreateModel(
            name="Purge",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "cache",
                    models.CharField(help_text="The name of the cache, without any secret.", max_length=200),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "in progress"), ("done", "done"), ("failed", "failed")],
                        default="waiting",
                        max_length=7,
                    ),
                ),
                ("total", models.PositiveIntegerField(help_text="How many addresses it has to forget.")),
                (
                    "done",
                    models.PositiveIntegerField(
                        default=0, help_text="How many it has been told, from the first on."
                    ),
                ),
                ("tries", models.PositiveSmallIntegerField(default=0, help_text="How often it was begun.")),
                (
                    "failures",
                    models.PositiveSmallIntegerField(
                        default=0, help_text="How often in a row nothing was done."
                    ),
                ),
                (
                    "next_at",
                    models.DateTimeField(
                        blank=True, help_text="When it is tried again, if it stops.", null=True
                    ),
                ),
                (
                    "words",
                    models.TextField(blank=True, help_text="What the cache said last, where it refused."),
                ),
                ("begun_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "publication",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="purges",
                        to="releases.publication",
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
                "default_permissions": (),
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "waiting")), fields=["next_at"], name="purge_waiting"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("publication", "cache"), name="one_purge_a_cache"),
                    models.CheckConstraint(
                        condition=models.Q(("done__lte", models.F("total"))), name="purge_tells_what_there_is"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("finished_at__isnull", True), ("state", "waiting")),
                            models.Q(
                                ("done", models.F("total")), ("finished_at__isnull", False), ("state", "done")
                            ),
                            models.Q(
                                ("finished_at__isnull", False),
                                ("state", "failed"),
                                models.Q(("words", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="purge_is_finished_or_waits",
                    ),
                ],
            },
        ),
    ]
