import django.db.models.deletion
import django.db.models.functions.comparison
from django.conf import settings
from django.db import migrations, models

from apps.audit.guards import Guard

# Written when it is placed, the rest when it is lifted; neither database has a negative number there.
_PLACED = (
    "COALESCE({row}.channel_id, -1)",
    "{row}.reason",
    "{row}.placed_by_id",
    "{row}.placed_at",
    "COALESCE({row}.rollback_id, -1)",
)
_IS_CHANGED = " OR ".join(f"{column.format(row='NEW')} <> {column.format(row='OLD')}" for column in _PLACED)
GUARDS = (
    Guard(
        "hold_no_delete",
        table="releases_hold",
        event="DELETE",
        message="append_only: rows of releases_hold are never removed",
    ),
    Guard(
        "hold_lifted_once",
        table="releases_hold",
        event="UPDATE",
        condition=f"OLD.lifted_at IS NOT NULL OR NEW.lifted_at IS NULL OR {_IS_CHANGED}",
        message="append_only: a hold is lifted once, and nothing else of it is ever changed",
    ),
    Guard(
        "hold_of_protected_lifted_by_another",
        table="releases_hold",
        event="UPDATE",
        condition="""
            NEW.lifted_by_id = OLD.placed_by_id AND EXISTS (
                SELECT 1 FROM releases_channel
                WHERE is_protected AND (OLD.channel_id IS NULL OR id = OLD.channel_id))
        """,
        message="same_person: a protected channel is opened again by somebody else than who held it",
    ),
    Guard(
        "publication_while_held",
        table="releases_publication",
        event="INSERT",
        condition="""
            NEW.kind = 'publish' AND EXISTS (
                SELECT 1 FROM releases_hold
                WHERE lifted_at IS NULL AND (channel_id IS NULL OR channel_id = NEW.channel_id))
        """,
        message="channel_held: nothing is published on a channel that is on hold",
    ),
)


class Migration(migrations.Migration):
    dependencies = [
        ("releases", "0009_receipts"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Hold",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("reason", models.TextField()),
                ("placed_at", models.DateTimeField()),
                ("lifted_at", models.DateTimeField(blank=True, null=True)),
                ("lift_reason", models.TextField(blank=True)),
                (
                    "channel",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="holds",
                        to="releases.channel",
                    ),
                ),
                (
                    "lifted_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "placed_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "rollback",
                    models.OneToOneField(
                        blank=True,
                        help_text="The roll back that this came with.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="hold",
                        to="releases.publication",
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        django.db.models.functions.comparison.Coalesce("channel", models.Value(0)),
                        condition=models.Q(("lifted_at__isnull", True)),
                        name="one_open_hold_a_channel",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="hold_has_a_reason"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("lift_reason", ""), ("lifted_at__isnull", True), ("lifted_by__isnull", True)
                            ),
                            models.Q(
                                ("lifted_at__isnull", False),
                                ("lifted_by__isnull", False),
                                models.Q(("lift_reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="hold_is_lifted_by_somebody_for_a_reason",
                    ),
                ],
            },
        ),
        *GUARDS,
    ]
