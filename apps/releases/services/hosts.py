"""Which host names a channel serves: in the database, from where the index in storage follows."""

import shlex
from collections.abc import Iterator

from django.conf import settings
from django.db import transaction

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.audit.services import record
from apps.releases.channels.hosts import ANY_HOST, HostFault, host_of
from apps.releases.exceptions import AsksForLess, HostTaken, UnknownHost, WrongHost
from apps.releases.models import Channel, ChannelHost, FormerHost
from apps.releases.services.channel_index import write_index


@transaction.atomic
def ensure_hosts() -> list[ChannelHost]:
    """Write down the hosts that the environment names, or a new site has, where none are written down yet.

    One that another channel had, which asks for more, is left out: the environment alone has it then.
    """
    if ChannelHost.objects.exists():
        return []
    channels = {channel.name: channel for channel in Channel.objects.all()}
    made = [
        ChannelHost.objects.create(channel=channels[name], host=host)
        for host, name in settings.CHANNEL_HOSTS.items()
        if name in channels and _may_come(host, channels[name])
    ]
    if made:
        record(
            actor=None,
            action="channel.add_hosts",
            target="all channels",
            summary=f"Wrote down the hosts of the channels: {', '.join(map(str, made))}.",
            details={row.host: row.channel.name for row in made},
        )
        _write_afterwards()
    return made


@transaction.atomic
def add_host(*, channel: Channel, host: str, actor: User, is_moved: bool = False) -> ChannelHost:
    """Let `channel` serve a host name; with `is_moved` also one that another channel has now.

    A host is taken from another channel only if this one serves something. One whose visitors got what a
    channel asked for goes on to a channel that asks for as much, also when no channel has had it meanwhile.
    Raises `Forbidden`, `WrongHost`, `HostTaken`, `AsksForLess`.
    """
    require(actor, "releases.change_channel", to=f"change the hosts of {channel}")
    name = _checked(host)
    channels = {each.pk: each for each in Channel.objects.select_for_update(no_key=True).order_by("pk")}
    channel = channels[channel.pk]
    held = ChannelHost.objects.filter(host=name).first()
    before = channels[held.channel_id] if held else None
    _refuse_taken(name, channel, before, is_moved=is_moved)
    _refuse_less(name, channel, before)
    row, _ = ChannelHost.objects.update_or_create(host=name, defaults={"channel": channel, "added_by": actor})
    record(
        actor=actor,
        action="channel.add_host",
        target=f"channel {channel}",
        summary=f"{channel} serves {name}" + (f", which {before} served before." if before else "."),
        details={"host": name, "before": before.name if before else None},
    )
    _write_afterwards()
    return row


@transaction.atomic
def remove_host(*, channel: Channel, host: str, actor: User) -> None:
    """Let `channel` serve a host name no more.

    Raises `Forbidden`, `UnknownHost`, `HostTaken`, and `AsksForLess` where a channel that has every other
    host would serve it, and asks for less.
    """
    require(actor, "releases.change_channel", to=f"change the hosts of {channel}")
    list(Channel.objects.select_for_update(no_key=True).order_by("pk"))
    row = channel.hosts.filter(host=host.strip().lower()).first()
    if row is None:
        names = ", ".join(map(str, channel.hosts.all())) or "none"
        raise UnknownHost(f"{channel} does not serve {host!r}.", next_step=f"Its hosts: {names}.")
    _refuse_pinned(row.host)
    if (
        every := ChannelHost.objects.filter(host=ANY_HOST)
        .exclude(pk=row.pk)
        .select_related("channel")
        .first()
    ):
        _refuse_laxer(row.host, every.channel, channel)
    row.delete()
    record(
        actor=actor,
        action="channel.remove_host",
        target=f"channel {channel}",
        summary=f"{channel} serves {row.host} no more.",
        details={"host": row.host},
    )
    _write_afterwards()


def all_hosts() -> dict[str, str]:
    """Return the hosts that are served on this machine, each with its channel: the environment's first."""
    rows = ChannelHost.objects.order_by("pk").values_list("host", "channel__name")
    return settings.PINNED_HOSTS | {host: name for host, name in rows if host not in settings.PINNED_HOSTS}


def hosts_without_channel() -> dict[str, str]:
    """Return the hosts that the environment gives to a channel that there is none of, each with its name."""
    names = set(Channel.objects.values_list("name", flat=True))
    return {host: name for host, name in settings.PINNED_HOSTS.items() if name not in names}


def _checked(typed: str) -> str:
    try:
        name = host_of(typed)
    except HostFault as fault:
        raise WrongHost(
            f"{typed.strip()!r} cannot be a host of a channel: it {fault.words}.",
            next_step="Name it as in www.example.com, or * for every host that no channel has.",
        ) from fault
    if name == settings.PREVIEW_DOMAIN or name.endswith(f".{settings.PREVIEW_DOMAIN}"):
        raise WrongHost(
            f"{name} lies below {settings.PREVIEW_DOMAIN}, where previews are shown.",
            next_step="Choose another host, or set PREVIEW_DOMAIN to another domain.",
        )
    return name


def _refuse_taken(name: str, channel: Channel, before: Channel | None, *, is_moved: bool) -> None:
    _refuse_pinned(name)
    if before == channel:
        raise HostTaken(f"{channel} serves {name} already.", next_step="Nothing more is to be done.")
    if before is None:
        return
    if not is_moved:
        raise HostTaken(
            f"{before} serves {name}.",
            next_step=f"To take it from there: `scripts/manage channel host {channel} {name} --move`.",
        )
    if before.publications.exists() and not channel.publications.exists():
        raise HostTaken(
            f"{before} serves {name}, and {channel} has nothing for its visitors yet.",
            next_step=f"Publish a release on {channel} first.",
        )


def _may_come(name: str, channel: Channel) -> bool:
    try:
        _refuse_less(name, channel, None)
    except AsksForLess:
        return False
    return True


def _refuse_less(name: str, channel: Channel, before: Channel | None) -> None:
    """Raise `AsksForLess` where a host would come from a channel, now or earlier, that asks for more."""
    if before is not None:
        _refuse_laxer(name, channel, before)
    former = FormerHost.objects.all() if name == ANY_HOST else FormerHost.objects.filter(host=name)
    for each in former.select_related("channel__approver_group").order_by("host"):
        _refuse_laxer(each.host, channel, each.channel)


def _refuse_laxer(name: str, channel: Channel, before: Channel) -> None:
    missing = list(_asked_for_less(channel, before))
    if missing and before.publications.exists():
        raise AsksForLess(
            f"Visitors of {before} know {name}, and {channel} asks for less before something goes live.",
            next_step="Let it ask for as much first, "
            f"`scripts/manage channel set {channel} {' '.join(missing)}`, and then again."
            " For it to ask for less afterwards takes another administrator.",
        )


def _asked_for_less(channel: Channel, than: Channel) -> Iterator[str]:
    """Yield the options with which a channel would ask for as much as another one."""
    if channel.required_approvals < than.required_approvals:
        yield f"--required-approvals {than.required_approvals}"
    if than.is_protected and not channel.is_protected:
        yield "--protected on"
    if than.approver_group and channel.approver_group != than.approver_group:
        yield f"--approver-group {shlex.quote(than.approver_group.name)}"


def _refuse_pinned(name: str) -> None:
    if name in settings.PINNED_HOSTS:
        raise HostTaken(
            f"CHANNEL_HOSTS gives {'every other host' if name == ANY_HOST else name} to"
            f" {settings.PINNED_HOSTS[name]} on this machine, whatever is written down.",
            next_step="Take it out of that variable and start the site again.",
        )


def _write_afterwards() -> None:
    transaction.on_commit(write_index, robust=True)
