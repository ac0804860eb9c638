from importlib import import_module

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from apps.audit.guards import Guard, append_only

EARLIER = import_module("apps.releases.migrations.0004_redirects")
IS_CONTRIBUTOR = """
    EXISTS (SELECT 1 FROM releases_contributor
            WHERE release_id = NEW.{release} AND person_id = {person})
"""
APPROVALS_OF_OTHERS = f"""
    (SELECT count(*) FROM releases_approval AS approval
     WHERE approval.release_id = NEW.id AND approval.manifest_id = NEW.manifest_id
     AND approval.approver_id NOT IN (NEW.created_by_id, NEW.owner_id)
     AND NOT {EARLIER.HAS_ADDED.format(release="NEW.id", person="approval.approver_id")}
     AND NOT {IS_CONTRIBUTOR.format(release="id", person="approval.approver_id")})
"""


class Migration(migrations.Migration):
    dependencies = [
        ("assets", "0002_effort"),
        ("releases", "0010_holds"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Contributor",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("path", models.CharField(blank=True, max_length=1024)),
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
                        related_name="contributors",
                        to="releases.release",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("release", "person", "path"), name="one_contributor_a_path"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Origin",
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
                            ("revert", "reverts"),
                            ("promote", "promotes"),
                            ("combine", "combines"),
                            ("split", "was split from"),
                        ],
                        max_length=8,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "manifest",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="releases.manifest",
                    ),
                ),
                (
                    "release",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="origins",
                        to="releases.release",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="offspring",
                        to="releases.release",
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("release", "source"), name="one_origin_a_source"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "promote"), ("manifest__isnull", False)),
                            models.Q(
                                models.Q(("kind", "promote"), _negated=True), ("manifest__isnull", True)
                            ),
                            _connector="OR",
                        ),
                        name="origin_has_a_manifest_if_promoted",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Resolution",
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
                        choices=[("file", "file"), ("redirect", "redirect"), ("rule", "cache rule")],
                        max_length=8,
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=1024)),
                (
                    "choice",
                    models.CharField(
                        choices=[
                            ("ours", "what the release has"),
                            ("theirs", "what is live"),
                            ("merged", "both, merged"),
                        ],
                        max_length=6,
                    ),
                ),
                ("seen", models.CharField(max_length=64)),
                ("decided_at", models.DateTimeField(auto_now=True)),
                (
                    "blob",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="assets.blob",
                    ),
                ),
                (
                    "decided_by",
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
                        related_name="resolutions",
                        to="releases.release",
                    ),
                ),
            ],
            options={
                "ordering": ("release", "kind", "name"),
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("release", "kind", "name"), name="one_resolution_a_conflict"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("blob__isnull", False), ("choice", "merged"), ("kind", "file")),
                            models.Q(models.Q(("choice", "merged"), _negated=True), ("blob__isnull", True)),
                            _connector="OR",
                        ),
                        name="resolution_has_a_blob_if_merged",
                    ),
                ],
            },
        ),
        *append_only("releases_origin"),
        *EARLIER.EARLIER._closed("releases_contributor"),
        Guard(
            "approval_not_of_contributors",
            table="releases_approval",
            event="INSERT",
            condition=IS_CONTRIBUTOR.format(release="release_id", person="NEW.approver_id"),
            message="self_approval: nobody approves what they contributed to",
        ),
        # An approval from before its giver became a contributor does not count for the same digest.
        Guard(
            "release_approved_without_contributors",
            table="releases_release",
            event="UPDATE",
            condition=f"""
                NEW.state = 'approved' AND OLD.state <> 'approved'
                AND EXISTS (SELECT 1 FROM releases_approval AS approval
                            WHERE approval.release_id = NEW.id AND approval.manifest_id = NEW.manifest_id
                            AND {IS_CONTRIBUTOR.format(release="id", person="approval.approver_id")})
                AND {APPROVALS_OF_OTHERS} < (SELECT required_approvals FROM releases_channel
                                             WHERE id = NEW.channel_id)
            """,
            message="approvals_missing: an approval by somebody who contributed does not count",
        ),
        Guard(
            "release_promoted_as_it_was",
            table="releases_release",
            event="UPDATE",
            condition="""
                NEW.manifest_id IS NOT NULL AND EXISTS (
                    SELECT 1 FROM releases_origin WHERE release_id = NEW.id
                    AND kind = 'promote' AND manifest_id <> NEW.manifest_id)
            """,
            message="promoted: a promoted release has the manifest that was served, and no other",
        ),
        Guard(
            "origin_of_drafts",
            table="releases_origin",
            event="INSERT",
            condition=EARLIER.EARLIER.NOT_A_DRAFT.format(row="NEW"),
            message="release_closed: only of a draft can be said what it is made out of",
        ),
    ]
