import django.db.models.deletion
from django.db import migrations, models

from apps.audit.guards import Guard

PINNED = "EXISTS (SELECT 1 FROM releases_release WHERE tagging_id >= {act})"


class Migration(migrations.Migration):
    """How files are tagged: pinned with the rules of a release, and never changed below one that pins it.

    No row is written, and SQLite, which would lose the guards of the table, does not rebuild it.
    """

    dependencies = [("assets", "0004_tags"), ("releases", "0027_in_front_on_receipts")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "ALTER TABLE releases_release ADD COLUMN tagging_id bigint NULL"
                    " REFERENCES assets_tagging (id) DEFERRABLE INITIALLY DEFERRED",
                    "ALTER TABLE releases_release DROP COLUMN tagging_id",
                )
            ],
            state_operations=[
                migrations.AddField(
                    model_name="release",
                    name="tagging",
                    field=models.ForeignKey(
                        blank=True,
                        db_index=False,
                        help_text="How files are tagged for its rules; none where they do not ask.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="assets.tagging",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="release",
            index=models.Index(
                condition=models.Q(("tagging__isnull", False)), fields=["tagging"], name="release_by_tagging"
            ),
        ),
        migrations.AlterField(
            model_name="involvement",
            name="kind",
            field=models.CharField(
                choices=[
                    ("began", "began it"),
                    ("owned", "has owned it"),
                    ("changed", "has changed what it holds"),
                    ("briefed", "has written its brief"),
                    ("submitted", "has submitted it"),
                    ("tagged", "has tagged files for its cache rules"),
                ],
                max_length=9,
            ),
        ),
        Guard(
            "release_tagging_only_of_drafts",
            table="releases_release",
            event="UPDATE",
            condition="OLD.state <> 'draft' AND NEW.state <> 'draft'"
            " AND COALESCE(OLD.tagging_id, 0) <> COALESCE(NEW.tagging_id, 0)",
            message="release_closed: only a draft can be changed",
        ),
        *(
            Guard(
                f"assets_assettag_pinned_{event.lower()}",
                table="assets_assettag",
                event=event,
                condition=PINNED.format(act=act),
                message="tags_pinned: a release has pinned how files were tagged then",
            )
            for event, act in (("INSERT", "NEW.since_id"), ("UPDATE", "NEW.until_id"))
        ),
    ]
