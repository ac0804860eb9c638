from django.db import transaction

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.audit.services import record
from apps.releases.exceptions import WrongApprovals
from apps.releases.models import Channel

# (name, required approvals): staging is for trying things out, so nobody has to be asked.
FIRST_CHANNELS = (("production", 1), ("staging", 0))


@transaction.atomic
def ensure_channels() -> list[Channel]:
    """Make the channels that every site begins with, where they lack; return the new ones."""
    made = []
    for name, required_approvals in FIRST_CHANNELS:
        channel, is_new = Channel.objects.get_or_create(
            name=name, defaults={"required_approvals": required_approvals}
        )
        if is_new:
            made.append(channel)
            record(
                actor=None, action="channel.create", target=f"channel {name}", summary=f"Made channel {name}."
            )
    return made


@transaction.atomic
def set_required_approvals(*, channel: Channel, count: int, actor: User) -> Channel:
    """Set how many people have to approve before something goes live on `channel` (0 to 3).

    Raises `Forbidden` and `WrongApprovals`. Releases that are approved already are counted anew when
    they are published.
    """
    require(actor, "releases.change_channel", to=f"change channel {channel}")
    if not 0 <= count <= 3:
        raise WrongApprovals(
            f"{count} approvals cannot be required of {channel}.", next_step="Choose a number from 0 to 3."
        )
    before = channel.required_approvals
    Channel.objects.filter(pk=channel.pk).update(required_approvals=count)
    channel.refresh_from_db()
    record(
        actor=actor,
        action="channel.set_required_approvals",
        target=f"channel {channel}",
        summary=f"{channel} asks for {count} approvals, before: {before}.",
        details={"before": before, "after": count},
    )
    return channel
