from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="time_zone",
            field=models.CharField(
                blank=True,
                help_text="The zone in which they read and type times; none for the site's own.",
                max_length=64,
                null=True,
            ),
        ),
    ]
