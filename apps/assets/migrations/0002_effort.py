from django.db import migrations, models

EFFORTS = [(0, "not tried"), (1, "Fast"), (2, "Best")]


class Migration(migrations.Migration):
    """So far codings were made with the best effort, or not at all.

    Backwards, what was made with less counts as not tried: its codings stay until better ones come.
    """

    dependencies = [("assets", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="blob",
            name="effort",
            field=models.PositiveSmallIntegerField(
                choices=EFFORTS,
                default=0,
                help_text="How hard content codings have been tried;"
                " those worth keeping are representations.",
            ),
        ),
        migrations.AddField(
            model_name="representation",
            name="effort",
            field=models.PositiveSmallIntegerField(choices=EFFORTS, default=2),
        ),
        migrations.RunSQL(
            "UPDATE assets_blob SET effort = 2 WHERE is_encoded",
            "UPDATE assets_blob SET is_encoded = TRUE WHERE effort = 2",
        ),
        migrations.RemoveIndex(model_name="blob", name="blob_to_encode"),
        migrations.RemoveField(model_name="blob", name="is_encoded"),
    ]
