import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from apps.audit.guards import Guard, append_only


class Migration(migrations.Migration):
    """Whether a version ships, and how rules combine.

    The new column has a default in the database: no row is written, and SQLite, which would lose the
    guards of the table, does not rebuild it.
    """

    dependencies = [
        ("caching", "0002_guards"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "ALTER TABLE caching_cacheruleversion"
                    " ADD COLUMN state varchar(8) NOT NULL DEFAULT 'active'",
                    "ALTER TABLE caching_cacheruleversion DROP COLUMN state",
                )
            ],
            state_operations=[
                migrations.AddField(
                    model_name="cacheruleversion",
                    name="state",
                    field=models.CharField(
                        max_length=8,
                        choices=[("active", "active"), ("disabled", "disabled"), ("draft", "draft")],
                        default="active",
                        db_default="active",
                        help_text="Only an active version ships with the releases that are begun"
                        " from then on.",
                    ),
                ),
            ],
        ),
        Guard(
            "cacheruleversion_has_known_state",
            table="caching_cacheruleversion",
            event="INSERT",
            message="known_state: a version of a cache rule is active, disabled or a draft",
            condition="NEW.state NOT IN ('active', 'disabled', 'draft')",
        ),
        migrations.CreateModel(
            name="RuleCombination",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "combination",
                    models.CharField(max_length=5, choices=[("first", "first"), ("merge", "merge")]),
                ),
                ("reason", models.TextField()),
                ("chosen_at", models.DateTimeField(auto_now_add=True)),
                (
                    "chosen_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
                "default_permissions": (),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("combination__in", ["first", "merge"])),
                        name="combination_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="combination_has_reason"
                    ),
                ],
            },
        ),
        *append_only("caching_rulecombination"),
    ]
