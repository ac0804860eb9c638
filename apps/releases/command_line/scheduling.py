from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.accounts.local_times import moment_of, zone_named
from apps.accounts.selectors import time_zone_of
from apps.releases.channels.schedule_reports import schedule_report, schedule_reports
from apps.releases.command_line.release_subcommands import ReleaseSubcommands
from apps.releases.models import Schedule
from apps.releases.selectors import release_numbered
from apps.releases.services import scheduling


class SchedulingSubcommands(ReleaseSubcommands):
    """Go live, and be taken down, at a time."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        schedule = self.with_number(add("schedule", self.schedule, help="publish or end it at a time"))
        schedule.add_argument("--at", metavar="TIME", help="when to publish it: '2026-12-01 09:00'")
        schedule.add_argument("--end", metavar="TIME", help="when to take it down again")
        schedule.add_argument(
            "--time-zone", metavar="ZONE", help="where these times are meant, such as Europe/Berlin"
        )
        unschedule = self.with_number(add("unschedule", self.unschedule, help="call off what is scheduled"))
        unschedule.add_argument("--only", choices=Schedule.Action.values, help="default: all of it")
        super().add_subcommands(add)

    def schedule(
        self, *, number: int, at: str | None, end: str | None, time_zone: str | None, **options: Any
    ) -> object:
        if at is None and end is None:
            raise CommandError("Say when: --at to publish it, --end to take it down.", returncode=2)
        release, actor = release_numbered(number), self.actor(options)
        zone = zone_named(time_zone) if time_zone else time_zone_of(actor)
        made = scheduling.schedule(
            release=release,
            publish_at=moment_of(at, zone) if at is not None else None,
            end_at=moment_of(end, zone) if end is not None else None,
            zone=zone,
            actor=actor,
        )
        self.say(f"Release {number} on {release.channel}: {scheduling.in_words(made)}.")
        self.say(f"`scripts/manage release unschedule {number}` calls it off.")
        return [schedule_report(each) for each in made]

    def unschedule(self, *, number: int, only: str | None, **options: Any) -> object:
        release = release_numbered(number)
        called_off = scheduling.unschedule(release=release, action=only or "", actor=self.actor(options))
        self.say(f"Called off for release {number}: {scheduling.in_words(called_off)}.")
        return schedule_reports(release)
