import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from apps.audit.guards import Guard, Recording

MAY_CHANGE_CHANNELS = """
    someone.is_active AND (
        someone.is_superuser
        OR EXISTS (SELECT 1 FROM accounts_user_groups AS member
                   JOIN auth_group_permissions AS granted ON granted.group_id = member.group_id
                   JOIN auth_permission AS permission ON permission.id = granted.permission_id
                   WHERE member.user_id = someone.id AND permission.codename = 'change_channel')
        OR EXISTS (SELECT 1 FROM accounts_user_user_permissions AS given
                   JOIN auth_permission AS permission ON permission.id = given.permission_id
                   WHERE given.user_id = someone.id AND permission.codename = 'change_channel'))
"""
# What loosens a channel: by the field, when, and the value it gets, as text.
LOOSENED = {
    "required_approvals": (
        "NEW.required_approvals < OLD.required_approvals",
        "CAST({row}.required_approvals AS text)",
    ),
    "approver_group": (
        "OLD.approver_group_id IS NOT NULL AND COALESCE(NEW.approver_group_id, -1) <> OLD.approver_group_id",
        "COALESCE(CAST({row}.approver_group_id AS text), '')",
    ),
    "is_protected": (
        "OLD.is_protected AND NOT NEW.is_protected",
        "CASE WHEN {row}.is_protected THEN 'on' ELSE 'off' END",
    ),
}


def _guards_of(field: str) -> list[Guard]:
    loosened, value = LOOSENED[field]
    confirmed = (
        f"channel_id = NEW.id AND field = '{field}' AND state = 'confirmed'"
        f" AND before = {value.format(row='OLD')} AND after = {value.format(row='NEW')}"
    )
    return [
        Guard(
            f"channel_loosens_{field}",
            table="releases_channel",
            event="UPDATE",
            condition=f"{loosened} AND NOT EXISTS (SELECT 1 FROM releases_channelproposal WHERE {confirmed})",
            message="not_confirmed: that a channel asks for less is confirmed by another administrator",
        ),
        Recording(
            f"channel_applies_{field}",
            table="releases_channel",
            event="UPDATE",
            condition=loosened,
            statement=f"UPDATE releases_channelproposal SET state = 'applied' WHERE {confirmed}",
        ),
    ]


FIXED = ("channel_id", "field", "before", "after", "proposed_by_id", "proposed_at")
GUARDS = [
    Guard(
        "proposal_confirmed_by_another",
        table="releases_channelproposal",
        event="UPDATE",
        condition=f"""
            NEW.state = 'confirmed' AND OLD.state <> 'confirmed' AND (
                NEW.decided_by_id = NEW.proposed_by_id
                OR NOT EXISTS (SELECT 1 FROM accounts_user AS someone
                               WHERE someone.id = NEW.decided_by_id AND {MAY_CHANGE_CHANNELS}))
        """,
        message="self_approval: another administrator than who proposed it confirms it",
    ),
    Guard(
        "proposal_begins_open",
        table="releases_channelproposal",
        event="INSERT",
        condition=f"""
            NEW.state <> 'open' AND NOT (
                NEW.state = 'confirmed' AND NEW.decided_by_id = NEW.proposed_by_id AND NEW.note <> ''
                AND NOT EXISTS (SELECT 1 FROM accounts_user AS someone
                                WHERE someone.id <> NEW.proposed_by_id AND {MAY_CHANGE_CHANNELS}))
        """,
        message="not_confirmed: a proposal waits for another administrator while there is one",
    ),
    Guard(
        "proposal_decided_once",
        table="releases_channelproposal",
        event="UPDATE",
        condition="(OLD.state || '>' || NEW.state) NOT IN"
        " ('open>confirmed', 'open>declined', 'confirmed>applied') OR "
        + " OR ".join(f"NEW.{column} <> OLD.{column}" for column in FIXED)
        + " OR (OLD.state = 'confirmed' AND NEW.decided_by_id <> OLD.decided_by_id)",
        message="append_only: a proposal is decided once, and otherwise never changed",
    ),
    Guard(
        "proposal_stays",
        table="releases_channelproposal",
        event="DELETE",
        message="append_only: a proposal is never removed",
    ),
    *(guard for field in LOOSENED for guard in _guards_of(field)),
]


class Migration(migrations.Migration):
    dependencies = [
        ("releases", "0015_drills"),
    ]

    operations = [
        migrations.CreateModel(
            name="ChannelProposal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "field",
                    models.CharField(
                        choices=[
                            ("required_approvals", "required approvals"),
                            ("approver_group", "group that may approve"),
                            ("is_protected", "protected"),
                        ],
                        max_length=18,
                    ),
                ),
                ("before", models.CharField(blank=True, max_length=20)),
                ("after", models.CharField(blank=True, max_length=20)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "open"),
                            ("confirmed", "confirmed"),
                            ("applied", "done"),
                            ("declined", "declined"),
                        ],
                        default="open",
                        max_length=9,
                    ),
                ),
                ("proposed_at", models.DateTimeField(auto_now_add=True)),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("note", models.TextField(blank=True, help_text="Why nobody else confirmed it.")),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="proposals",
                        to="releases.channel",
                    ),
                ),
                (
                    "decided_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "proposed_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "open")),
                        fields=("channel", "field"),
                        name="one_open_proposal_a_field",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("decided_at__isnull", True), ("decided_by__isnull", True), ("state", "open")
                            ),
                            models.Q(
                                ("decided_at__isnull", False),
                                ("decided_by__isnull", False),
                                ("state__in", ("confirmed", "applied", "declined")),
                            ),
                            _connector="OR",
                        ),
                        name="proposal_is_open_or_decided",
                    ),
                ],
            },
        ),
        *GUARDS,
    ]
