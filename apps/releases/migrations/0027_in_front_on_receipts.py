from django.db import migrations, models

from apps.audit.guards import Guard, RemoveGuard

IS_FINISHED = (
    "EXISTS (SELECT 1 FROM releases_receipt WHERE publication_id = NEW.receipt_id"
    " AND finished_at IS NOT NULL)"
)
BEFORE = Guard(
    "receipt_step_of_an_open_receipt",
    table="releases_receiptstep",
    event="INSERT",
    condition=IS_FINISHED,
    message="receipt_closed: nothing is added to a receipt that is finished",
)


class Migration(migrations.Migration):
    """A receipt also says what the caches in front show, once it is finished. No row changes."""

    dependencies = [("releases", "0026_what_caches_said")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="receiptstep",
                    name="kind",
                    field=models.CharField(
                        choices=[
                            ("node", "node"),
                            ("fetch", "fetched"),
                            ("rule", "example"),
                            ("front", "through the caches in front"),
                        ],
                        max_length=5,
                    ),
                ),
            ],
        ),
        RemoveGuard(BEFORE),
        Guard(
            BEFORE.name,
            table=BEFORE.table,
            event=BEFORE.event,
            condition=f"(NEW.kind = 'front') <> {IS_FINISHED}",
            message="receipt_closed: a receipt that is finished gets what caches in front show, and no more",
        ),
    ]
