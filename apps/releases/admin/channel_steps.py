"""The steps that a channel's page offers: each calls a service with what was typed and names the way back."""

from collections.abc import Callable

from django.http import Http404, QueryDict

from apps.accounts.models import User
from apps.releases.exceptions import UnknownWindow
from apps.releases.models import Channel
from apps.releases.services import channels, freezes, holding, hosts


def take(name: str, channel: Channel, typed: QueryDict, actor: User) -> str:
    """Take step `name` of a channel; return what has happened, in words for a message.

    Raises `KeyError` where there is no such step, and what the service raises.
    """
    return _STEPS[name](channel, typed, actor)


def _hold(channel: Channel, typed: QueryDict, actor: User) -> str:
    holding.hold(channel=channel, reason=typed.get("reason", ""), actor=actor)
    return f"{channel} is on hold: nothing is published on it until somebody lets it go on below."


def _resume(channel: Channel, typed: QueryDict, actor: User) -> str:
    holding.resume(channel=channel, reason=typed.get("reason", ""), actor=actor)
    return f"{channel} goes on: it may be published on. To hold it again, see below."


def _add_window(channel: Channel, typed: QueryDict, actor: User) -> str:
    row = freezes.add_window(
        channel=channel, starts=typed.get("starts", ""), ends=typed.get("ends", ""), actor=actor
    )
    return f"Nothing is published on {channel} from {row} ({channel.time_zone}). Remove it below."


def _remove_window(channel: Channel, typed: QueryDict, actor: User) -> str:
    number = typed.get("window", "")
    try:
        row = freezes.window_numbered(channel, int(number) if number.isdecimal() else 0)
    except UnknownWindow as refusal:
        raise Http404(str(refusal)) from refusal
    words = str(row)
    freezes.remove_window(window=row, actor=actor)
    return f"{channel} has no freeze window any more from {words}. Add it again below."


def _set_zone(channel: Channel, typed: QueryDict, actor: User) -> str:
    before = channel.time_zone
    after = channels.set_options(channel=channel, time_zone=typed.get("time_zone", ""), actor=actor)
    return f"The windows of {channel} are times in {after.time_zone}. Before: {before}."


def _add_host(channel: Channel, typed: QueryDict, actor: User) -> str:
    row = hosts.add_host(
        channel=channel, host=typed.get("host", ""), is_moved=bool(typed.get("move")), actor=actor
    )
    return f"{channel} serves {row}, on every delivery process within a second. Remove it below."


def _remove_host(channel: Channel, typed: QueryDict, actor: User) -> str:
    host = typed.get("host", "")
    hosts.remove_host(channel=channel, host=host, actor=actor)
    return f"{channel} serves {host} no more. Add it again below."


_STEPS: dict[str, Callable[[Channel, QueryDict, User], str]] = {
    "hold": _hold,
    "resume": _resume,
    "add_window": _add_window,
    "remove_window": _remove_window,
    "set_zone": _set_zone,
    "add_host": _add_host,
    "remove_host": _remove_host,
}
