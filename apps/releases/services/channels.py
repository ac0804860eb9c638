import unicodedata
from functools import partial

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.assets.paths import path_fault
from apps.audit.services import record
from apps.releases.exceptions import UnknownField, WrongApprovals, WrongOption
from apps.releases.models import Channel
from apps.releases.services.pointers import write_pointer

# (name, required approvals): staging is for trying things out, so nobody has to be asked.
FIRST_CHANNELS = (("production", 1), ("staging", 0))

# How a channel answers, and what its releases are built with: by name, and as people read it.
OPTIONS = {
    "clean_urls": "clean URLs",
    "not_found_page": "page of a 404",
    "names_release": "release and rule in answers",
    "early_hints": "early hints",
    "fingerprints": "fingerprinted names",
    "retention_days": "days that fingerprinted names are kept",
    "retention_publications": "publications whose fingerprinted names are kept",
}
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


@transaction.atomic
def set_options(*, channel: Channel, actor: User, **options: bool | int | str) -> Channel:
    """Set any of `OPTIONS`; visitors get those that concern answers at once, with the pointer.

    `fingerprints` applies to what is built from now on. Nothing to change is no entry in the log.
    Raises `Forbidden`, `WrongOption`, `UnknownField`.
    """
    require(actor, "releases.change_channel", to=f"change channel {channel}")
    wanted = {name: _checked(channel, name, value) for name, value in options.items()}
    channel = Channel.objects.select_for_update().get(pk=channel.pk)
    before = {name: getattr(channel, name) for name in wanted}
    changed = {name: value for name, value in wanted.items() if value != before[name]}
    if not changed:
        return channel
    Channel.objects.filter(pk=channel.pk).update(**changed)
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


def in_words(value: bool | int | str) -> str:  # noqa: FBT001 - an option's value, whatever it is
    """Return the value of an option as people read it: on, off, none, or itself."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) or "none"


def _checked(channel: Channel, name: str, value: bool | int | str) -> bool | int | str:  # noqa: FBT001
    if name not in OPTIONS:
        raise UnknownField(f"A channel has no option {name}.", next_step=f"It has: {', '.join(OPTIONS)}.")
    if name == "not_found_page":
        return _page(channel, str(value))
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
