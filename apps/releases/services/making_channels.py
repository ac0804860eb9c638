"""Channels come, and go while nothing of theirs has to be kept. They are never renamed."""

from collections.abc import Iterable

from django.core.validators import validate_slug
from django.db import transaction
from django.db.models import ProtectedError
from django.forms import ValidationError

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.audit.services import record
from apps.releases.exceptions import ChannelKept, WrongName
from apps.releases.models import Channel
from apps.releases.services.channel_index import write_index
from apps.releases.services.hosts import add_host

MAX_NAME_CHARACTERS = 40
TAKE_HOSTS_AWAY = "Take its hosts away instead: then nobody gets anything of it."


@transaction.atomic
def create_channel(*, name: str, actor: User, hosts: Iterable[str] = ()) -> Channel:
    """Make a channel that serves nothing yet, with these hosts. It asks for one approval.

    Raises `Forbidden`, `WrongName`, and what `add_host` raises.
    """
    require(actor, "releases.add_channel", to="make a channel")
    name = _checked(name.strip().lower())
    channel = Channel.objects.create(name=name)
    record(actor=actor, action="channel.create", target=f"channel {name}", summary=f"Made channel {name}.")
    for host in hosts:
        add_host(channel=channel, host=host, actor=actor)
    return channel


@transaction.atomic
def remove_channel(*, channel: Channel, actor: User) -> None:
    """Remove a channel on which nothing was ever published, prepared or held; its hosts serve nothing then.

    Raises `Forbidden` and `ChannelKept`.
    """
    require(actor, "releases.delete_channel", to=f"remove channel {channel}")
    list(Channel.objects.select_for_update(no_key=True).order_by("pk"))
    channel.refresh_from_db()
    refuse_removing(channel)
    name = channel.name
    try:
        channel.delete()
    except ProtectedError as error:
        raise ChannelKept(f"{channel} has a history, which is kept.", next_step=TAKE_HOSTS_AWAY) from error
    record(actor=actor, action="channel.remove", target=f"channel {name}", summary=f"Removed channel {name}.")
    transaction.on_commit(write_index, robust=True)


def refuse_removing(channel: Channel) -> None:
    """Raise `ChannelKept` where `channel` has something that is to be kept."""
    if channel.is_protected:
        raise ChannelKept(f"{channel} is protected.", next_step="Take its protection away first.")
    keeps = {
        "publications": channel.publications.exists(),
        "releases": channel.releases.exists(),
        "holds": channel.holds.exists(),
    }
    kept = next((words for words, is_kept in keeps.items() if is_kept), None)
    if kept:
        raise ChannelKept(
            f"{channel} has {kept}, whose history is kept.",
            next_step=TAKE_HOSTS_AWAY,
        )


def _checked(name: str) -> str:
    try:
        validate_slug(name)
    except ValidationError as error:
        raise WrongName(
            f"A channel cannot be called {name!r}.",
            next_step="Take letters, digits, - and _, as in staging-2.",
        ) from error
    if len(name) > MAX_NAME_CHARACTERS:
        raise WrongName(
            f"{name!r} is too long for a channel.",
            next_step=f"Take {MAX_NAME_CHARACTERS} characters at most.",
        )
    if Channel.objects.filter(name=name).exists():
        raise WrongName(f"There is a channel {name} already.", next_step="Choose another name.")
    return name
