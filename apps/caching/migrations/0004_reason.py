from django.db import migrations, models


class Migration(migrations.Migration):
    """Why a version was made.

    The new column has a default in the database: no row is written, and SQLite, which would lose the
    guards of the table, does not rebuild it.
    """

    dependencies = [("caching", "0003_state_and_combination")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "ALTER TABLE caching_cacheruleversion ADD COLUMN reason text NOT NULL DEFAULT ''",
                    "ALTER TABLE caching_cacheruleversion DROP COLUMN reason",
                )
            ],
            state_operations=[
                migrations.AddField(
                    model_name="cacheruleversion",
                    name="reason",
                    field=models.TextField(
                        blank=True,
                        default="",
                        db_default="",
                        help_text="Why this version was made after the one before it.",
                    ),
                ),
            ],
        ),
    ]
