import django.db.models.deletion
from django.db import migrations, models

from apps.audit.guards import Guard, append_only


class Migration(migrations.Migration):
    dependencies = [
        ("releases", "0008_seals"),
    ]

    operations = [
        migrations.CreateModel(
            name="Receipt",
            fields=[
                (
                    "publication",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="receipt",
                        serialize=False,
                        to="releases.publication",
                    ),
                ),
                (
                    "pointer_at",
                    models.DateTimeField(blank=True, help_text="When storage had its pointer.", null=True),
                ),
                (
                    "followed_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When the last node followed, or was waited for no longer.",
                        null=True,
                    ),
                ),
                (
                    "url_count",
                    models.PositiveIntegerField(
                        blank=True, help_text="How many addresses answer otherwise than before.", null=True
                    ),
                ),
                (
                    "urls_name",
                    models.CharField(blank=True, help_text="Name in storage of their list.", max_length=200),
                ),
                ("urls_sha256", models.CharField(blank=True, max_length=64)),
                (
                    "verdict",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("verified", "verified"),
                            ("failed", "not verified"),
                            ("unknown", "could not be verified"),
                        ],
                        max_length=8,
                    ),
                ),
                ("words", models.TextField(blank=True, help_text="Why it is not verified.")),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(
                        condition=models.Q(("finished_at", None)), fields=["publication"], name="receipt_open"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("finished_at__isnull", True), ("verdict", ""), ("words", "")),
                            models.Q(
                                ("finished_at__isnull", False),
                                ("url_count__isnull", False),
                                ("verdict", "verified"),
                                ("words", ""),
                            ),
                            models.Q(
                                ("finished_at__isnull", False),
                                ("verdict__in", ("failed", "unknown")),
                                models.Q(("words", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="receipt_has_a_verdict_when_finished",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("url_count__isnull", True), ("urls_name", ""), ("urls_sha256", "")),
                            models.Q(
                                ("url_count__isnull", False),
                                models.Q(("urls_name", ""), _negated=True),
                                models.Q(("urls_sha256", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="receipt_has_a_list_if_counted",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ReceiptStep",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(choices=[("node", "node"), ("fetch", "fetched")], max_length=5)),
                (
                    "number",
                    models.PositiveIntegerField(
                        help_text="From 0 for each kind, so that none is noted twice."
                    ),
                ),
                ("subject", models.TextField(help_text="The node's name, or the address.")),
                ("at", models.DateTimeField()),
                ("is_good", models.BooleanField()),
                (
                    "words",
                    models.TextField(help_text="What was seen, and what was expected where that differs."),
                ),
                (
                    "receipt",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="steps",
                        to="releases.receipt",
                    ),
                ),
            ],
            options={
                "ordering": ("id",),
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("receipt", "kind", "number"), name="one_receipt_step_a_number"
                    )
                ],
            },
        ),
        Guard(
            "receipt_closed_no_update",
            table="releases_receipt",
            event="UPDATE",
            condition="OLD.finished_at IS NOT NULL OR NEW.publication_id <> OLD.publication_id",
            message="receipt_closed: a receipt that is finished is never changed",
        ),
        Guard(
            "releases_receipt_no_delete",
            table="releases_receipt",
            event="DELETE",
            message="append_only: rows of releases_receipt are never changed or removed",
        ),
        *append_only("releases_receiptstep"),
        Guard(
            "receipt_step_of_an_open_receipt",
            table="releases_receiptstep",
            event="INSERT",
            condition="EXISTS (SELECT 1 FROM releases_receipt WHERE publication_id = NEW.receipt_id"
            " AND finished_at IS NOT NULL)",
            message="receipt_closed: nothing is added to a receipt that is finished",
        ),
    ]
