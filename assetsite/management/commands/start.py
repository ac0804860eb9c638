import io
import sys
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import OperationalError, connections

from apps.accounts.models import User
from apps.refusals import Refusal
from apps.releases.selectors import channel_named, live_publication
from assetsite.environment import parse_bind
from assetsite.launch.addresses import is_ready, public_url
from assetsite.launch.exceptions import CannotStart
from assetsite.launch.first_release import CHANNEL, has_pointer, publish_first_release
from assetsite.launch.lock import take_lock
from assetsite.launch.preparation import check_data_folder, check_doors, give_access, prepare
from assetsite.launch.processes import Supervisor, server, worker


class Command(BaseCommand):
    """`scripts/run`; the steps are in `assetsite.launch`."""

    help = (
        "Prepares what is missing, starts both doors and the background worker, and watches over them. "
        "Where production has no publication yet, DIRECTORY (default: sample/) is imported and published."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", nargs="?", type=Path, metavar="DIRECTORY")

    def handle(self, *args: Any, directory: Path | None, **options: Any) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(line_buffering=True)  # a log file has each line when it is written
        try:
            status = self._start(directory)
        except Refusal as refusal:
            self.stderr.write(f"{refusal.message}\n→ {refusal.next_step}")
            status = 1
        except KeyboardInterrupt:
            self.stderr.write("Stopped. The next start goes on from here.")
            status = 130
        sys.exit(status)

    def _start(self, directory: Path | None) -> int:
        check_data_folder()
        lock = take_lock(Path(settings.DATA_DIR) / "run.lock")
        check_doors()
        administrator = self._prepare(directory)
        connections.close_all()
        return Supervisor(
            server=server(),
            worker=worker(),
            is_ready=partial(is_ready, parse_bind(settings.PUBLIC_BIND)),
            on_ready=partial(self._summarise, administrator),
            say=self.stdout.write,
            lock=lock,
        ).run()

    def _prepare(self, directory: Path | None) -> User | None:
        """Prepare everything and return the administrator; None where the database is down.

        Then visitors still get what is live, from storage: that much can be started without it.
        """
        try:
            administrator = prepare(self.stdout.write)
            publish_first_release(directory, actor=administrator, say=self.stdout.write)
        except OperationalError as error:
            reason = str(error).strip()
            if not has_pointer():
                raise CannotStart(
                    f"The database does not answer: {reason}",
                    next_step="Start it, or set DATABASE_URL; without one, SQLite in DATA_DIR is used.",
                ) from error
            self.stderr.write(f"The database does not answer: {reason}")
            self.stderr.write("→ Visitors get what is live; the staff pages and jobs wait for it.")
            return None
        return administrator

    def _summarise(self, administrator: User | None, is_ready: bool) -> None:  # noqa: FBT001 - a callback
        public = public_url(parse_bind(settings.PUBLIC_BIND), settings.CHANNEL_HOSTS, channel=CHANNEL)
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
        self.stdout.write(f"\nAssetsite {state}.\n\n{lines}\n\nPress Ctrl+C to stop.")


def _live() -> str:
    live = live_publication(channel_named(CHANNEL))
    return f"release {live.release_id} “{live.release.title}”, {live.tag}" if live else "nothing yet"
