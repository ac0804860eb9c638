from django.db import migrations, models


class Migration(migrations.Migration):
    """Find the rehearsals that go on, which a worker looks for twice a second, without reading all."""

    dependencies = [("releases", "0019_cleared_manifests")]

    operations = [
        migrations.AddIndex(
            model_name="drill",
            index=models.Index(condition=models.Q(("finished_at", None)), fields=["id"], name="drill_open"),
        ),
    ]
