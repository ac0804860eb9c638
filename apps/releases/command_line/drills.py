import time
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser

from apps.releases.command_line.release_subcommands import ReleaseSubcommands
from apps.releases.models import Drill, Release
from apps.releases.rolling_back.drill_reports import drill_lines, drill_report
from apps.releases.selectors import channel_named, release_numbered
from apps.releases.selectors.drills import drills_of
from apps.releases.services.drills import REHEARSED_ON, start_drill

_LOOK_AGAIN_SECONDS = 0.2


class DrillSubcommands(ReleaseSubcommands):
    """Rehearse a roll back before it is needed."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        drill = self.with_number(add("drill", self.drill, help="rehearse the roll back on another channel"))
        drill.add_argument(
            "--on", default=REHEARSED_ON, metavar="CHANNEL", help="where (default: %(default)s)"
        )
        drill.add_argument("--show", action="store_true", help="only show how the last ones went")
        drill.add_argument("--wait", action="store_true", help="wait until it is finished")
        drill.add_argument(
            "--wait-seconds", type=float, default=600, help="for at most so long (default: %(default)s)"
        )
        super().add_subcommands(add)

    def drill(
        self, *, number: int, on: str, show: bool, wait: bool, wait_seconds: float, **options: Any
    ) -> object:
        release = release_numbered(number)
        if show:
            return self._say_drills(release)
        drill = start_drill(release=release, channel=channel_named(on), actor=self.actor(options))
        if wait:
            _wait_for(drill, wait_seconds)
        drill = drills_of(release).get(pk=drill.pk)
        for line in drill_lines(drill):
            self.say(line)
        return drill_report(drill)

    def _say_drills(self, release: Release) -> object:
        found = list(drills_of(release))
        for drill in found:
            for line in drill_lines(drill):
                self.say(line)
        if not found:
            self.say(f"The roll back of release {release.pk} was not rehearsed yet.")
        return [drill_report(drill) for drill in found]


def _wait_for(drill: Drill, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and Drill.objects.filter(pk=drill.pk, finished_at=None).exists():
        time.sleep(_LOOK_AGAIN_SECONDS)
