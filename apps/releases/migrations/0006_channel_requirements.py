from importlib import import_module

import django.db.models.deletion
from django.db import migrations, models

from apps.audit.guards import Guard, RemoveGuard

# They read releases_channel, which SQLite rebuilds here.
READ_CHANNELS: list[Guard] = [
    operation
    for operation in import_module("apps.releases.migrations.0004_redirects").Migration.operations
    if type(operation) is Guard
    and operation.name in ("release_approved_by_enough", "publication_of_approved")
]


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("releases", "0005_retained_names"),
    ]

    operations = [
        *map(RemoveGuard, READ_CHANNELS),
        migrations.AlterModelOptions(
            name="channel",
            options={
                "default_permissions": ("view", "add", "change", "delete"),
                "ordering": ("id",),
                "permissions": (
                    ("roll_back_channel", "Can roll a channel back"),
                    ("hold_channel", "Can put a channel on hold, and let it go on"),
                    ("override_freeze", "Can publish during a freeze window"),
                ),
            },
        ),
        migrations.AddField(
            model_name="channel",
            name="requires_baseline",
            field=models.BooleanField(
                default=False, help_text="Whether a brief has to say what the system does now."
            ),
        ),
        migrations.AddField(
            model_name="channel",
            name="approver_group",
            field=models.ForeignKey(
                blank=True,
                help_text="Who may approve, of those whose role lets them; nobody named: all of them.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="auth.group",
            ),
        ),
        migrations.AddField(
            model_name="channel",
            name="is_protected",
            field=models.BooleanField(
                default=False,
                help_text="Whether no single person can publish on it, open it again or remove it.",
            ),
        ),
        migrations.AddField(
            model_name="channel",
            name="time_zone",
            field=models.CharField(
                default="UTC", help_text="The zone in which its freeze windows are meant.", max_length=64
            ),
        ),
        migrations.AddConstraint(
            model_name="channel",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_protected", False), ("required_approvals__gte", 1), _connector="OR"),
                name="channel_protected_asks_for_approval",
            ),
        ),
        *READ_CHANNELS,
        Guard(
            "channel_keeps_its_name",
            table="releases_channel",
            event="UPDATE",
            condition="NEW.name <> OLD.name",
            message="channel_named: what storage and history call a channel is never changed",
        ),
        Guard(
            "channel_protected_stays",
            table="releases_channel",
            event="DELETE",
            condition="OLD.is_protected",
            message="channel_protected: a protected channel is not removed",
        ),
    ]
