from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("assets", "0002_effort"),
    ]

    operations = [
        migrations.CreateModel(
            name="Leftover",
            fields=[
                ("name", models.CharField(max_length=200, primary_key=True, serialize=False)),
                ("size_bytes", models.PositiveBigIntegerField()),
                ("since", models.DateTimeField()),
                ("removed_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "default_permissions": (),
                "indexes": [models.Index(fields=["removed_at", "since"], name="leftover_due")],
            },
        ),
    ]
