from importlib import import_module

from django.db import migrations, models

from apps.audit.guards import Guard, RemoveGuard

# They read releases_channel, which SQLite rebuilds here.
READ_CHANNELS: list[Guard] = [
    operation
    for operation in import_module("apps.releases.migrations.0002_guards").Migration.operations
    if operation.name in ("release_approved_by_enough", "publication_of_approved")
]


class Migration(migrations.Migration):
    dependencies = [
        ("releases", "0002_guards"),
    ]

    operations = [
        *map(RemoveGuard, READ_CHANNELS),
        migrations.AddField(
            model_name="channel",
            name="clean_urls",
            field=models.BooleanField(default=False, help_text="Whether /about serves about.html."),
        ),
        migrations.AddField(
            model_name="channel",
            name="early_hints",
            field=models.BooleanField(
                default=False, help_text="Whether a 103 names the parts of a page before the page is sent."
            ),
        ),
        migrations.AddField(
            model_name="channel",
            name="fingerprints",
            field=models.BooleanField(
                default=False, help_text="Whether pages are built to refer to files by fingerprinted names."
            ),
        ),
        migrations.AddField(
            model_name="channel",
            name="names_release",
            field=models.BooleanField(
                default=True, help_text="Whether answers carry Assetsite-Release and Assetsite-Rule."
            ),
        ),
        migrations.AddField(
            model_name="channel",
            name="not_found_page",
            field=models.CharField(
                blank=True,
                default="404.html",
                help_text="The path of the page that a 404 shows; empty for none.",
                max_length=1024,
            ),
        ),
        migrations.AddField(
            model_name="channel",
            name="retention_days",
            field=models.PositiveSmallIntegerField(default=30),
        ),
        migrations.AddField(
            model_name="channel",
            name="retention_publications",
            field=models.PositiveSmallIntegerField(default=20),
        ),
        migrations.AddConstraint(
            model_name="channel",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("retention_days__range", (1, 365)), ("retention_publications__range", (1, 100))
                ),
                name="channel_retains_names_for_a_while",
            ),
        ),
        *READ_CHANNELS,
    ]
