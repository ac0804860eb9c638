"""What a channel asks for before something goes live on it: who sets it, and by which door."""

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django.asserts import assertContains, assertNotContains

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.releases.exceptions import ApprovalsMissing, WrongApprovals, WrongOption
from apps.releases.models import Channel, Publication, Release
from apps.releases.selectors import channel_named
from apps.releases.services import publishing, review
from apps.releases.services.channels import set_options, set_required_approvals, set_requirements
from tests.releases.conftest import MakeRelease, put
from tests.releases.test_commands import refused, run
from tests.staff import staff_client
from tests.tampering import without_guard

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def reviewers(db: None) -> Group:
    return Group.objects.create(name="reviewers")


def page(channel: Channel) -> str:
    return f"/admin/releases/channel/{channel.pk}/change/"


def test_a_channel_says_who_may_approve_by_the_name_of_a_group(
    production: Channel, administrator: User, reviewers: Group
) -> None:
    channel = set_options(channel=production, actor=administrator, approver_group="reviewers")
    assert channel.approver_group == reviewers
    entry = AuditEntry.objects.get(action="channel.set_options")
    assert entry.details == {"approver_group": {"before": "", "after": "reviewers"}}
    assert set_options(channel=channel, actor=administrator, approver_group="").approver_group is None


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("approver_group", "nobody", "no group 'nobody'"),
        ("time_zone", "Mars/Olympus", "no time zone 'Mars/Olympus'"),
        ("time_zone", "", "no time zone ''"),
    ],
)
def test_a_requirement_that_makes_no_sense_is_refused(
    production: Channel, administrator: User, option: str, value: str, words: str
) -> None:
    with pytest.raises(WrongOption, match=words) as refusal:
        set_options(channel=production, actor=administrator, **{option: value})
    assert refusal.value.option == option


def test_a_protected_channel_asks_for_one_approval_at_least(production: Channel, administrator: User) -> None:
    set_required_approvals(channel=production, count=0, actor=administrator)
    production.refresh_from_db()
    with pytest.raises(WrongOption, match="cannot be protected"):
        set_options(channel=production, actor=administrator, is_protected=True)
    set_requirements(channel=production, approvals=1, actor=administrator, is_protected=True)
    with pytest.raises(WrongApprovals, match="nobody publishes on it alone"):
        set_required_approvals(channel=channel_named("production"), count=0, actor=administrator)
    with pytest.raises(IntegrityError, match="channel_protected_asks"), transaction.atomic():
        Channel.objects.create(name="other", is_protected=True, required_approvals=0)


def test_protection_and_its_approval_are_taken_away_together(
    production: Channel, administrator: User
) -> None:
    set_options(channel=production, actor=administrator, is_protected=True)
    channel = set_requirements(
        channel=channel_named("production"), approvals=0, actor=administrator, is_protected=False
    )
    assert (channel.is_protected, channel.required_approvals) == (False, 0)


def test_on_a_protected_channel_nobody_publishes_alone_not_even_the_first_time(
    make_release: MakeRelease, production: Channel, administrator: User, editor: User, manager: User
) -> None:
    set_options(channel=production, actor=administrator, is_protected=True)
    release = review.submit(release=make_release(put("a.html", "a")), actor=editor)
    assert release.state == Release.State.IN_REVIEW
    moved = Release.objects.filter(pk=release.pk)
    with pytest.raises(IntegrityError, match="approvals_missing"), transaction.atomic():
        moved.update(state=Release.State.APPROVED)
    with without_guard("release_approved_by_enough", "releases_release"):
        moved.update(state=Release.State.APPROVED)
    with pytest.raises(ApprovalsMissing):
        publishing.publish(release=release, actor=manager)
    assert release.manifest
    with pytest.raises(IntegrityError, match="not_approved"), transaction.atomic():
        Publication.objects.create(
            channel=production, sequence=1, release=release, manifest=release.manifest, kind="publish",
            actor=manager, tag="t", published_at=timezone.now(),
        )  # fmt: skip


def test_the_database_keeps_a_protected_channel(production: Channel, administrator: User) -> None:
    set_options(channel=production, actor=administrator, is_protected=True)
    with pytest.raises(IntegrityError, match="channel_protected"), transaction.atomic():
        Channel.objects.filter(pk=production.pk)._raw_delete("default")
    with pytest.raises(IntegrityError, match="channel_named"), transaction.atomic():
        Channel.objects.filter(pk=production.pk).update(name="other")


@pytest.mark.parametrize("who", ["viewer", "editor", "manager"])
def test_only_administrators_set_requirements(
    production: Channel, who: str, request: pytest.FixtureRequest
) -> None:
    user = request.getfixturevalue(who)
    with pytest.raises(Forbidden):
        set_requirements(channel=production, approvals=2, actor=user, is_protected=True)
    answer = staff_client(user).get(page(production))
    assertContains(answer, "Group that may approve")
    assertNotContains(answer, 'name="is_protected"')
    assert staff_client(user).post(page(production), {"required_approvals": 0}).status_code == 403


def test_requirements_are_set_by_command_all_or_nothing(
    production: Channel, administrator: User, reviewers: Group, capsys: Capture
) -> None:
    words = ("channel", "set", "production", "--required-approvals", 2, "--approver-group", "reviewers")
    assert refused(capsys, *words, "--time-zone", "Nowhere")["code"] == "wrong_option"
    assert channel_named("production").required_approvals == 1
    more = ("--protected", "on", "--requires-baseline", "on", "--time-zone", "Europe/Stockholm")
    options = run(capsys, *words, *more)["options"]
    assert {name: options[name] for name in ("approver_group", "is_protected", "requires_baseline")} == {
        "approver_group": "reviewers",
        "is_protected": True,
        "requires_baseline": True,
    }
    call_command("channel", "show", "production")
    shown = capsys.readouterr().out
    for line in ("protected: on", "group that may approve: reviewers", "windows: Europe/Stockholm"):
        assert line in shown


def test_requirements_are_set_on_the_channels_page(
    production: Channel, administrator: User, reviewers: Group
) -> None:
    client = staff_client(administrator)
    typed = {"required_approvals": 2, "approver_group": "reviewers", "is_protected": "on"}
    answer = client.post(page(production), typed, follow=True)
    assertContains(answer, "asks for two approvals. Before: 1.")
    assertContains(answer, "group that may approve: reviewers, before: none; protected: on, before: off")
    answer = client.post(page(production), {"required_approvals": 0, "is_protected": "on"})
    assertContains(answer, "nobody publishes on it alone", status_code=409)
    assert channel_named("production").approver_group == reviewers
    assertContains(client.post(page(production), typed, follow=True), "Nothing was changed.")
