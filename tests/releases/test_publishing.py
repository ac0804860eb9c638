from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.assets import store
from apps.assets.exceptions import StorageFull
from apps.audit.models import AuditEntry
from apps.releases.exceptions import (
    AlreadyLive,
    ApprovalsMissing,
    BaseMoved,
    ManifestMissing,
    ReasonMissing,
    StaleDigest,
    UnknownPublication,
    WrongApprovals,
    WrongChannel,
    WrongState,
)
from apps.releases.history.signing import verified
from apps.releases.models import Channel, Publication, Release
from apps.releases.selectors import channel_named, live_publication, manifest_reader_of
from apps.releases.services import channels, pointers, publishing, review
from tests.releases.conftest import MakeRelease, put

State = Release.State
OnCommit = Callable[..., AbstractContextManager[object]]


def pointer(channel: Channel) -> dict[str, object]:
    """Return what the channel's pointer says, which is signed."""
    name = pointers.pointer_name(channel)
    content = store.read(name)
    return verified(content, name=name) if content else {}


def states() -> list[str]:
    return list(Release.objects.order_by("pk").values_list("state", flat=True))


def test_publishing_makes_a_release_live_and_the_one_before_superseded(
    approved: Release, live: Release, manager: User
) -> None:
    publication = publishing.publish(release=approved, actor=manager)
    assert (publication.sequence, publication.kind, publication.manifest) == (2, "publish", approved.manifest)
    assert states() == [State.SUPERSEDED, State.PUBLISHED]
    assert live_publication(approved.channel) == publication


def test_storage_points_at_the_publication_once_it_is_committed(
    approved: Release, manager: User, django_capture_on_commit_callbacks: OnCommit
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        publication = publishing.publish(release=approved, actor=manager)
        assert pointer(approved.channel) == {}
    manifest = publication.manifest
    assert pointer(approved.channel) == {
        "format": 1,
        "channel": "production",
        "sequence": 2,
        "kind": "publish",
        "release": approved.pk,
        "digest": manifest.digest,
        "manifest": {
            "name": manifest.file_name,
            "sha256": manifest.file_sha256,
            "size": manifest.file_size_bytes,
        },
        "retained": None,
        "tag": publication.tag,
        "published_at": publication.published_at.isoformat(),
        "released_at": int(publication.published_at.timestamp()),
        "options": {
            "clean_urls": False,
            "not_found_page": "404.html",
            "names_release": True,
            "early_hints": False,
        },
    }
    assert pointers.is_current(publication)


def test_a_first_publication_needs_no_approval_and_the_next_one_does(
    live: Release, spring: Release, editor: User, manager: User
) -> None:
    assert live.state == State.PUBLISHED
    review.submit(release=spring, actor=editor)
    with pytest.raises(WrongState, match="in review and cannot be published"):
        publishing.publish(release=spring, actor=manager)


def test_approvals_are_counted_anew_when_a_channel_asks_for_more(
    approved: Release, manager: User, other_manager: User, administrator: User, editor: User
) -> None:
    channels.set_required_approvals(channel=approved.channel, count=2, actor=administrator)
    with pytest.raises(ApprovalsMissing, match="asks for 2 approvals by now"):
        publishing.publish(release=approved, actor=manager)
    review.reopen(release=approved, actor=editor)
    submitted = review.submit(release=approved, actor=editor)
    review.approve(release=submitted, digest=submitted.manifest_id or "", actor=other_manager)
    assert publishing.publish(release=submitted, actor=manager).sequence == 2


def test_only_the_digest_that_was_looked_at_is_published(approved: Release, manager: User) -> None:
    with pytest.raises(StaleDigest, match="no longer has the digest 000000000000"):
        publishing.publish(release=approved, actor=manager, digest="0" * 64)
    assert publishing.publish(release=approved, actor=manager, digest=approved.manifest_id).sequence == 2


def test_each_publication_has_a_name_of_its_own(approved: Release, live: Release, manager: User) -> None:
    second = publishing.publish(release=approved, actor=manager)
    third = publishing.roll_back(channel=approved.channel, reason="broken", actor=manager)
    day = f"production-{second.published_at:%Y-%m-%d}"
    tags = list(Publication.objects.order_by("sequence").values_list("tag", flat=True))
    assert tags == [f"{day}.1", f"{day}.2", f"{day}.3"]
    assert third.tag == tags[-1]


def test_rolling_back_serves_the_earlier_digest_again_and_says_why(
    approved: Release, live: Release, manager: User, django_capture_on_commit_callbacks: OnCommit
) -> None:
    publishing.publish(release=approved, actor=manager)
    with django_capture_on_commit_callbacks(execute=True):
        publication = publishing.roll_back(channel=live.channel, reason=" checkout is broken ", actor=manager)
    assert (publication.kind, publication.sequence, publication.release) == ("rollback", 3, live)
    assert publication.manifest == live.manifest
    assert publication.reason == "checkout is broken"
    assert publication.returns_to
    assert publication.returns_to.sequence == 1
    assert states() == [State.PUBLISHED, State.SUPERSEDED]
    assert pointer(live.channel)["digest"] == live.manifest_id
    assert AuditEntry.objects.get(action="channel.roll_back").details["reason"] == "checkout is broken"


def test_a_roll_back_can_be_undone_by_naming_what_was_rolled_back(
    approved: Release, live: Release, manager: User
) -> None:
    publishing.publish(release=approved, actor=manager)
    publishing.roll_back(channel=live.channel, reason="broken", actor=manager)
    again = publishing.roll_back(channel=live.channel, to=2, reason="it was the network", actor=manager)
    assert again.manifest == approved.manifest
    assert states() == [State.SUPERSEDED, State.PUBLISHED]


def test_rolling_back_twice_never_lands_on_what_was_rolled_back(
    approved: Release, live: Release, manager: User
) -> None:
    publishing.publish(release=approved, actor=manager)
    publishing.roll_back(channel=live.channel, reason="broken", actor=manager)
    with pytest.raises(UnknownPublication) as refusal:
        publishing.roll_back(channel=live.channel, reason="still broken", actor=manager)
    assert "nothing to roll production back to" in refusal.value.message
    assert "publications 1 to 3" in refusal.value.next_step


@pytest.mark.parametrize(
    ("to", "error"), [(7, UnknownPublication), (0, UnknownPublication), (2, AlreadyLive)]
)
def test_a_roll_back_to_nowhere_is_refused(
    approved: Release, manager: User, to: int, error: type[Exception]
) -> None:
    publishing.publish(release=approved, actor=manager)
    with pytest.raises(error):
        publishing.roll_back(channel=approved.channel, to=to, reason="broken", actor=manager)
    assert Publication.objects.count() == 2


def test_an_empty_channel_has_nothing_to_roll_back_to(production: Channel, manager: User) -> None:
    with pytest.raises(UnknownPublication, match="nothing to roll") as refusal:
        publishing.roll_back(channel=production, reason="broken", actor=manager)
    assert "none yet" in refusal.value.next_step


def test_a_roll_back_needs_its_reason(approved: Release, manager: User) -> None:
    publishing.publish(release=approved, actor=manager)
    with pytest.raises(ReasonMissing):
        publishing.roll_back(channel=approved.channel, reason=" \n", actor=manager)


def test_of_two_releases_from_one_base_the_second_is_not_published(
    approved: Release, make_release: MakeRelease, editor: User, manager: User
) -> None:
    other = make_release(put("css/site.css", "a { color: black }"))
    submitted = review.submit(release=other, actor=editor)
    review.approve(release=submitted, digest=submitted.manifest_id or "", actor=manager)
    publishing.publish(release=approved, actor=manager)
    with pytest.raises(BaseMoved, match=r"Changed in both: css/site\.css"):
        publishing.publish(release=other, actor=manager)
    other.refresh_from_db()
    assert other.state == State.APPROVED


def test_a_conflict_free_base_that_moved_says_so(
    approved: Release, make_release: MakeRelease, manager: User, editor: User
) -> None:
    other = make_release(put("elsewhere.css", "e"))
    publishing.publish(release=approved, actor=manager)
    with pytest.raises(BaseMoved, match="No path was changed in both"):
        review.submit(release=other, actor=editor)


def test_a_release_is_published_on_its_own_channel_only(approved: Release) -> None:
    with pytest.raises(WrongChannel, match="made for production, not for staging"):
        publishing.refuse_other_channel(approved, channel_named("staging"))
    publishing.refuse_other_channel(approved, approved.channel)


def test_a_manifest_that_storage_has_lost_is_not_published(
    approved: Release, manager: User, storage_folder: Path
) -> None:
    assert approved.manifest
    (storage_folder / approved.manifest.file_name).unlink()
    with pytest.raises(ManifestMissing, match="missing from storage"):
        publishing.publish(release=approved, actor=manager)
    assert states() == [State.PUBLISHED, State.APPROVED]


def test_publishing_and_rolling_back_ask_for_permission(
    approved: Release, editor: User, manager: User
) -> None:
    with pytest.raises(Forbidden, match="eva may not publish"):
        publishing.publish(release=approved, actor=editor)
    publishing.publish(release=approved, actor=manager)
    with pytest.raises(Forbidden, match="eva may not roll production back"):
        publishing.roll_back(channel=approved.channel, reason="x", actor=editor)
    assert Publication.objects.count() == 2


def test_a_pointer_that_was_not_written_is_written_by_the_reconciler(
    live: Release, django_capture_on_commit_callbacks: OnCommit
) -> None:
    publication = live_publication(live.channel)
    assert publication
    assert not pointers.is_current(publication)
    assert pointers.reconcile() == [f"The pointer of production now names publication 1 ({publication.tag})."]
    assert pointers.is_current(publication)
    assert pointers.reconcile() == []


@pytest.mark.parametrize("fault", [OSError(5, "I/O error"), StorageFull("The disk is full.")])
def test_storage_that_refuses_a_pointer_leaves_the_publication_and_is_tried_again(
    live: Release, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    def full(name: str, content: bytes) -> None:
        raise fault

    with monkeypatch.context() as broken:
        broken.setattr(store, "replace", full)
        assert pointers.reconcile() == []
        assert "could not be written" in caplog.text
    assert len(pointers.reconcile()) == 1


def test_contents_keep_the_time_at_which_they_first_went_live(
    approved: Release, live: Release, manager: User, django_capture_on_commit_callbacks: OnCommit
) -> None:
    first = live_publication(live.channel)
    assert first
    since = int(first.published_at.timestamp())
    assert manifest_reader_of(approved).released == {live.pk: since}
    publishing.publish(release=approved, actor=manager)
    with django_capture_on_commit_callbacks(execute=True):
        publishing.roll_back(channel=live.channel, reason="broken", actor=manager)
    assert pointer(live.channel)["released_at"] == since


def test_only_administrators_change_what_a_channel_asks_for(
    production: Channel, manager: User, administrator: User
) -> None:
    with pytest.raises(Forbidden):
        channels.set_required_approvals(channel=production, count=0, actor=manager)
    for count in (-1, 4):
        with pytest.raises(WrongApprovals, match=str(count)):
            channels.set_required_approvals(channel=production, count=count, actor=administrator)
    assert (
        channels.set_required_approvals(channel=production, count=3, actor=administrator).required_approvals
        == 3
    )


def test_the_first_channels_are_made_once(production: Channel) -> None:
    assert channels.ensure_channels() == []
    assert dict(Channel.objects.values_list("name", "required_approvals")) == {"production": 1, "staging": 0}
