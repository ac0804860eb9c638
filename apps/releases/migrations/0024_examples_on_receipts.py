from django.db import migrations, models


class Migration(migrations.Migration):
    """A receipt also says what became of the examples of its rules. Nothing changes in the database."""

    dependencies = [("releases", "0023_checks")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="receiptstep",
                    name="kind",
                    field=models.CharField(
                        choices=[("node", "node"), ("fetch", "fetched"), ("rule", "example")], max_length=5
                    ),
                ),
            ],
        ),
    ]
