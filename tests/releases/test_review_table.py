"""Who may take which step in which state: one table, held against every door that there is.

The doors are the services, the forms of the admin (also sent by who is not shown them), the commands, and
rows written past all of them. There is no REST API yet; its door belongs into `DOORS` when there is one.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client

from apps.accounts.models import User
from apps.refusals import Refusal
from apps.releases.models import Approval, Release
from apps.releases.services import conversation, drafts, publishing, review
from tests.releases.conftest import MakeRelease, put
from tests.releases.test_admin_releases import brief_of, page
from tests.staff import staff_client

State = Release.State
EVERY_STATE = frozenset(State)

# eva began and owns it, emil wrote a change of it, mona one that is gone; the others have no part in it.
NOBODY: frozenset[str] = frozenset()
EDITORS = frozenset({"eva", "emil", "ben", "mona", "ann"})
MANAGERS = frozenset({"ben", "mona", "ann"})
PEOPLE = ("vera", "eva", "emil", "ben", "mona", "ann")
WITH_PART = frozenset({"eva", "emil", "mona"})


@dataclass(frozen=True, slots=True)
class Rule:
    """Whose role lets them take a step, in which states, and who has too much of a part in it."""

    people: frozenset[str]
    states: frozenset[State]
    wrong_state: str = "wrong_state"
    kept_out: frozenset[str] = NOBODY

    def outcome(self, person: str, state: State) -> str:
        """Return "done", or the code of the refusal."""
        if person not in self.people:
            return "forbidden"
        if state not in self.states:
            return self.wrong_state
        return "self_approval" if person in self.kept_out else "done"


OPEN = frozenset({State.DRAFT, State.IN_REVIEW, State.APPROVED})
TABLE = {
    "edit": Rule(EDITORS, frozenset({State.DRAFT}), "release_closed"),
    "submit": Rule(EDITORS, frozenset({State.DRAFT})),
    "approve": Rule(MANAGERS, frozenset({State.IN_REVIEW}), kept_out=WITH_PART),
    "request_changes": Rule(MANAGERS, frozenset({State.IN_REVIEW, State.APPROVED})),
    "reject": Rule(MANAGERS, frozenset({State.IN_REVIEW})),
    "reopen": Rule(EDITORS, frozenset({State.IN_REVIEW, State.APPROVED, State.REJECTED})),
    "withdraw": Rule(EDITORS, OPEN),
    "publish": Rule(MANAGERS, frozenset({State.APPROVED})),
    "comment": Rule(EDITORS, EVERY_STATE),
}
# Where a row may be moved past the services, when nothing else is written: all else goes with a publication,
# with approvals, or without the digest that it had.
MOVES: dict[State, set[State]] = {
    State.DRAFT: {State.WITHDRAWN},
    State.IN_REVIEW: {State.REJECTED, State.WITHDRAWN},
    State.APPROVED: {State.WITHDRAWN},
    State.PUBLISHED: set(),
    State.SUPERSEDED: set(),
    State.REJECTED: set(),
    State.WITHDRAWN: set(),
}

Door = Callable[[Release, str, User], str]


@pytest.fixture
def people(
    viewer: User, editor: User, other_editor: User, manager: User, other_manager: User, administrator: User
) -> dict[str, User]:
    everybody = (viewer, editor, other_editor, manager, other_manager, administrator)
    return {user.username: user for user in everybody}


@pytest.fixture(params=list(State))
def release(
    request: pytest.FixtureRequest, live: Release, make_release: MakeRelease, people: dict[str, User]
) -> Release:
    """A release of eva's in each state, with something of emil's in it and something of mona's gone."""
    begun = make_release(put("css/site.css", "a { color: blue }"))
    drafts.apply_changes(release=begun, changes=[put("emil.css", "e")], actor=people["emil"])
    drafts.apply_changes(release=begun, changes=[put("gone.css", "m")], actor=people["mona"])
    drafts.discard_change(change=begun.changes.get(asset__path="gone.css"), actor=people["eva"])
    bring_to(State(request.param), begun, people["eva"], people["ben"])
    return Release.objects.get(pk=begun.pk)


def bring_to(state: State, release: Release, eva: User, ben: User) -> None:
    if state is State.DRAFT:
        return
    if state is State.WITHDRAWN:
        review.withdraw(release=release, actor=eva)
        return
    submitted = review.submit(release=release, actor=eva)
    if state is State.REJECTED:
        review.reject(release=submitted, reason="No.", actor=ben)
    if state in (State.APPROVED, State.PUBLISHED, State.SUPERSEDED):
        review.approve(release=submitted, digest=submitted.manifest_id or "", actor=ben)
    if state in (State.PUBLISHED, State.SUPERSEDED):
        publishing.publish(release=release, actor=ben)
    if state is State.SUPERSEDED:
        publishing.roll_back(channel=release.channel, reason="No.", actor=ben)


@contextmanager
def undone() -> Iterator[None]:
    """Take back what is tried within."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def by_service(release: Release, step: str, actor: User) -> str:
    known: dict[str, Callable[[], object]] = {
        "edit": lambda: drafts.edit_release(release=release, actor=actor, route="/"),
        "approve": lambda: review.approve(release=release, digest=release.manifest_id or "", actor=actor),
        "request_changes": lambda: review.request_changes(release=release, reason="No.", actor=actor),
        "reject": lambda: review.reject(release=release, reason="No.", actor=actor),
        "publish": lambda: publishing.publish(release=release, actor=actor),
        "comment": lambda: conversation.comment(release=release, text="Hm.", actor=actor),
    }
    other: Callable[..., object] = getattr(review, step, review.submit)
    try:
        known.get(step, lambda: other(release=release, actor=actor))()
    except Refusal as refusal:
        return refusal.code
    return "done"


def by_form(release: Release, step: str, actor: User) -> str:
    client: Client = staff_client(actor)
    part = "publish" if step == "publish" else "change"
    typed = {"step": step, "reason": "No.", "text": "Hm.", "digest": release.manifest_id or ""}
    extra = brief_of(release, route="/") if step == "edit" else {}
    answer = client.post(page(release, part), typed | extra)
    return {302: "done", 403: "forbidden", 409: "refused"}[answer.status_code]


def by_command(capsys: pytest.CaptureFixture[str]) -> Door:
    words = {
        "edit": ("--route", "/"),
        "request_changes": ("--reason", "No."),
        "reject": ("--reason", "No."),
        "comment": ("--text", "Hm."),
    }

    def door(release: Release, step: str, actor: User) -> str:
        command = ("release", step.replace("_", "-"), str(release.pk), *words.get(step, ()))
        capsys.readouterr()
        try:
            call_command(*command, "--as", actor.username, "--json")
        except SystemExit:
            code: str = json.loads(capsys.readouterr().out)["error"]["code"]
            return code
        return "done"

    return door


def outcomes(release: Release, people: dict[str, User], door: Door) -> dict[tuple[str, str], str]:
    """Try every step as everybody by one door; return what came of each, and take it back."""
    found = {}
    for step in TABLE:
        for person in PEOPLE:
            with undone():
                found[step, person] = door(Release.objects.get(pk=release.pk), step, people[person])
    return found


def expected(release: Release) -> dict[tuple[str, str], str]:
    state = State(release.state)
    return {(step, who): rule.outcome(who, state) for step, rule in TABLE.items() for who in PEOPLE}


def test_the_services_follow_the_table(release: Release, people: dict[str, User]) -> None:
    assert outcomes(release, people, by_service) == expected(release)


def test_the_forms_follow_the_table_also_where_they_are_forged(
    release: Release, people: dict[str, User]
) -> None:
    shown = {"done": "done", "forbidden": "forbidden"}
    wanted = {key: shown.get(outcome, "refused") for key, outcome in expected(release).items()}
    if release.manifest is None:  # the page to publish it looks at what would go live before anything else
        wanted |= {("publish", who): "refused" for who in PEOPLE}
    assert outcomes(release, people, by_form) == wanted


def test_the_commands_follow_the_table(
    release: Release, people: dict[str, User], capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcomes(release, people, by_command(capsys)) == expected(release)


def test_rows_written_past_the_services_follow_the_table(release: Release, people: dict[str, User]) -> None:
    may = {}
    for person in PEOPLE:
        with undone():
            manifest = release.manifest or release.base_manifest
            assert manifest
            try:
                with transaction.atomic():
                    Approval.objects.create(release=release, manifest=manifest, approver=people[person])
                may[person] = True
            except IntegrityError:
                may[person] = False
    rule, state = TABLE["approve"], State(release.state)
    assert may == {person: rule.outcome(person, state) == "done" for person in PEOPLE}


def test_a_row_is_moved_only_along_a_releases_life(release: Release) -> None:
    moved = set()
    for target in set(State) - {State(release.state)}:
        with undone():
            try:
                with transaction.atomic():
                    Release.objects.filter(pk=release.pk).update(state=target)
                moved.add(target)
            except IntegrityError:
                continue
    assert moved == MOVES[State(release.state)]
