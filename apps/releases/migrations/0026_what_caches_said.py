from django.db import migrations, models


class Migration(migrations.Migration):
    """Keep what caches said at the last look. A column that may be empty: nothing is rewritten."""

    dependencies = [
        ("releases", "0025_drift"),
    ]

    operations = [
        migrations.AddField(
            model_name="drift",
            name="caches",
            field=models.JSONField(null=True),
        ),
    ]
