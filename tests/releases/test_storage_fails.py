"""A bucket that goes away in the middle: what was begun is not lost, is said, and can be done again."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.files.storage import storages
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.assets.exceptions import StorageUnreachable
from apps.assets.s3 import Bucket
from apps.releases.history.verification import history_faults
from apps.releases.models import Channel, Publication, Release
from apps.releases.selectors import live_publication
from apps.releases.selectors.receipts import is_pointed_at
from apps.releases.services import pointers, publishing, review
from assetsite.environment import storage_backend
from tests.bucket import S3Server

pytestmark = pytest.mark.s3

_numbers = itertools.count(1)
Fail = Callable[[str, str], None]


@pytest.fixture
def storage_folder(s3: S3Server, tmp_path: Path, settings: Settings, storage_folder: Path) -> Path:
    """Let a part of the bucket be the storage, before anything is brought there."""
    backend = storage_backend(s3.url(f"fails-{next(_numbers)}"), default_folder=tmp_path)
    settings.STORAGES = {**settings.STORAGES, "blobs": backend}
    assert isinstance(storages["blobs"], Bucket)
    return storage_folder


@pytest.fixture
def die_at(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fail]:
    """Return a function after which the server dies as soon as a method is asked for such a name."""
    is_dead: list[str] = []

    def die_at(method: str, part: str) -> None:
        real = getattr(Bucket, method)

        def dying(self: Bucket, name: str, *args: object) -> object:
            if part in name and not is_dead:
                s3.stop()
                is_dead.append(name)
            return real(self, name, *args)

        monkeypatch.setattr(Bucket, method, dying)

    yield die_at
    assert is_dead
    if s3.has_stopped:
        s3.start()


def test_gone_while_a_release_is_built_it_is_a_draft_and_the_same_command_builds_it(
    spring: Release, editor: User, s3: S3Server, die_at: Fail
) -> None:
    die_at("save", "manifests/")
    with pytest.raises(StorageUnreachable, match="Check that its endpoint runs"):
        review.submit(release=spring, actor=editor)
    spring.refresh_from_db()
    assert (spring.state, spring.manifest) == (Release.State.DRAFT, None)
    s3.start()
    assert review.submit(release=spring, actor=editor).state == Release.State.IN_REVIEW


@pytest.mark.parametrize("act", ["publish", "rollback"])
def test_gone_while_the_pointer_is_written_it_is_live_as_soon_as_storage_is_there_again(
    approved: Release,
    manager: User,
    s3: S3Server,
    die_at: Fail,
    act: str,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    caplog: pytest.LogCaptureFixture,
) -> None:
    channel = approved.channel
    if act == "rollback":
        publishing.publish(release=approved, actor=manager)
    pointers.reconcile()
    die_at("save", "channels/production.json")
    with django_capture_on_commit_callbacks(execute=True):
        now = (
            publishing.publish(release=approved, actor=manager)
            if act == "publish"
            else roll_back(channel, manager)
        )
    assert live_publication(channel) == now
    assert not is_pointed_at(now)
    assert "Check that its endpoint runs" in caplog.text
    assert "Traceback" not in caplog.text
    assert pointers.reconcile() == []
    s3.start()
    assert pointers.reconcile() == [
        f"The pointer of production now names publication {now.sequence} ({now.tag})."
    ]
    assert faults_of(channel) == []


def test_gone_before_a_roll_back_has_looked_nothing_is_changed_and_the_same_command_does_it(
    approved: Release, manager: User, s3: S3Server, die_at: Fail
) -> None:
    publishing.publish(release=approved, actor=manager)
    die_at("open", "manifests/")
    die_at("size", "")
    with pytest.raises(StorageUnreachable, match="Check that its endpoint runs"):
        roll_back(approved.channel, manager)
    assert approved.channel.publications.count() == 2
    s3.start()
    assert roll_back(approved.channel, manager).sequence == 3


def roll_back(channel: Channel, actor: User) -> Publication:
    return publishing.roll_back(channel=channel, reason="broken", actor=actor)


def faults_of(channel: Channel) -> list[str]:
    return list(map(str, history_faults(channel)))
