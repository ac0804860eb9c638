"""The names that a channel keeps, and an index of publications by time.

The index is made in one go: a publication is one row for what people did, so that takes no time to speak of.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("releases", "0004_redirects"),
    ]

    operations = [
        migrations.CreateModel(
            name="RetainedNames",
            fields=[
                ("path_count", models.PositiveIntegerField()),
                ("revision", models.PositiveIntegerField(default=1)),
                ("file_name", models.CharField(help_text="Name in storage", max_length=200)),
                ("file_sha256", models.CharField(max_length=64)),
                ("file_size_bytes", models.PositiveBigIntegerField()),
                (
                    "newest_representation",
                    models.PositiveBigIntegerField(
                        default=0,
                        help_text="Id of the newest content coding that the file has taken into account.",
                    ),
                ),
                (
                    "channel",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="retained_names",
                        serialize=False,
                        to="releases.channel",
                    ),
                ),
                (
                    "first_publication",
                    models.PositiveIntegerField(
                        default=0, help_text="Number of the earliest publication whose names are kept."
                    ),
                ),
                (
                    "last_publication",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Number of the publication that was live when the names were gathered.",
                    ),
                ),
                (
                    "oldest_publication",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Number of the publication that the oldest of the names were last live in.",
                        null=True,
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "retained names",
                "default_permissions": (),
            },
        ),
        migrations.AddIndex(
            model_name="publication",
            index=models.Index(fields=["channel", "published_at"], name="publication_by_time"),
        ),
        migrations.AddConstraint(
            model_name="retainednames",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("file_name", ""), ("oldest_publication__isnull", True), ("path_count", 0)),
                    models.Q(
                        ("oldest_publication__isnull", False),
                        ("path_count__gt", 0),
                        models.Q(("file_name", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="retained_names_have_a_file",
            ),
        ),
    ]
