from importlib import import_module

import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

from apps.audit.guards import Guard, RemoveGuard, append_only

FIRST = import_module("apps.releases.migrations.0002_guards")
REDIRECTS = import_module("apps.releases.migrations.0004_redirects")
TRANSITIONS = (*FIRST.TRANSITIONS, "in_review>published")
IN_EMERGENCY = """
    EXISTS (SELECT 1 FROM releases_emergencypublication AS emergency
            JOIN releases_emergencyrequest AS asked ON asked.id = emergency.request_id
            WHERE asked.release_id = {release} AND asked.manifest_id = NEW.manifest_id
            AND emergency.channel_id = NEW.channel_id{more})
"""
OF_THIS_NUMBER = " AND emergency.sequence = NEW.sequence"
OF_RELEASE = "(SELECT release_id FROM releases_emergencyrequest WHERE id = NEW.request_id)"
BEFORE: list[Guard] = [
    *(guard for guard in FIRST.Migration.operations if guard.name == "release_transition"),
    *map(REDIRECTS._after, (each for each in REDIRECTS.BEFORE if each.name == "publication_of_approved")),
]
AFTER = (
    Guard(
        "release_transition",
        table="releases_release",
        event="UPDATE",
        condition="OLD.state <> NEW.state AND (OLD.state || '>' || NEW.state) NOT IN ("
        + ", ".join(f"'{transition}'" for transition in TRANSITIONS)
        + ")",
        message="wrong_state: a release cannot go from that state to this one",
    ),
    Guard(
        "release_published_in_emergency",
        table="releases_release",
        event="UPDATE",
        condition="OLD.state = 'in_review' AND NEW.state = 'published' AND NOT "
        + IN_EMERGENCY.format(release="NEW.id", more=""),
        message="not_approved: what is in review is published only where two administrators decided so",
    ),
    Guard(
        "publication_of_approved",
        table="releases_publication",
        event="INSERT",
        condition=f"""
            NEW.kind = 'publish' AND NOT (
                EXISTS (SELECT 1 FROM releases_release
                        WHERE id = NEW.release_id AND state = 'approved'
                        AND manifest_id = NEW.manifest_id AND channel_id = NEW.channel_id)
                AND (
                    (NOT {FIRST.LIVE_BEFORE} AND NOT EXISTS (
                        SELECT 1 FROM releases_channel WHERE id = NEW.channel_id AND is_protected))
                    OR {REDIRECTS.ENOUGH_APPROVALS.format(release="NEW.release_id")}
                )
                OR EXISTS (SELECT 1 FROM releases_release
                           WHERE id = NEW.release_id AND state = 'in_review'
                           AND manifest_id = NEW.manifest_id AND channel_id = NEW.channel_id)
                AND {IN_EMERGENCY.format(release="NEW.release_id", more=OF_THIS_NUMBER)}
            )
        """,
        message="not_approved: only an approved digest is published, on the channel it was made for",
    ),
    *append_only("releases_freezeoverride"),
    *append_only("releases_emergencyrequest"),
    *append_only("releases_emergencypublication"),
    Guard(
        "emergency_asked_for_what_is_in_review",
        table="releases_emergencyrequest",
        event="INSERT",
        condition="NOT EXISTS (SELECT 1 FROM releases_release WHERE id = NEW.release_id"
        " AND manifest_id = NEW.manifest_id AND state = 'in_review')",
        message="stale_digest: an emergency publish is asked for the digest that is in review",
    ),
    Guard(
        "emergency_confirmed_by_another",
        table="releases_emergencypublication",
        event="INSERT",
        condition=f"""
            EXISTS (SELECT 1 FROM releases_emergencyrequest AS asked
                    JOIN releases_release AS release ON release.id = asked.release_id
                    WHERE asked.id = NEW.request_id AND NEW.confirmed_by_id IN (
                        asked.asked_by_id, release.created_by_id, COALESCE(release.owner_id, -1)))
            OR {REDIRECTS.HAS_ADDED.format(release=OF_RELEASE, person="NEW.confirmed_by_id")}
        """,
        message="self_approval: an emergency publish is confirmed by neither who asked nor an author",
    ),
    Guard(
        "emergency_of_what_is_in_review",
        table="releases_emergencypublication",
        event="INSERT",
        condition="""
            NOT EXISTS (SELECT 1 FROM releases_emergencyrequest AS asked
                        JOIN releases_release AS release ON release.id = asked.release_id
                        WHERE asked.id = NEW.request_id AND release.state = 'in_review'
                        AND release.manifest_id = asked.manifest_id AND release.channel_id = NEW.channel_id)
        """,
        message="stale_digest: only the digest that it was asked for is published in an emergency",
    ),
)


class Migration(migrations.Migration):
    dependencies = [
        ("releases", "0011_origins"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="EmergencyRequest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("asked_at", models.DateTimeField()),
                ("reason", models.TextField()),
                (
                    "asked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "manifest",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="releases.manifest"
                    ),
                ),
                (
                    "release",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="emergency_requests",
                        to="releases.release",
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
                "permissions": (("publish_in_emergency", "Can ask for and confirm an emergency publish"),),
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="EmergencyPublication",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sequence", models.PositiveIntegerField()),
                ("confirmed_at", models.DateTimeField()),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="releases.channel"
                    ),
                ),
                (
                    "confirmed_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "request",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="publication",
                        to="releases.emergencyrequest",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="FreezeOverride",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("reason", models.TextField()),
                (
                    "windows",
                    models.TextField(
                        help_text="The windows it was published in, in words, with their time zone."
                    ),
                ),
                (
                    "frozen_until",
                    models.DateTimeField(blank=True, help_text="None where no end was in sight.", null=True),
                ),
                (
                    "publication",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="freeze_override",
                        to="releases.publication",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="FreezeWindow",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "from_weekday",
                    models.PositiveSmallIntegerField(blank=True, help_text="0 is Monday.", null=True),
                ),
                ("to_weekday", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("from_date", models.DateField(blank=True, null=True)),
                ("to_date", models.DateField(blank=True, null=True)),
                ("from_time", models.TimeField()),
                ("to_time", models.TimeField()),
                ("added_at", models.DateTimeField(auto_now_add=True)),
                (
                    "added_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="freeze_windows",
                        to="releases.channel",
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="ChannelHost",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("host", models.CharField(max_length=253, unique=True)),
                ("added_at", models.DateTimeField(auto_now_add=True)),
                (
                    "added_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="hosts",
                        to="releases.channel",
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
                "default_permissions": (),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("host", django.db.models.functions.text.Lower(models.F("host")))),
                        name="host_is_in_lower_case",
                    )
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="emergencyrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True), name="emergency_has_a_reason"
            ),
        ),
        migrations.AddConstraint(
            model_name="emergencypublication",
            constraint=models.UniqueConstraint(
                fields=("channel", "sequence"), name="one_emergency_a_publication"
            ),
        ),
        migrations.AddConstraint(
            model_name="freezeoverride",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True), name="override_has_a_reason"
            ),
        ),
        migrations.AddConstraint(
            model_name="freezewindow",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("from_date__isnull", True),
                        ("from_weekday__isnull", False),
                        ("from_weekday__lte", 6),
                        ("to_date__isnull", True),
                        ("to_weekday__isnull", False),
                        ("to_weekday__lte", 6),
                    ),
                    models.Q(
                        ("from_date__isnull", False),
                        ("from_weekday__isnull", True),
                        ("to_date__isnull", False),
                        ("to_weekday__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="freeze_window_is_weekly_or_once",
            ),
        ),
        *map(RemoveGuard, BEFORE),
        *AFTER,
    ]
