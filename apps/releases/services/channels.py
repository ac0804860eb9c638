import unicodedata
from functools import partial
from zoneinfo import available_timezones

from django.contrib.auth.models import Group
from django.db import transaction

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.assets.paths import path_fault
from apps.audit.services import record
from apps.releases.exceptions import UnknownField, WrongApprovals, WrongOption
from apps.releases.models import Channel
from apps.releases.services.pointers import write_pointer
from apps.releases.services.proposals import is_proposed, settable

# (name, required approvals): staging is for trying things out, so nobody has to be asked.
FIRST_CHANNELS = (("production", 1), ("staging", 0))

# What a channel asks for before something goes live on it: by name, and as people read it.
REQUIREMENTS = {
    "requires_baseline": "baseline asked for",
    "approver_group": "group that may approve",
    "is_protected": "protected",
}
# How a channel answers, and what its releases are built with.
ANSWERS = {
    "clean_urls": "clean URLs",
    "not_found_page": "page of a 404",
    "names_release": "release and rule in answers",
    "early_hints": "early hints",
    "fingerprints": "fingerprinted names",
    "retention_days": "days that fingerprinted names are kept",
    "retention_publications": "publications whose fingerprinted names are kept",
}
OPTIONS = REQUIREMENTS | ANSWERS | {"time_zone": "time zone of its freeze windows"}
RANGES = {"retention_days": (1, 365), "retention_publications": (1, 100)}


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

    Fewer than before are proposed to another administrator instead, and set once that one confirms it
    (see `services.proposals`). Raises `Forbidden`, `WrongApprovals`, `ProposalOpen`. Releases that are
    approved already are counted anew when they are published.
    """
    require(actor, "releases.change_channel", to=f"change channel {channel}")
    Channel.objects.select_for_update(no_key=True).get(pk=channel.pk)
    channel.refresh_from_db()
    if not 0 <= count <= 3:
        raise WrongApprovals(
            f"{count} approvals cannot be required of {channel}.", next_step="Choose a number from 0 to 3."
        )
    if channel.is_protected and not count and not is_proposed(channel, "is_protected"):
        raise WrongApprovals(
            f"{channel} is protected, so nobody publishes on it alone.",
            next_step="Require one approval at least, or take the protection away first.",
        )
    if not settable(channel, {"required_approvals": count}, actor):
        return channel
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


@transaction.atomic
def set_requirements(
    *, channel: Channel, approvals: int, actor: User, **options: bool | int | str
) -> Channel:
    """Set the required approvals and any of `OPTIONS` together, or nothing at all.

    Raises what `set_required_approvals` and `set_options` raise.
    """
    if approvals > channel.required_approvals:  # before the protection that asks for one of them
        channel = set_required_approvals(channel=channel, count=approvals, actor=actor)
    channel = set_options(channel=channel, actor=actor, **options)
    if approvals != channel.required_approvals:
        channel = set_required_approvals(channel=channel, count=approvals, actor=actor)
    return channel


@transaction.atomic
def set_options(*, channel: Channel, actor: User, **options: bool | int | str) -> Channel:
    """Set any of `OPTIONS`; visitors get those that concern answers at once, with the pointer.

    `fingerprints` applies to what is built from now on. What makes the channel ask for less is proposed to
    another administrator instead (see `services.proposals`). Nothing to change is no entry in the log.
    Raises `Forbidden`, `WrongOption`, `UnknownField`, `ProposalOpen`.
    """
    require(actor, "releases.change_channel", to=f"change channel {channel}")
    channel = Channel.objects.select_for_update(no_key=True).get(pk=channel.pk)
    wanted = {name: _checked(channel, name, value) for name, value in options.items()}
    before = {name: value_of(channel, name) for name in wanted}
    changed = {name: value for name, value in wanted.items() if value != before[name]}
    changed = settable(channel, changed, actor)
    if not changed:
        return channel
    Channel.objects.filter(pk=channel.pk).update(**_columns(changed))
    channel.refresh_from_db()
    record(
        actor=actor,
        action="channel.set_options",
        target=f"channel {channel}",
        summary=f"Set options of {channel}: "
        + "; ".join(f"{OPTIONS[name]} {in_words(value)}" for name, value in changed.items())
        + ".",
        details={name: {"before": before[name], "after": value} for name, value in changed.items()},
    )
    transaction.on_commit(partial(write_pointer, channel), robust=True)
    return channel


def value_of(channel: Channel, name: str) -> bool | int | str:
    """Return the value of an option, of a group its name: "" for none."""
    if name == "approver_group":
        return channel.approver_group.name if channel.approver_group else ""
    value: bool | int | str = getattr(channel, name)
    return value


def _columns(values: dict[str, bool | int | str]) -> dict[str, object]:
    """Return what is written to the database for values of options."""
    if "approver_group" not in values:
        return dict(values)
    return {**values, "approver_group": Group.objects.filter(name=values["approver_group"]).first()}


def in_words(value: bool | int | str) -> str:  # noqa: FBT001 - an option's value, whatever it is
    """Return the value of an option as people read it: on, off, none, or itself."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) or "none"


def _checked(channel: Channel, name: str, value: bool | int | str) -> bool | int | str:  # noqa: FBT001
    if name not in OPTIONS:
        raise UnknownField(f"A channel has no option {name}.", next_step=f"It has: {', '.join(OPTIONS)}.")
    if name in _CHECKS:
        return _CHECKS[name](channel, str(value))
    if name == "is_protected":
        _refuse_unguarded(channel, is_protected=bool(value))
    least, most = RANGES.get(name, (0, 1))
    if not least <= int(value) <= most:
        raise WrongOption(
            name,
            f"{OPTIONS[name].capitalize()} cannot be {value} for {channel}.",
            next_step=f"Choose a number from {least} to {most}.",
        )
    return value


def _page(channel: Channel, typed: str) -> str:
    """Return a page's path as releases have it; people may begin it with the slash that URLs have."""
    path = unicodedata.normalize("NFC", typed.strip().removeprefix("/"))
    if path and (fault := path_fault(path)):
        raise WrongOption(
            "not_found_page",
            f"{path!r} cannot be what {channel} shows for a 404: it {fault}.",
            next_step="Name the path of a page, such as 404.html, or nothing for a plain answer.",
        )
    return path


def _group(channel: Channel, typed: str) -> str:
    if typed and not Group.objects.filter(name=typed).exists():
        names = ", ".join(Group.objects.order_by("name").values_list("name", flat=True))
        raise WrongOption(
            "approver_group",
            f"There is no group {typed!r} that could approve on {channel}.",
            next_step=f"There are: {names}. Name none to let everybody approve whose role lets them.",
        )
    return typed


def _time_zone(channel: Channel, typed: str) -> str:
    if typed not in available_timezones():
        raise WrongOption(
            "time_zone",
            f"There is no time zone {typed!r} for {channel}.",
            next_step="Name one such as Europe/Stockholm or UTC.",
        )
    return typed


def _refuse_unguarded(channel: Channel, *, is_protected: bool) -> None:
    if is_protected and not channel.required_approvals:
        raise WrongOption(
            "is_protected",
            f"{channel} asks for no approval, so it cannot be protected.",
            next_step="Require one approval at least; on a protected channel nobody publishes alone.",
        )


_CHECKS = {"not_found_page": _page, "approver_group": _group, "time_zone": _time_zone}
