from django.db import migrations, models

from apps.audit.guards import Guard


class Migration(migrations.Migration):
    """What becomes of a file that several rules of a release match: pinned with them.

    The column has a default in the database: no row is written, and SQLite, which would lose the guards
    of the table, does not rebuild it.
    """

    dependencies = [("releases", "0017_one_rule"), ("caching", "0003_state_and_combination")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "ALTER TABLE releases_release"
                    " ADD COLUMN rule_combination varchar(5) NOT NULL DEFAULT 'first'",
                    "ALTER TABLE releases_release DROP COLUMN rule_combination",
                )
            ],
            state_operations=[
                migrations.AddField(
                    model_name="release",
                    name="rule_combination",
                    field=models.CharField(
                        max_length=5,
                        choices=[("first", "first"), ("merge", "merge")],
                        default="first",
                        db_default="first",
                        help_text="What becomes of a file that several of its rules match.",
                    ),
                ),
            ],
        ),
        Guard(
            "release_combination_only_of_drafts",
            table="releases_release",
            event="UPDATE",
            condition="OLD.state <> 'draft' AND NEW.state <> 'draft'"
            " AND OLD.rule_combination <> NEW.rule_combination",
            message="release_closed: only a draft can be changed",
        ),
        *(
            Guard(
                f"release_combination_is_known_{event.lower()}",
                table="releases_release",
                event=event,
                condition="NEW.rule_combination NOT IN ('first', 'merge')",
                message="known_combination: rules combine by first or by merge",
            )
            for event in ("INSERT", "UPDATE")
        ),
    ]
