"""What the background worker does to tell people, again and again."""

from apps.jobs.schedule import every
from apps.notifications import cleaning  # noqa: F401 - what it registers
from apps.notifications.lanes import start_lanes
from apps.notifications.services.handing_out import hand_out


@every(1, "notifications.send")
def send() -> list[str]:
    """Hand out what has happened, and send what is due: on threads, so that nothing here waits for it."""
    hand_out()
    start_lanes()
    return []
