"""Who may take which step in which state: one table, held against every door that there is.

The doors are the services, the forms of the admin (also sent by who is not shown them), the commands, and
rows written past all of them. There is no REST API yet; its door belongs into `DOORS` when there is one.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import pytest
from django.core.management import call_command, load_command_class
from django.db import IntegrityError, connection, transaction
from django.http import HttpRequest, HttpResponse

from apps.accounts.models import User
from apps.assets.models import Asset, AssetVersion
from apps.refusals import Refusal
from apps.releases.admin import publish_page, release_page
from apps.releases.models import (
    Approval,
    Change,
    Channel,
    Involvement,
    Origin,
    RedirectChange,
    Release,
)
from apps.releases.services import conversation, drafts, publishing, review
from apps.releases.services.authorship import contribute
from apps.releases.services.involvements import note_involvement
from apps.releases.services.redirects import put_redirect
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
# with approvals, with a reason, or without the digest that it had.
MOVES: dict[State, set[State]] = {
    State.DRAFT: {State.WITHDRAWN},
    State.IN_REVIEW: {State.WITHDRAWN},
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


def by_form(people: dict[str, User], monkeypatch: pytest.MonkeyPatch) -> Door:
    """Return a door that tells by the status; what the page then looks like is for tests of pages."""

    def shown(request: HttpRequest, release: Release, *, status: int = 200, **_: object) -> HttpResponse:
        return HttpResponse(status=status)

    for module in (release_page, publish_page):
        monkeypatch.setattr(module, "_show", shown)
    clients = {name: staff_client(user) for name, user in people.items()}

    def door(release: Release, step: str, actor: User) -> str:
        part = "publish" if step == "publish" else "change"
        typed = {"step": step, "reason": "No.", "text": "Hm.", "digest": release.manifest_id or ""}
        extra = brief_of(release, route="/") if step == "edit" else {}
        answer = clients[actor.username].post(page(release, part), typed | extra)
        return {302: "done", 403: "forbidden", 409: "refused"}[answer.status_code]

    return door


def by_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Door:
    words = {
        "edit": ("--route", "/"),
        "request_changes": ("--reason", "No."),
        "reject": ("--reason", "No."),
        "comment": ("--text", "Hm."),
    }
    command = load_command_class("apps.releases", "release")
    parser = command.create_parser("", "release")  # once: it takes as long as most steps
    monkeypatch.setattr(command, "create_parser", lambda *_, **__: parser)

    def door(release: Release, step: str, actor: User) -> str:
        typed = (step.replace("_", "-"), str(release.pk), *words.get(step, ()))
        capsys.readouterr()
        try:
            call_command(command, *typed, "--as", actor.username, "--json")
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


def test_every_door_follows_the_table(
    release: Release,
    people: dict[str, User],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = expected(release)
    assert outcomes(release, people, by_service) == wanted
    assert outcomes(release, people, by_command(capsys, monkeypatch)) == wanted
    # Forms, also where who sends them is not shown them.
    shown = {"done": "done", "forbidden": "forbidden"}
    by_page = {key: shown.get(outcome, "refused") for key, outcome in wanted.items()}
    if release.manifest is None:  # the page to publish it looks at what would go live before anything else
        by_page |= {("publish", who): "refused" for who in PEOPLE}
    assert outcomes(release, people, by_form(people, monkeypatch)) == by_page
    assert who_approves_past_services(release, people) == {
        who for who in PEOPLE if wanted["approve", who] == "done"
    }
    assert moved_past_services(release) == MOVES[State(release.state)]


def who_approves_past_services(release: Release, people: dict[str, User]) -> set[str]:
    manifest = release.manifest or release.base_manifest
    return {
        who
        for who in PEOPLE
        if passes(partial(Approval.objects.create, release=release, manifest=manifest, approver=people[who]))
    }


def moved_past_services(release: Release) -> set[State]:
    row = Release.objects.filter(pk=release.pk)
    others = set(State) - {State(release.state)}
    return {target for target in others if passes(partial(row.update, state=target))}


def passes(write: Callable[[], object]) -> bool:
    """Say whether the database lets something be written, and take it back."""
    try:
        with undone(), transaction.atomic():
            write()
    except IntegrityError:
        return False
    return True


# What is approved stays as it is, whoever writes


@pytest.fixture
def rich(live: Release, make_release: MakeRelease, people: dict[str, User]) -> Release:
    """A release in review with a row of every kind that says what it is, and whose work."""
    rich = make_release(put("css/site.css", "a { color: blue }"))
    put_redirect(release=rich, source="/old", target="/index.html", actor=people["eva"])
    contribute(rich, {("css/site.css", people["emil"].pk)})
    Origin.objects.create(release=rich, kind=Origin.Kind.REVERT, source=live)
    return review.submit(release=rich, actor=people["eva"])


def writes_to(release: Release, live: Release, mona: User) -> dict[str, Callable[[], object]]:
    """Return what a shell, a forgotten script or a bug could write to a release that is no draft."""
    row, changes = Release.objects.filter(pk=release.pk), release.changes.all()
    change, redirect = release.changes.get(), release.redirect_changes.get()
    contributors, origins = release.contributors.all(), release.origins.all()
    known = release.involvements.all()
    version = AssetVersion.objects.exclude(pk=change.version.pk if change.version else 0).first()
    rule = release.rules.get(rule__slug="everything")
    pinned = Release.rules.through.objects.filter(release=release)
    another = {"asset": Asset.objects.exclude(pk=change.asset_id).first(), "kind": "put", "version": version}

    def saved(**values: object) -> None:
        edited = Release.objects.get(pk=release.pk)
        for name, value in values.items():
            setattr(edited, name, value)
        edited.save()

    def bulk_updated() -> object:
        change.version = version
        return Change.objects.bulk_update([change], ["version"])

    return {
        "title": lambda: row.update(title="Other"),
        "brief": lambda: saved(rollback_note="None."),
        "owner": lambda: saved(owner=mona),
        "began": lambda: row.update(created_by=mona),
        "base": lambda: row.update(base=None),
        "base manifest": lambda: row.update(base_manifest=release.manifest),
        "digest": lambda: row.update(manifest=live.manifest),
        "how its rules combine": lambda: row.update(rule_combination="merge"),
        "channel": lambda: row.update(channel=Channel.objects.get(name="staging")),
        "back to draft, with its approvals": lambda: row.update(state=State.DRAFT),
        "release by SQL": sql("DELETE FROM releases_release WHERE id = %s", release.pk),
        "release with its rows": release.delete,
        "change": lambda: changes.update(version=version),
        "change, in bulk": bulk_updated,
        "change by SQL": sql("UPDATE releases_change SET author_id = %s", mona.pk),
        "change to another release": lambda: changes.update(release=live),
        "change from another release": lambda: live.changes.update(release=release),
        "change more": lambda: Change.objects.bulk_create([Change(release=release, author=mona, **another)]),
        "change less": lambda: changes._raw_delete("default"),
        "redirect": lambda: release.redirect_changes.update(target="/evil"),
        "redirect more": lambda: RedirectChange.objects.create(
            release=release, source="b", kind="put", target="/c", status=301, author=mona
        ),
        "redirect less": redirect.delete,
        "rule less": lambda: release.rules.remove(rule),
        "rules none": release.rules.clear,
        "rule another": lambda: pinned.update(release=live),
        "rule itself": sql("UPDATE caching_cacheruleversion SET name = 'Other' WHERE id = %s", rule.pk),
        "contributor less": lambda: contributors._raw_delete("default"),
        "contributor another": lambda: contributors.update(person=mona),
        "contributor more": lambda: contribute(release, {("a.css", mona.pk)}),
        "origin less": lambda: origins._raw_delete("default"),
        "origin another": lambda: origins.update(kind="combine"),
        "involvement less": lambda: known._raw_delete("default"),
        "involvement another": lambda: known.update(person=mona),
        "involvement more": lambda: note_involvement(release, mona, Involvement.Kind.BRIEFED),
        "approval less": sql("DELETE FROM releases_approval"),
        "approval of another": lambda: release.approvals.update(approver=mona),
        "approval of another digest": lambda: release.approvals.update(manifest=live.manifest),
        "manifest": sql("UPDATE releases_manifest SET file_sha256 = %s", "0" * 64),
    }


def sql(statement: str, *values: int | str) -> Callable[[], object]:
    def write() -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)

    return write


def test_nothing_of_it_changes_between_approval_and_publication_or_later(
    rich: Release, live: Release, people: dict[str, User]
) -> None:
    ben, mona = people["ben"], people["mona"]
    review.approve(release=rich, digest=rich.manifest_id or "", actor=ben)
    approved = Release.objects.get(pk=rich.pk)
    steps = (
        lambda: None,
        lambda: publishing.publish(release=approved, actor=ben),
        lambda: publishing.roll_back(channel=approved.channel, reason="No.", actor=ben),
    )
    for step in steps:
        step()
        writes = writes_to(Release.objects.get(pk=rich.pk), live, mona)
        assert [name for name, write in writes.items() if passes(write)] == []
