import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from apps.audit.guards import Guard, append_only

ENDS_ONCE = (
    "OLD.until_id IS NOT NULL OR NEW.until_id IS NULL OR NEW.id <> OLD.id OR NEW.asset_id <> OLD.asset_id"
    " OR NEW.name <> OLD.name OR NEW.since_id <> OLD.since_id"
)


def _id() -> models.BigAutoField[int, int]:
    return models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


class Migration(migrations.Migration):
    """Tags of assets, with since when and until when each was carried: what was pinned can be told again."""

    dependencies = [
        ("assets", "0003_leftovers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Tagging",
            fields=[
                ("id", _id()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("reason", models.TextField(blank=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ("-id",), "default_permissions": ()},
        ),
        migrations.CreateModel(
            name="AssetTag",
            fields=[
                ("id", _id()),
                ("name", models.CharField(max_length=60)),
                (
                    "asset",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="tags", to="assets.asset"
                    ),
                ),
                (
                    "since",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="given",
                        to="assets.tagging",
                    ),
                ),
                (
                    "until",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="taken_away",
                        to="assets.tagging",
                    ),
                ),
            ],
            options={
                "ordering": ("name", "asset"),
                "default_permissions": (),
                "indexes": [models.Index(fields=["name", "asset"], name="asset_tag_by_name")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("until__isnull", True)),
                        fields=("asset", "name"),
                        name="asset_tag_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("until__isnull", True), ("until__gt", models.F("since")), _connector="OR"
                        ),
                        name="asset_tag_ends_after_it_began",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("name", ""), _negated=True), name="asset_tag_has_a_name"
                    ),
                ],
            },
        ),
        *append_only("assets_tagging"),
        Guard(
            "assets_assettag_ends_once",
            table="assets_assettag",
            event="UPDATE",
            condition=ENDS_ONCE,
            message="append_only: a tag that was given is only ever taken away",
        ),
        Guard(
            "assets_assettag_no_delete",
            table="assets_assettag",
            event="DELETE",
            message="append_only: rows of assets_assettag are never changed or removed",
        ),
    ]
