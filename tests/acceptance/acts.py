"""What people, the clock and the worker do to a site, each with what has to be there before it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.accounts.selectors import acting_user, user_named
from apps.accounts.services import add_user
from apps.assets.intake import take_in
from apps.releases.contents import PutChange
from apps.releases.models import Channel, Release
from apps.releases.selectors import channel_named, release_numbered
from apps.releases.services import (
    channels,
    combining,
    drafts,
    drills,
    emergencies,
    holding,
    hosts,
    previews,
    promoting,
    publishing,
    rebasing,
    reverting,
    review,
    scheduled_runs,
    scheduling,
    splitting,
)

type Step = Callable[[], object]

_KEPT = b"body { background: white }\nh1 { color: crimson }\n" + b"/* kept */\n" * 39
_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that is done, whole or not at all, and what is done before it.

    Files come and go in few ways: acts that share one with another are killed at their commits alone.
    """

    do: Step
    before: tuple[Step, ...] = ()
    is_killed_everywhere: bool = False


def admin() -> User:
    return acting_user(None)


def production() -> Channel:
    return channel_named("production")


def spring() -> Release:
    return release_numbered(2)


def _later(days: float) -> None:
    """Let time pass for everything in this process that asks Django for it."""
    real = timezone.now
    timezone.now = lambda: real() + timedelta(days=days)


def _draft(channel: Channel, path: str, content: bytes) -> Release:
    return drafts.create_release(
        title=f"Draft of {path}",
        channel=channel,
        changes=[PutChange(take_in([content], path=path))],
        actor=admin(),
        expected_result="It is there.",
        rollback_note="Roll back.",
    )


def submit() -> object:
    return review.submit(release=spring(), actor=admin())


def publish() -> object:
    return publishing.publish(release=spring(), actor=admin())


def roll_back() -> object:
    return publishing.roll_back(channel=production(), reason="broken", actor=admin())


def hold() -> object:
    return holding.hold(channel=production(), reason="wait", actor=admin())


def stop() -> object:
    return holding.stop(reason="wait", actor=admin())


def ask_for_one_approval() -> object:
    return channels.set_required_approvals(channel=production(), count=1, actor=admin())


def draft_beside() -> object:
    """Change a file that release 2 changes as well, but not the same line."""
    return _draft(production(), "css/site.css", _KEPT + b"/* beside */\n")


def schedule() -> object:
    now = timezone.now()
    return scheduling.schedule(
        release=spring(),
        publish_at=now + timedelta(days=1),
        end_at=now + timedelta(days=9),
        zone=_UTC,
        actor=admin(),
    )


def run_due() -> object:
    return scheduled_runs.run_due()


def in_two_days() -> None:
    _later(2)


def in_eight_days() -> None:
    _later(8)


def second_administrator() -> object:
    return add_user(username="amir", role=Role.ADMINISTRATOR, password=None, actor=admin())


def ask_emergency() -> object:
    return emergencies.ask(release=spring(), reason="It burns.", actor=second())


def second() -> User:
    return user_named("amir")


def third_administrator() -> object:
    return add_user(username="anna", role=Role.ADMINISTRATOR, password=None, actor=admin())


def confirm_emergency() -> object:
    return emergencies.confirm(release=spring(), actor=user_named("anna"))


def live_on_staging() -> object:
    hosts.add_host(channel=channel_named("staging"), host="staging.localhost", actor=admin())
    release = _draft(channel_named("staging"), "index.html", b"staging")
    review.submit(release=release, actor=admin())
    return publishing.publish(release=release, actor=admin())


def drill() -> object:
    return drills.start_drill(release=spring(), channel=channel_named("staging"), actor=admin())


def continue_drill() -> object:
    return drills.continue_drills()


def open_preview() -> object:
    return previews.open_preview(release=spring(), actor=admin())


def revoke_preview() -> object:
    preview = spring().previews.filter(revoked_at=None).first()
    assert preview
    return previews.revoke_preview(preview=preview, actor=admin())


ACTS: dict[str, Act] = {
    "submit": Act(submit, is_killed_everywhere=True),
    "publish": Act(publish, (submit,), is_killed_everywhere=True),
    "roll back": Act(roll_back, (submit, publish), is_killed_everywhere=True),
    "rebase": Act(
        lambda: rebasing.rebase(release=release_numbered(3), actor=admin()), (draft_beside, submit, publish)
    ),
    "resolve": Act(
        lambda: rebasing.resolve(
            release=release_numbered(3),
            name="css/site.css",
            decision=rebasing.Decision(rebasing.Choice.MERGED, b"merged"),
            actor=admin(),
        ),
        (draft_beside, submit, publish),
    ),
    "revert": Act(lambda: reverting.revert(release=spring(), actor=admin()), (submit, publish)),
    "promote": Act(
        lambda: promoting.promote(source=production(), target=channel_named("staging"), actor=admin())
    ),
    "combine": Act(
        lambda: combining.combine(
            releases=[spring(), release_numbered(3)], title="Both", rest=2, actor=admin()
        ),
        (draft_beside,),
    ),
    "split": Act(
        lambda: splitting.split(
            release=spring(), selection=splitting.Selection(below="css"), title="Part", actor=admin()
        )
    ),
    "schedule": Act(schedule, (submit,)),
    "publish what is due": Act(run_due, (submit, schedule, in_two_days)),
    "take down what is over": Act(run_due, (submit, schedule, in_two_days, run_due, in_eight_days)),
    "hold": Act(hold),
    "stop": Act(stop),
    "resume": Act(lambda: holding.resume(channel=production(), reason="go", actor=admin()), (hold,)),
    "resume all": Act(lambda: holding.resume_all(reason="go", actor=admin()), (stop,)),
    "ask in an emergency": Act(ask_emergency, (ask_for_one_approval, submit, second_administrator)),
    "confirm an emergency": Act(
        confirm_emergency,
        (ask_for_one_approval, submit, second_administrator, third_administrator, ask_emergency),
    ),
    "drill": Act(drill, (live_on_staging, submit)),
    "take a drill back": Act(continue_drill, (live_on_staging, submit, drill, in_two_days)),
    "end a drill": Act(
        continue_drill, (live_on_staging, submit, drill, in_two_days, continue_drill, in_two_days)
    ),
    "open a preview": Act(open_preview, is_killed_everywhere=True),
    "revoke a preview": Act(revoke_preview, (open_preview,)),
    "add a host": Act(lambda: hosts.add_host(channel=production(), host="www.example.com", actor=admin())),
    "set an option": Act(
        lambda: channels.set_options(channel=production(), names_release=False, actor=admin())
    ),
}
