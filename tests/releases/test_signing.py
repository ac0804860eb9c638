"""The keys of a machine: made once, kept to itself, replaced without a gap."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from apps.releases.history import signing
from apps.releases.history.signatures import SignatureFault, SigningKey

NAME = "channels/production.json"


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Path:
    """A machine without a key in its settings; return where it keeps its own."""
    settings.SIGNING_KEY = None
    return tmp_path / "signing.key"


def test_a_key_is_made_once_and_only_its_user_can_read_it(own: Path) -> None:
    first = signing.signing_key()
    assert signing.signing_key() == first
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    assert signing.verified(signing.signed({"a": 1}, name=NAME), name=NAME) == {"a": 1}


def test_processes_that_start_at_once_share_a_key(own: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = {key.seed for key in pool.map(lambda _: signing.signing_key(), range(32))}
    assert len(keys) == 1
    assert [file.name for file in own.parent.glob("*signing*")] == ["signing.key"]


def test_a_set_key_is_used_and_what_was_signed_before_it_is_still_followed(
    own: Path, settings: Settings
) -> None:
    before = signing.signed({}, name=NAME)
    settings.SIGNING_KEY = b"s" * 32
    assert signing.signing_key() == SigningKey(b"s" * 32)
    assert signing.is_key_set()
    assert signing.verified(before, name=NAME) == {}


def test_a_machine_without_a_key_of_its_own_makes_none_where_one_is_set(
    own: Path, settings: Settings
) -> None:
    settings.SIGNING_KEY = b"s" * 32
    signing.verified(signing.signed({}, name=NAME), name=NAME)
    assert not own.exists()


def test_keys_of_other_machines_are_trusted_where_they_are_named(own: Path, settings: Settings) -> None:
    other = SigningKey(b"o" * 32)
    settings.SIGNING_KEY = other.seed
    content = signing.signed({}, name=NAME)
    settings.SIGNING_KEY = None
    with pytest.raises(SignatureFault, match="not trusted here"):
        signing.verified(content, name=NAME)
    settings.SIGNING_TRUSTED_KEYS = [other.public.content]
    assert signing.verified(content, name=NAME) == {}


def test_another_key_takes_over_and_the_one_before_stays_trusted(own: Path) -> None:
    before = signing.signed({"old": 1}, name=NAME)
    first = signing.signing_key()
    second = signing.replace_key()
    assert signing.signing_key() == second != first
    assert signing.verified(before, name=NAME) == {"old": 1}
    third = signing.replace_key()
    assert {first.public.id, second.public.id, third.public.id} == set(signing.trusted_keys())
    assert stat.S_IMODE(own.stat().st_mode) == 0o600


def test_a_replacement_that_is_interrupted_leaves_the_key_that_was(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = signing.signing_key()
    replace = Path.replace

    def killed(file: Path, target: Path) -> Path:
        if target.name == "signing.key":
            raise KeyboardInterrupt
        return replace(file, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        signing.replace_key()
    assert signing.signing_key() == first
    assert signing.verified(signing.signed({}, name=NAME), name=NAME) == {}
