from django.db import migrations

from apps.audit.guards import Guard, RemoveGuard, append_only

TABLE = "notifications_attempt"
NEVER_REMOVED = next(
    guard for guard in append_only(TABLE) if isinstance(guard, Guard) and guard.event == "DELETE"
)


class Migration(migrations.Migration):
    """Attempts go with deliveries that were settled long ago; those of what is still to be sent stay."""

    dependencies = [
        ("notifications", "0001_initial"),
    ]

    operations = [
        RemoveGuard(NEVER_REMOVED),
        Guard(
            "attempt_of_what_waits_stays",
            table=TABLE,
            event="DELETE",
            condition="EXISTS (SELECT 1 FROM notifications_delivery"
            " WHERE id = OLD.delivery_id AND state = 'waiting')",
            message="append_only: attempts of a delivery that is not settled are never removed",
        ),
    ]
