"""What a page of a release asks of the database: each fact once, however many parts of the page want it."""

from functools import cached_property

from apps.audit.models import AuditEntry
from apps.releases.conflicts.standing import Standing as StandingOnLive
from apps.releases.conflicts.standing import is_behind, standing_of
from apps.releases.models import Approval, Origin, Publication, RedirectChange, Release, Schedule
from apps.releases.redirects.selectors import redirect_changes_of
from apps.releases.selectors import (
    ChangeCounts,
    Standing,
    approvals_needed,
    change_counts,
    live_publication,
    origins_of,
    request_for_changes,
    schedules_of,
    standings_of,
)
from apps.releases.selectors.checks import CheckStanding, check_standings


class Seen:
    """A release as one page sees it: what was asked of the database once is not asked again.

    It is made for a page and goes with it. Services, which decide under lock, never trust one.
    """

    def __init__(self, release: Release) -> None:
        self.release = release

    @cached_property
    def live(self) -> Publication | None:
        """What the release's channel serves now."""
        return live_publication(self.release.channel)

    @property
    def is_behind(self) -> bool:
        """Whether the channel serves something else than what the release was begun on."""
        return is_behind(self.release, self.live)

    @cached_property
    def standing(self) -> StandingOnLive:
        """How the release stands to what is live."""
        return standing_of(self.release, self.live)

    @cached_property
    def origins(self) -> list[Origin]:
        """What the release was made out of."""
        return origins_of(self.release)

    @property
    def is_promoted(self) -> bool:
        """Whether it is exactly what another channel served."""
        return any(origin.kind == Origin.Kind.PROMOTE for origin in self.origins)

    @cached_property
    def standings(self) -> list[Standing]:
        """Every approval that was given, each with whether it counts."""
        return standings_of(self.release)

    @property
    def approvals(self) -> list[Approval]:
        """The approvals that count."""
        return [standing.approval for standing in self.standings if standing.holds]

    @cached_property
    def approvals_needed(self) -> int:
        """How many approvals its channel asks for."""
        return approvals_needed(self.release.channel, has_live=self.live is not None)

    @cached_property
    def checks(self) -> list[CheckStanding]:
        """How each check stands on what it is now."""
        return check_standings(self.release)

    @cached_property
    def request_for_changes(self) -> AuditEntry | None:
        """The entry of the request that brought it back to draft."""
        return request_for_changes(self.release)

    @cached_property
    def schedules(self) -> list[Schedule]:
        """What was ever scheduled for it, newest first."""
        return list(schedules_of(self.release))

    def waiting(self, action: Schedule.Action) -> Schedule | None:
        """Return what is going to happen of this kind, or None."""
        is_waiting = (each for each in self.schedules if each.state == Schedule.State.WAITING)
        return next((each for each in is_waiting if each.action == action), None)

    @cached_property
    def changes(self) -> ChangeCounts:
        """How many changes it has."""
        return change_counts(self.release, redirects=len(self.redirect_changes))

    @cached_property
    def redirect_changes(self) -> list[RedirectChange]:
        """All changes of redirects, by source."""
        return list(redirect_changes_of(self.release))
