"""Replacing the signing key of a site that is served meanwhile."""

import json
import re
from pathlib import Path

import pytest
from django.core.management import call_command
from pytest_django.fixtures import Settings

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.assets import store
from apps.audit.models import AuditEntry
from apps.delivery.node import Node
from apps.releases.exceptions import KeyInUse, KeyIsSet, UnknownKey
from apps.releases.history import signing
from apps.releases.history.signatures import SigningKey, signer_of
from apps.releases.history.verification import history_faults
from apps.releases.models import Release
from apps.releases.services import channel_index, hosts, keys, pointers, preview_pointers, previews

POINTER = "channels/production.json"


@pytest.fixture(autouse=True)
def own_key(settings: Settings) -> None:
    """The machine has made its key itself, before anything was published."""
    settings.SIGNING_KEY = None


def signer() -> str:
    content = store.read(POINTER)
    assert content
    return signer_of(content)


def test_a_rotation_signs_pointers_anew_and_nodes_follow_without_a_restart(
    live: Release, administrator: User
) -> None:
    pointers.reconcile()
    node = Node({"localhost": "production"})
    node.refresh()
    before = signing.signing_key().public
    rotation = keys.rotate(actor=administrator)
    assert (rotation.before, rotation.channels) == (before, ["production"])
    assert signer() == rotation.new.id == signing.signing_key().public.id
    node.refresh()
    assert not node.faults
    assert list(history_faults(live.channel)) == []
    entry = AuditEntry.objects.get(action="signing.rotate")
    assert entry.details["public_key"] == rotation.new.text
    assert "Signs with key" in entry.summary


def test_a_rotation_signs_the_index_of_hosts_and_previews_anew(
    live: Release, administrator: User, manager: User
) -> None:
    hosts.add_host(channel=live.channel, host="www.example.com", actor=administrator)
    channel_index.write_index()
    rotation = keys.rotate(actor=administrator)
    content = store.read("hosts.json")
    assert content
    assert signer_of(content) == rotation.new.id


def test_a_rotation_that_was_interrupted_is_finished_by_the_next_start_and_once(
    live: Release, administrator: User
) -> None:
    pointers.reconcile()
    first = signing.signing_key().public
    signing.note_trusted([SigningKey(b"n" * 32).public, first])  # and no more: the process was killed
    assert keys.resume_rotation() == []
    new = signing.replace_key().public  # and no more: another one was
    assert signer() != new.id
    [line] = keys.resume_rotation()
    assert new.id in line
    assert signer() == new.id
    assert keys.resume_rotation() == []
    entry = AuditEntry.objects.get(action="signing.rotate")
    assert (entry.details["key"], entry.actor) == (new.id, None)
    signing.replace_key()
    again = keys.rotate(actor=administrator)
    assert keys.resume_rotation() == []
    assert signer() == again.new.id
    assert AuditEntry.objects.filter(action="signing.rotate").count() == 3


def test_previews_whose_key_is_trusted_no_more_are_signed_again(
    spring: Release, editor: User, settings: Settings
) -> None:
    settings.SIGNING_KEY = b"a" * 32
    preview = previews.open_preview(release=spring, actor=editor)
    name = preview_pointers.pointer_name(preview.key)
    preview_pointers.reconcile_previews()
    assert preview_pointers.reconcile_signatures() == []
    settings.SIGNING_KEY = b"b" * 32
    [line] = preview_pointers.reconcile_signatures()
    assert line.startswith("1 ")
    preview_pointers.reconcile_previews()
    content = store.read(name)
    assert content
    assert signer_of(content) == signing.signing_key().public.id
    store.remove(name)
    assert len(preview_pointers.reconcile_signatures()) == 1


def test_what_another_trusted_key_has_signed_is_not_written_again(live: Release) -> None:
    """Two machines with keys of their own, which trust each other, do not overwrite each other's words."""
    pointers.reconcile()
    content = store.read(POINTER)
    signing.replace_key()
    assert pointers.reconcile() == []
    assert store.read(POINTER) == content
    assert pointers.sign_pointers_anew() == ["production"]
    assert pointers.sign_pointers_anew() == []


def test_what_a_lost_key_has_signed_is_signed_anew_by_the_next_reconciliation(
    live: Release, tmp_path: Path
) -> None:
    pointers.reconcile()
    before = signer()
    (tmp_path / "signing.key").unlink()
    assert len(pointers.reconcile()) == 1
    assert signer() != before
    faults = [fault.message for fault in history_faults(live.channel)]
    assert faults == [f"of its seal, it is signed with key {before}, which is not trusted here"]


def test_a_key_that_is_trusted_no_longer_is_not_followed(live: Release, administrator: User) -> None:
    pointers.reconcile()
    content = store.read(POINTER)
    assert content
    rotation = keys.rotate(actor=administrator)
    keys.distrust(key_id=rotation.before.id, actor=administrator)
    assert rotation.before.id not in signing.trusted_keys()
    store.replace(POINTER, content)
    assert len(pointers.reconcile()) == 1
    assert signer() == rotation.new.id


def test_the_key_in_use_and_unknown_ones_are_not_taken_trust_from(administrator: User) -> None:
    with pytest.raises(KeyInUse, match="rotate` makes another one first"):
        keys.distrust(key_id=signing.signing_key().public.id, actor=administrator)
    with pytest.raises(UnknownKey, match="No rotation has left a key 00ff here"):
        keys.distrust(key_id="00ff", actor=administrator)


def test_only_administrators_change_keys(manager: User) -> None:
    with pytest.raises(Forbidden, match="may not replace the signing key"):
        keys.rotate(actor=manager)
    with pytest.raises(Forbidden, match="may not take trust from a signing key"):
        keys.distrust(key_id="00ff", actor=manager)


def test_a_key_from_the_environment_is_replaced_there(administrator: User, settings: Settings) -> None:
    settings.SIGNING_KEY = b"k" * 32
    text = signing.signing_key().public.text
    with pytest.raises(KeyIsSet, match=re.escape(f"to that, a comma, and {text}, and start")):
        keys.rotate(actor=administrator)


def test_the_command_shows_replaces_and_distrusts(
    administrator: User, capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    first = signing.signing_key().public
    call_command("signing", "rotate")
    out = capsys.readouterr().out
    second = signing.signing_key().public
    assert f"Key {second.id} signs from now on; {first.id} is trusted still." in out
    assert f"SIGNING_TRUSTED_KEYS={second.text}" in out
    call_command("signing", "show")
    out = capsys.readouterr().out
    assert f"{second.id}  {second.text}  signs here; from DATA_DIR/signing.key" in out
    assert f"{first.id}  {first.text}  trusted" in out
    assert second.pem in out
    call_command("signing", "show", "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["key"] == second.id
    assert report["from"] == "file"
    assert [key["ed25519"] for key in report["keys"]] == [second.text, first.text]
    call_command("signing", "distrust", first.id)
    assert f"What key {first.id} has signed is followed no longer" in capsys.readouterr().out
    settings.SIGNING_KEY = b"k" * 32
    call_command("signing", "show")
    assert "from the environment" in capsys.readouterr().out
