from importlib import import_module

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from apps.audit.guards import Guard, Recording, RemoveGuard, append_only

FIRST = import_module("apps.releases.migrations.0002_guards")
BEFORE: list[Guard] = [
    operation
    for operation in import_module("apps.releases.migrations.0004_redirects").Migration.operations
    if type(operation) is Guard
    and operation.name in ("release_approved_by_enough", "approval_not_of_own_work")
]

# Whoever owns or made it, wrote a change that it holds, ever did any of that, or wrote a cache rule that it
# brings: one that its base did not have.
HAS_PART = """
    (EXISTS (SELECT 1 FROM releases_release
             WHERE id = {release} AND {person} IN (created_by_id, owner_id))
     OR EXISTS (SELECT 1 FROM releases_change WHERE release_id = {release} AND author_id = {person})
     OR EXISTS (SELECT 1 FROM releases_redirectchange WHERE release_id = {release} AND author_id = {person})
     OR EXISTS (SELECT 1 FROM releases_contributor WHERE release_id = {release} AND person_id = {person})
     OR EXISTS (SELECT 1 FROM releases_involvement WHERE release_id = {release} AND person_id = {person})
     OR EXISTS (SELECT 1 FROM releases_release AS mine
                JOIN releases_release_rules AS brought ON brought.release_id = mine.id
                JOIN caching_cacheruleversion AS version ON version.id = brought.cacheruleversion_id
                WHERE mine.id = {release} AND {person} IN (version.created_by_id, version.owner_id)
                AND NOT EXISTS (SELECT 1 FROM releases_release_rules AS earlier
                                WHERE earlier.release_id = mine.base_id
                                AND earlier.cacheruleversion_id = brought.cacheruleversion_id)))
"""
IS_APPROVER = """
    (NOT EXISTS (SELECT 1 FROM releases_channel WHERE id = {channel} AND approver_group_id IS NOT NULL)
     OR EXISTS (SELECT 1 FROM releases_channel AS asked
                JOIN accounts_user_groups AS member ON member.group_id = asked.approver_group_id
                WHERE asked.id = {channel} AND member.user_id = {person}))
"""
MAY_APPROVE = """
    EXISTS (SELECT 1 FROM accounts_user AS someone WHERE someone.id = {person} AND someone.is_active
            AND (someone.is_superuser
                 OR EXISTS (SELECT 1 FROM accounts_user_groups AS member
                            JOIN auth_group_permissions AS granted ON granted.group_id = member.group_id
                            JOIN auth_permission AS permission ON permission.id = granted.permission_id
                            WHERE member.user_id = someone.id
                            AND permission.codename = 'approve_release')
                 OR EXISTS (SELECT 1 FROM accounts_user_user_permissions AS given
                            JOIN auth_permission AS permission ON permission.id = given.permission_id
                            WHERE given.user_id = someone.id
                            AND permission.codename = 'approve_release')))
"""
ENOUGH_APPROVALS = f"""
    (SELECT count(*) FROM releases_approval AS approval
     WHERE approval.release_id = {{release}} AND approval.manifest_id = NEW.manifest_id
     AND NOT {HAS_PART.format(release="{release}", person="approval.approver_id")}
     AND {IS_APPROVER.format(channel="NEW.channel_id", person="approval.approver_id")})
    >= (SELECT required_approvals FROM releases_channel WHERE id = NEW.channel_id)
"""
CHANNEL_OF_RELEASE = "(SELECT channel_id FROM releases_release WHERE id = NEW.release_id)"
AFTER = [
    Guard(
        "release_approved_by_enough",
        table="releases_release",
        event="UPDATE",
        condition=f"NEW.state = 'approved' AND OLD.state <> 'approved' AND {FIRST.LIVE_BEFORE}"
        f" AND NOT {ENOUGH_APPROVALS.format(release='NEW.id')}",
        message="approvals_missing: fewer people have approved this digest than the channel asks for",
    ),
    Guard(
        "approval_not_of_own_work",
        table="releases_approval",
        event="INSERT",
        condition=HAS_PART.format(release="NEW.release_id", person="NEW.approver_id"),
        message="self_approval: nobody approves what they own or have a part in",
    ),
    Guard(
        "approval_by_the_group_asked_for",
        table="releases_approval",
        event="INSERT",
        condition=f"NOT {IS_APPROVER.format(channel=CHANNEL_OF_RELEASE, person='NEW.approver_id')}",
        message="not_an_approver: only the channel's group of approvers approves",
    ),
    Guard(
        "approval_by_who_may",
        table="releases_approval",
        event="INSERT",
        condition=f"NOT {MAY_APPROVE.format(person='NEW.approver_id')}",
        message="forbidden: only who has the permission for it approves a release",
    ),
    Guard(
        "release_baseline_before_review",
        table="releases_release",
        event="UPDATE",
        condition="""
            OLD.state = 'draft' AND NEW.state = 'in_review'
            AND '' IN (NEW.route, NEW.expected_input, NEW.failing_command, NEW.noticed_at)
            AND (SELECT requires_baseline FROM releases_channel WHERE id = NEW.channel_id)
        """,
        message="brief_incomplete: this channel asks what the system does now",
    ),
]


def _keeps(
    name: str, *, table: str, event: str, kind: str, release: str, person: str, when: str
) -> Recording:
    """Keep who had a part in a release when the row that shows it changes or goes."""
    return Recording(
        name,
        table=table,
        event=event,
        condition=when,
        statement="INSERT INTO releases_involvement (release_id, person_id, kind, at)"
        f" VALUES (OLD.{release}, OLD.{person}, '{kind}', CURRENT_TIMESTAMP) ON CONFLICT DO NOTHING",
    )


RECORDINGS = [
    *(
        _keeps(
            f"{table}_keeps_its_author_{event.lower()}",
            table=f"releases_{table}",
            event=event,
            kind="changed",
            release="release_id",
            person="author_id",
            when=when,
        )
        for table in ("change", "redirectchange")
        for event, when in (("DELETE", "1 = 1"), ("UPDATE", "NEW.author_id <> OLD.author_id"))
    ),
    *(
        _keeps(
            f"release_keeps_who_{kind}_it",
            table="releases_release",
            event="UPDATE",
            kind=kind,
            release="id",
            person=f"{column}_id",
            when=f"OLD.{column}_id IS NOT NULL AND COALESCE(NEW.{column}_id, -1) <> OLD.{column}_id",
        )
        for kind, column in (("owned", "owner"), ("began", "created_by"))
    ),
]


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_time_zone"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("caching", "0002_guards"),
        ("releases", "0013_previews"),
    ]

    operations = [
        migrations.CreateModel(
            name="Involvement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("began", "began it"),
                            ("owned", "has owned it"),
                            ("changed", "has changed what it holds"),
                            ("briefed", "has written its brief"),
                            ("submitted", "has submitted it"),
                        ],
                        max_length=9,
                    ),
                ),
                ("at", models.DateTimeField()),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "release",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="involvements",
                        to="releases.release",
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("release", "person", "kind"), name="one_involvement_a_kind"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Comment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("remark", "said"),
                            ("request", "asked for changes"),
                            ("rejection", "rejected it"),
                        ],
                        default="remark",
                        max_length=9,
                    ),
                ),
                (
                    "path",
                    models.CharField(
                        blank=True,
                        help_text="The file or, with a slash before it, the redirect that it is about; "
                        "empty: the release.",
                        max_length=1024,
                    ),
                ),
                ("text", models.TextField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "answers",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="answered_by",
                        to="releases.comment",
                    ),
                ),
                (
                    "author",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "release",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="comments",
                        to="releases.release",
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
                "default_permissions": ("view", "add"),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("text", ""), _negated=True), name="comment_says_something"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("answers__isnull", True),
                            models.Q(("kind", "remark"), ("path", "")),
                            _connector="OR",
                        ),
                        name="answer_is_a_remark",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Settlement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("is_resolved", models.BooleanField()),
                ("at", models.DateTimeField(auto_now_add=True)),
                (
                    "actor",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "comment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="settlements",
                        to="releases.comment",
                    ),
                ),
            ],
            options={"ordering": ("id",), "default_permissions": ()},
        ),
        *append_only("releases_involvement"),
        *append_only("releases_comment"),
        *append_only("releases_settlement"),
        Guard(
            "comment_answers_one_of_its_release",
            table="releases_comment",
            event="INSERT",
            condition="""
                NEW.answers_id IS NOT NULL AND NOT EXISTS (
                    SELECT 1 FROM releases_comment AS asked WHERE asked.id = NEW.answers_id
                    AND asked.release_id = NEW.release_id AND asked.answers_id IS NULL)
            """,
            message="wrong_answer: an answer is to a comment on the same release, not to another answer",
        ),
        Guard(
            "settlement_of_no_answer",
            table="releases_settlement",
            event="INSERT",
            condition="EXISTS (SELECT 1 FROM releases_comment"
            " WHERE id = NEW.comment_id AND answers_id IS NOT NULL)",
            message="wrong_settlement: what is settled is a comment, with its answers",
        ),
        *map(RemoveGuard, BEFORE),
        *AFTER,
        *RECORDINGS,
    ]
