from django.db import migrations, models


class Migration(migrations.Migration):
    """Keep which surrogate keys a publication touches, and how many keys a cache is told.

    The columns may be empty, and are for what is from before: no row is written, and SQLite, which would
    lose the guards of a table, does not rebuild it.
    """

    dependencies = [("releases", "0028_tagging")]

    operations = [
        migrations.AddField(
            model_name="receipt",
            name="surrogate_keys",
            field=models.JSONField(
                blank=True,
                help_text="How many of the addresses caches held under each surrogate key.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="receipt",
            name="keyed_url_count",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="How many of the addresses caches held under any surrogate key.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="purge",
            name="key_count",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="How many of these are surrogate keys, which come first.",
                null=True,
            ),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="purge",
                    name="total",
                    field=models.PositiveIntegerField(
                        help_text="How many surrogate keys and addresses it is told."
                    ),
                ),
            ],
        ),
    ]
