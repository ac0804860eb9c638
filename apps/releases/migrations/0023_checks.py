from importlib import import_module

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from apps.audit.guards import Guard, append_only

REVIEW = import_module("apps.releases.migrations.0014_review")
ONE_RULE = import_module("apps.releases.migrations.0017_one_rule")

# As `failed_checks` of the selectors: the newest result of a check on this digest has failed, and nobody who
# could approve the release has written down why it goes on.
HAS_FAILED = f"""
    EXISTS (SELECT 1 FROM releases_checkresult AS tried
            WHERE tried.release_id = {{release}} AND tried.manifest_id = NEW.manifest_id
            AND tried.outcome = 'failed'
            AND NOT EXISTS (SELECT 1 FROM releases_checkresult AS later
                            WHERE later.release_id = tried.release_id
                            AND later.manifest_id = tried.manifest_id
                            AND later.name = tried.name AND later.id > tried.id)
            AND NOT EXISTS (SELECT 1 FROM releases_checkoverride AS passed
                            WHERE passed.result_id = tried.id
                            AND NOT {REVIEW.HAS_PART.format(release="{release}", person="passed.by_id")}
                            AND {REVIEW.IS_APPROVER.format(channel="NEW.channel_id", person="passed.by_id")}))
"""
OF_RESULT = "(SELECT {column} FROM releases_checkresult WHERE id = NEW.result_id)"
RELEASE_OF_RESULT = OF_RESULT.format(column="release_id")
CHANNEL_OF_RESULT = f"(SELECT channel_id FROM releases_release WHERE id = {RELEASE_OF_RESULT})"

GUARDS = [
    Guard(
        "release_approved_with_its_checks",
        table="releases_release",
        event="UPDATE",
        condition="NEW.state = 'approved' AND OLD.state <> 'approved'"
        f" AND {HAS_FAILED.format(release='NEW.id')}",
        message="checks_failed: a check of this digest has failed, and nobody has overridden it",
    ),
    Guard(
        "publication_with_its_checks",
        table="releases_publication",
        event="INSERT",
        condition=f"NEW.kind = 'publish' AND {HAS_FAILED.format(release='NEW.release_id')}"
        f" AND NOT ({ONE_RULE.IN_THIS_EMERGENCY})",
        message="checks_failed: a check of this digest has failed, and nobody has overridden it",
    ),
    Guard(
        "check_result_of_what_the_release_is",
        table="releases_checkresult",
        event="INSERT",
        condition="NOT EXISTS (SELECT 1 FROM releases_release WHERE id = NEW.release_id"
        " AND manifest_id = NEW.manifest_id)",
        message="stale_digest: a check is tried on the digest that the release has",
    ),
    Guard(
        "check_override_of_a_failure",
        table="releases_checkoverride",
        event="INSERT",
        condition=f"{OF_RESULT.format(column='outcome')} <> 'failed'",
        message="nothing_to_override: only what has failed is overridden",
    ),
    Guard(
        "check_override_not_of_own_work",
        table="releases_checkoverride",
        event="INSERT",
        condition=REVIEW.HAS_PART.format(release=RELEASE_OF_RESULT, person="NEW.by_id"),
        message="self_approval: nobody overrides a check of what they own or have a part in",
    ),
    Guard(
        "check_override_by_the_group_asked_for",
        table="releases_checkoverride",
        event="INSERT",
        condition=f"NOT {REVIEW.IS_APPROVER.format(channel=CHANNEL_OF_RESULT, person='NEW.by_id')}",
        message="not_an_approver: only the channel's group of approvers overrides a check",
    ),
    Guard(
        "check_override_by_who_may",
        table="releases_checkoverride",
        event="INSERT",
        condition=f"NOT {REVIEW.MAY_APPROVE.format(person='NEW.by_id')}",
        message="forbidden: only who has the permission to approve overrides a check",
    ),
]


class Migration(migrations.Migration):
    """What checks came to, and who let a release go on all the same. New tables: nothing is rewritten.

    What was submitted before has no results: it is checked when it is approved, and what is approved
    already stays so.
    """

    dependencies = [
        ("releases", "0022_kept_by_guards"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="CheckResult",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(help_text="Of the check, as commands call it.", max_length=60)),
                (
                    "outcome",
                    models.CharField(choices=[("passed", "passed"), ("failed", "failed")], max_length=6),
                ),
                ("words", models.TextField()),
                ("findings", models.JSONField(default=list)),
                ("finding_count", models.PositiveIntegerField(default=0)),
                ("at", models.DateTimeField()),
                (
                    "manifest",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="releases.manifest",
                    ),
                ),
                (
                    "release",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="check_results",
                        to="releases.release",
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
                "default_permissions": (),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("finding_count", 0), ("outcome", "passed")),
                            models.Q(("finding_count__gt", 0), ("outcome", "failed")),
                            _connector="OR",
                        ),
                        name="check_fails_by_its_findings",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("name", ""), _negated=True), models.Q(("words", ""), _negated=True)
                        ),
                        name="check_result_says_something",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CheckOverride",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("reason", models.TextField()),
                ("at", models.DateTimeField()),
                (
                    "by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "result",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="overrides",
                        to="releases.checkresult",
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("result", "by"), name="one_check_override_a_person"),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="check_override_has_a_reason"
                    ),
                ],
            },
        ),
        *append_only("releases_checkresult"),
        *append_only("releases_checkoverride"),
        *GUARDS,
    ]
