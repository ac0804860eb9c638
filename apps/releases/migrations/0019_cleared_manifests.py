from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("releases", "0018_rule_combination"),
    ]

    operations = [
        migrations.AddField(
            model_name="manifest",
            name="cleared_at",
            field=models.DateTimeField(
                blank=True, help_text="When its file was removed, since nobody could need it.", null=True
            ),
        ),
    ]
