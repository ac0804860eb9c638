from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    """Keep what was counted of requests, by rule. New tables: nothing is rewritten."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="TakenCounts",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100, unique=True)),
                ("taken_at", models.DateTimeField(db_index=True)),
            ],
            options={"default_permissions": ()},
        ),
        migrations.CreateModel(
            name="RuleCount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("rule", models.CharField(max_length=60)),
                ("version", models.PositiveIntegerField()),
                ("channel", models.CharField(max_length=60)),
                ("publication", models.PositiveIntegerField()),
                ("began_at", models.DateTimeField()),
                (
                    "is_day",
                    models.BooleanField(
                        default=False, help_text="Whether it is of a day; else it is of an hour."
                    ),
                ),
                ("requests", models.PositiveBigIntegerField(default=0)),
                ("body_bytes", models.PositiveBigIntegerField(default=0)),
                ("not_modified", models.PositiveBigIntegerField(default=0)),
                ("errors", models.PositiveBigIntegerField(default=0)),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["is_day", "began_at"], name="rule_count_by_time")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("rule", "version", "channel", "publication", "is_day", "began_at"),
                        name="one_count_a_time",
                    ),
                    models.CheckConstraint(
                        condition=Q(requests__gte=F("not_modified") + F("errors")),
                        name="counted_kinds_are_requests",
                    ),
                ],
            },
        ),
    ]
