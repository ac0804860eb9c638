import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Note how the public address of a channel answers. A new table: nothing is rewritten."""

    dependencies = [
        ("releases", "0024_examples_on_receipts"),
    ]

    operations = [
        migrations.CreateModel(
            name="Drift",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("url", models.CharField(max_length=500)),
                ("began_at", models.DateTimeField()),
                ("looked_at", models.DateTimeField()),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("right", "as this site sends it"),
                            ("drifted", "changed on the way"),
                            ("no_answer", "no answer"),
                        ],
                        max_length=9,
                    ),
                ),
                ("asked", models.PositiveIntegerField(help_text="How many addresses were asked for.")),
                ("words", models.TextField()),
                ("findings", models.JSONField(default=list)),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="drifts",
                        to="releases.channel",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["channel", "-id"], name="drift_newest")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("outcome__in", ("right", "drifted", "no_answer"))),
                        name="drift_outcome_is_known",
                    )
                ],
            },
        ),
    ]
