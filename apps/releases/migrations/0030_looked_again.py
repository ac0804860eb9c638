import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Keep who had it looked again what caches in front show of a publication.

    The column may be empty, as it is where nobody asked. No row is written, and SQLite, which would lose the
    guards of the table, does not rebuild it.
    """

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("releases", "0029_surrogate_keys"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "ALTER TABLE releases_receiptstep ADD COLUMN asked_by_id bigint NULL"
                    " REFERENCES accounts_user (id) DEFERRABLE INITIALLY DEFERRED",
                    "ALTER TABLE releases_receiptstep DROP COLUMN asked_by_id",
                )
            ],
            state_operations=[
                migrations.AddField(
                    model_name="receiptstep",
                    name="asked_by",
                    field=models.ForeignKey(
                        blank=True,
                        db_index=False,
                        help_text="Who had it looked again; nobody for what the site sees by itself.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                migrations.AlterField(
                    model_name="receiptstep",
                    name="number",
                    field=models.PositiveIntegerField(
                        help_text=(
                            "From 0 for each kind, so that none is noted twice; of a second look from 1000."
                        )
                    ),
                ),
            ],
        ),
    ]
