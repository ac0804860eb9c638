"""What a start does with the database: prepare the site, publish its first release, say where it is."""

import sys
from pathlib import Path

from django.conf import settings
from django.db import OperationalError, connections

from apps.accounts.models import User
from apps.releases.selectors import channel_named, live_publication
from apps.releases.services.hosts import all_hosts, hosts_without_channel
from assetsite.environment import parse_bind
from assetsite.launch.addresses import public_url
from assetsite.launch.exceptions import CannotStart
from assetsite.launch.first_release import CHANNEL, has_pointer, publish_first_release
from assetsite.launch.known_state import remember
from assetsite.launch.preparation import give_access, prepare


def prepare_site(directory: Path | None) -> User | None:
    """Prepare everything and return the administrator; None where the database is down.

    Then visitors still get what is live, from storage: that much can be started without it.
    Raises `Refusal` where something is wrong that a person has to put right.
    """
    try:
        administrator = prepare(print)
        _say_which_hosts_lead_nowhere()
        publish_first_release(directory, actor=administrator, say=print)
    except OperationalError as error:
        reason = str(error).strip()
        if not has_pointer():
            raise CannotStart(
                f"The database does not answer: {reason}",
                next_step="Start it, or set DATABASE_URL; without one, SQLite in DATA_DIR is used.",
            ) from error
        print(f"The database does not answer: {reason}", file=sys.stderr)
        print("→ Visitors get what is live; the staff pages and jobs wait for it.", file=sys.stderr)
        return None
    finally:
        connections.close_all()
    remember()
    return administrator


def summary(administrator: User | None, is_ready: bool) -> str:  # noqa: FBT001 - the end of a callback
    """Say where the site is, how to log in and what is live."""
    hosts = (all_hosts() if administrator else {}) or settings.CHANNEL_HOSTS
    public = public_url(parse_bind(settings.PUBLIC_BIND), hosts, channel=CHANNEL)
    rows = [("Site", public), ("Staff", f"{settings.STAFF_URL}/admin/")]
    if administrator:
        access = give_access(administrator)
        known = f"as set before; `scripts/manage user password {access.username}` makes a new one"
        shown = f"{access.password}   (shown only now)" if access.password else known
        rows += [("User name", access.username), ("Password", shown), ("Live", _live())]
        connections.close_all()
    rows.append(("Data", str(settings.DATA_DIR)))
    state = "is running" if is_ready else f"runs, but is not ready: see {public}-/readyz"
    lines = "\n".join(f"  {name:<11}{value}" for name, value in rows)
    return f"\nAssetsite {state}.\n\n{lines}\n\nPress Ctrl+C to stop."


def _say_which_hosts_lead_nowhere() -> None:
    for host, name in hosts_without_channel().items():
        print(f"CHANNEL_HOSTS gives {host} to {name}, and there is no such channel.", file=sys.stderr)
        print(f"→ Correct it, or make the channel: scripts/manage channel create {name}", file=sys.stderr)


def _live() -> str:
    live = live_publication(channel_named(CHANNEL))
    return f"release {live.release_id} “{live.release.title}”, {live.tag}" if live else "nothing yet"
