"""Whatever somebody has changed behind the program's back is found, and named."""

import json
import sqlite3
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage, storages
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.assets import store
from apps.releases.history.seals import genesis, hash_of
from apps.releases.history.signatures import SigningKey, canonical
from apps.releases.history.signing import signed, signing_key
from apps.releases.history.verification import head_of, history_faults, index_faults, unverified
from apps.releases.models import Channel, ChannelHost, Publication, PublicationSeal, Release
from apps.releases.selectors import history_of
from apps.releases.services import pointers, publishing
from tests.staff import staff_client
from tests.tampering import take_out, without_guards

SEALS, PUBLICATIONS = "releases_publicationseal", "releases_publication"


@pytest.fixture
def channel(approved: Release, manager: User) -> Channel:
    """production, with a publication, another, and a roll back; storage says so."""
    publishing.publish(release=approved, actor=manager)
    publishing.roll_back(channel=approved.channel, reason="The checkout is broken", actor=manager)
    pointers.reconcile()
    return approved.channel


def faults(channel: Channel, **options: bool) -> list[str]:
    return [str(fault) for fault in history_faults(channel, **options)]


def write(sql: str, *values: str | int) -> None:
    """Write as the database's owner."""
    with without_guards(SEALS, PUBLICATIONS), connection.cursor() as cursor:
        cursor.execute(sql, values)


def tag(channel: Channel, sequence: int) -> str:
    return channel.publications.get(sequence=sequence).tag


def named(channel: Channel, sequence: int) -> str:
    return f"Publication {sequence} of production ({tag(channel, sequence)})"


def test_each_publication_is_sealed_after_the_one_before(channel: Channel, manager: User) -> None:
    first, second, third = PublicationSeal.objects.order_by("sequence")
    assert first.previous_hash == genesis("production")
    assert (second.previous_hash, third.previous_hash) == (first.hash, second.hash)
    assert head_of(channel) == third.hash == hash_of(third.statement)
    publication = channel.publications.get(sequence=3)
    assert json.loads(third.statement) == {
        "seal": "assetsite publication 2",
        "channel": "production",
        "sequence": 3,
        "release": publication.release_id,
        "digest": publication.manifest_id,
        "kind": "rollback",
        "returns_to": 1,
        "actor": manager.pk,
        "actor_name": "ben",
        "reason": "The checkout is broken",
        "tag": publication.tag,
        "published_at": publication.published_at.isoformat(timespec="microseconds"),
        "emergency": None,
        "freeze": None,
        "previous": second.hash,
    }


def test_what_was_sealed_in_the_first_form_stays_verifiable(channel: Channel) -> None:
    previous, key = genesis("production"), signing_key()
    for seal in PublicationSeal.objects.order_by("sequence")[:2]:
        said = json.loads(seal.statement) | {"seal": "assetsite publication 1", "previous": previous}
        del said["emergency"], said["freeze"]
        statement = canonical(said)
        signature = b64encode(key.sign(statement.encode())).decode()
        write(
            "UPDATE releases_publicationseal SET statement = %s, previous_hash = %s, hash = %s,"
            " signature = %s WHERE sequence = %s",
            *(statement, previous, hash_of(statement), signature, seal.sequence),
        )
        previous = hash_of(statement)
    assert faults(channel) == [f"{named(channel, 3)}: it does not follow from the one before it."]
    write("UPDATE releases_publication SET tag = 'production-2020-01-01.1' WHERE sequence = 1")
    assert f"{named(channel, 1)}: after it was sealed, this was changed: tag." in faults(channel)


def test_an_untouched_history_has_no_fault(channel: Channel) -> None:
    assert faults(channel) == []
    assert unverified(history_of(channel).select_related("seal"), {}) == {}


def test_a_channel_without_a_publication_has_no_fault(production: Channel) -> None:
    assert faults(production) == []
    assert head_of(production) == genesis("production")


def test_a_person_may_be_renamed(channel: Channel, manager: User) -> None:
    User.objects.filter(pk=manager.pk).update(username="benjamin")
    assert faults(channel) == []


@pytest.mark.parametrize(
    ("column", "value", "fact"),
    [
        ("reason", "A routine test", "reason"),
        ("published_at", "2020-01-01 00:00:00+00:00", "published_at"),
        ("tag", "production-2020-01-01.1", "tag"),
    ],
)
def test_a_changed_word_of_a_publication_is_named(
    channel: Channel, column: str, value: str, fact: str
) -> None:
    write(f"UPDATE releases_publication SET {column} = %s WHERE sequence = 3", value)
    assert faults(channel, with_files=False)[0] == (
        f"{named(channel, 3)}: after it was sealed, this was changed: {fact}."
    )
    shown = list(history_of(channel).select_related("seal"))
    assert list(unverified(shown, {})) == [shown[0].pk]


def test_a_publication_that_somebody_else_is_made_to_answer_for_is_named(
    channel: Channel, editor: User
) -> None:
    write("UPDATE releases_publication SET actor_id = %s WHERE sequence = 2", editor.pk)
    assert faults(channel) == [f"{named(channel, 2)}: after it was sealed, this was changed: actor."]


def test_a_publication_that_is_made_to_serve_something_else_is_named(channel: Channel) -> None:
    other = channel.publications.get(sequence=2).manifest_id
    write("UPDATE releases_publication SET manifest_id = %s WHERE sequence = 1", other)
    assert f"{named(channel, 1)}: after it was sealed, this was changed: digest." in faults(channel)


def test_a_seal_that_is_rewritten_to_match_does_not_verify(channel: Channel) -> None:
    """Whoever owns the database, but has no key, changes a word, the statement and every hash after it."""
    write("UPDATE releases_publication SET reason = 'Routine' WHERE sequence = 3")
    seal = PublicationSeal.objects.get(sequence=3)
    statement = seal.statement.replace("The checkout is broken", "Routine")
    write(
        "UPDATE releases_publicationseal SET statement = %s, hash = %s WHERE sequence = 3",
        statement,
        hash_of(statement),
    )
    assert faults(channel) == [
        f"{named(channel, 3)}: of its seal, it was changed after it was signed with key {seal.key_id}."
    ]


def test_a_statement_that_was_changed_alone_is_named(channel: Channel) -> None:
    write("UPDATE releases_publicationseal SET statement = statement || ' ' WHERE sequence = 2")
    found = faults(channel)
    assert found[0] == f"{named(channel, 2)}: the words of its seal were changed."
    assert all(each.startswith(named(channel, 2)) for each in found)


def test_a_statement_that_is_none_is_named(channel: Channel) -> None:
    for words in ("no json", "[]", '{"seal": "another"}'):
        write("UPDATE releases_publicationseal SET statement = %s WHERE sequence = 2", words)
        assert len(faults(channel)) == 2


def test_a_chain_that_was_cut_and_joined_is_named(channel: Channel) -> None:
    write("UPDATE releases_publicationseal SET previous_hash = %s WHERE sequence = 3", "0" * 64)
    assert faults(channel) == [
        f"{named(channel, 3)}: its place in the chain was changed.",
        f"{named(channel, 3)}: it does not follow from the one before it.",
    ]
    assert list(unverified(history_of(channel).select_related("seal"), {})) == [
        channel.publications.get(sequence=3).pk
    ]


def test_a_publication_without_a_seal_is_named_and_holds_nothing_up(channel: Channel, manager: User) -> None:
    write("DELETE FROM releases_publicationseal WHERE sequence = 3")
    assert faults(channel)[0] == (
        f"{named(channel, 3)}: it has no seal: it was written past the program, or its seal was removed."
    )
    publishing.roll_back(channel=channel, reason="At night", actor=manager, to=2)
    pointers.reconcile()
    assert len(faults(channel)) == 1


def test_a_publication_that_was_taken_out_is_missed(channel: Channel) -> None:
    take_out(channel.publications.filter(sequence=2))
    assert faults(channel, with_files=False) == [
        "History of production: publication 2 is missing.",
        f"{named(channel, 3)}: it does not follow from the one before it.",
    ]


def test_an_end_that_was_cut_off_is_missed_by_the_audit_log_and_by_the_pointer(channel: Channel) -> None:
    take_out(channel.publications.filter(sequence__gt=1))
    first, second = faults(channel)
    assert first == "History of production: publications 2 to 3 are missing."
    assert second.startswith("Pointer channels/production.json: it does not say what the database says of ")
    assert second.endswith("it names publication 3, and the history ends with 1.")


def test_a_seal_by_a_key_that_is_not_trusted_any_more_is_named(channel: Channel, settings: Settings) -> None:
    before = SigningKey(settings.SIGNING_KEY).public
    settings.SIGNING_KEY = b"z" * 32
    assert f"of its seal, it is signed with key {before.id}, which is not trusted here" in faults(channel)[0]
    settings.SIGNING_TRUSTED_KEYS = [before.content]
    assert faults(channel) == []


def manifest_of(channel: Channel, sequence: int) -> Path:
    file = store.local_path(channel.publications.get(sequence=sequence).manifest.file_name)
    assert file
    return file


def test_bytes_of_a_manifest_that_were_changed_are_named(channel: Channel) -> None:
    manifest = channel.publications.get(sequence=2).manifest
    file = manifest_of(channel, 2)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.chmod(0o644)
    file.write_bytes(bytes(content))
    found = faults(channel)
    assert found[0] == (
        f"Manifest {manifest.file_name}, of {tag(channel, 2)}: the file was changed: "
        f"its SHA-256 is {sha256(content).hexdigest()}, not {manifest.file_sha256}."
    )
    assert faults(channel, with_files=False) == []


def test_a_row_of_a_manifest_that_was_changed_is_named_though_its_file_is_declared_good(
    channel: Channel,
) -> None:
    """Whoever owns storage and database can make the file's digest fit; the rows' digest is sealed."""
    file, manifest = manifest_of(channel, 2), channel.publications.get(sequence=2).manifest
    file.chmod(0o644)
    with sqlite3.connect(file) as db:
        db.execute("UPDATE entry SET blob = ? WHERE path = 'css/site.css'", (b"x" * 32,))
    db.close()
    manifest.file_sha256 = sha256(file.read_bytes()).hexdigest()
    with without_guards("releases_manifest"):
        manifest.save()
    (only,) = faults(channel)
    assert only.startswith(f"Manifest {manifest.file_name}, of {tag(channel, 2)}: its rows were changed: ")
    assert "the rows from '' on are not what was built" in only


def test_a_header_in_a_manifest_that_was_changed_is_named_though_its_file_is_declared_good(
    channel: Channel,
) -> None:
    file, manifest = manifest_of(channel, 2), channel.publications.get(sequence=2).manifest
    file.chmod(0o644)
    with sqlite3.connect(file) as db:
        db.execute("""UPDATE header_set SET headers = '[["set-cookie", "a=b"]]' WHERE id = 1""")
    db.close()
    manifest.file_sha256 = sha256(file.read_bytes()).hexdigest()
    with without_guards("releases_manifest"):
        manifest.save()
    (only,) = faults(channel)
    assert "the headers by the rule" in only
    assert only.endswith("were changed.")


def test_a_manifest_in_the_place_of_another_is_named(channel: Channel) -> None:
    first, second = (channel.publications.get(sequence=number).manifest for number in (1, 2))
    file = manifest_of(channel, 2)
    file.chmod(0o644)
    file.write_bytes(manifest_of(channel, 1).read_bytes())
    second.file_sha256 = first.file_sha256
    with without_guards("releases_manifest"):
        second.save()
    (only,) = faults(channel)
    assert only.endswith(f"its rows have the digest {first.digest}, not {second.digest}.")


def test_a_manifest_that_is_gone_or_is_none_is_named(channel: Channel) -> None:
    file = manifest_of(channel, 2)
    file.unlink()
    assert [each.partition(": ")[2] for each in faults(channel)] == ["it is missing from storage."]
    file.write_bytes(b"nothing")
    assert len(faults(channel)) == 2


def other_words(content: bytes) -> bytes:
    return content.replace(b'"sequence": 3', b'"sequence": 9')


def not_signed(content: bytes) -> bytes:
    words = json.loads(content)
    del words["signature"]
    return json.dumps(words).encode()


def another_that_is_signed(content: bytes) -> bytes:
    words: dict[str, Any] = json.loads(content)
    del words["signature"]
    return signed(words | {"sequence": 2}, name="channels/production.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (other_words, "it was changed after it was signed"),
        (not_signed, "it is not signed"),
        (
            another_that_is_signed,
            "it does not say what the database says of sequence: it names publication 2",
        ),
        (lambda content: b"\xff", "decode"),
    ],
)
def test_a_pointer_that_was_changed_is_named(
    channel: Channel, change: Callable[[bytes], bytes], words: str
) -> None:
    content = store.read("channels/production.json")
    assert content
    store.replace("channels/production.json", change(content))
    (only,) = faults(channel)
    assert only.startswith("Pointer channels/production.json: ")
    assert words in only
    assert pointers.reconcile() == [f"The pointer of production now names publication 3 ({tag(channel, 3)})."]
    assert faults(channel) == []


def test_a_pointer_that_is_gone_is_named(channel: Channel, storage_folder: Path) -> None:
    (storage_folder / "channels" / "production.json").unlink()
    assert faults(channel) == ["Pointer channels/production.json: it is missing from storage."]


def test_a_pointer_to_a_channel_that_has_published_nothing_is_named(production: Channel) -> None:
    name = "channels/production.json"
    store.replace(name, signed({"sequence": 4}, name=name))
    (only,) = faults(production)
    assert "it names publication 4, and the history ends with none" in only


def test_the_database_refuses_to_change_or_remove_a_seal(channel: Channel) -> None:
    for sql in ("UPDATE releases_publicationseal SET hash = hash", "DELETE FROM releases_publicationseal"):
        with (
            pytest.raises(IntegrityError, match="append_only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(sql)


@pytest.mark.parametrize(
    "wrong", [{"previous_hash": "0" * 64}, {"sequence": 2}, {"publication_id": 1_000_000}, {"sequence": 9}]
)
def test_a_seal_is_of_its_own_publication_and_follows_the_newest(
    approved: Release, manager: User, wrong: dict[str, Any]
) -> None:
    publication = publishing.publish(release=approved, actor=manager)
    # A third publication, which the services have not sealed.
    third = Publication.objects.create(
        channel=approved.channel, sequence=3, release=publication.release, manifest=publication.manifest,
        kind="rollback", returns_to=publication, reason="x", actor=manager, tag="t",
        published_at=publication.published_at,
    )  # fmt: skip
    right = {
        "publication_id": third.pk, "channel_id": approved.channel_id, "sequence": 3, "hash": "f" * 64,
        "previous_hash": head_of(approved.channel), "statement": "", "key_id": "", "signature": "",
    }  # fmt: skip
    with pytest.raises(IntegrityError, match="wrong_seal"), transaction.atomic():
        PublicationSeal.objects.create(**{**right, **wrong})
    PublicationSeal.objects.create(**right)


def test_the_command_says_that_a_history_is_whole(
    channel: Channel, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("release", "verify", "--channel", "production")
    assert capsys.readouterr().out == (
        "The history of production is whole: three publications, sealed and signed, its manifests as they "
        f"were built, head {head_of(channel)}.\n"
    )
    call_command("release", "verify", "--no-files", "--json")
    report = json.loads(capsys.readouterr().out)
    assert [each["channel"] for each in report["channels"]] == ["production", "staging"]
    assert report["channels"][0] == {
        "channel": "production", "publications": 3, "head": head_of(channel), "faults": []
    }  # fmt: skip


def test_the_command_names_what_was_changed_and_ends_with_1(
    channel: Channel, capsys: pytest.CaptureFixture[str]
) -> None:
    write("UPDATE releases_publication SET reason = 'Routine' WHERE sequence = 3")
    with pytest.raises(SystemExit) as ended:
        call_command("release", "verify", "--channel", "production")
    assert ended.value.code == 1
    out = capsys.readouterr().out
    assert f"{named(channel, 3)}: after it was sealed, this was changed: reason." in out
    assert "is not as it was written: one fault." in out
    with pytest.raises(SystemExit):
        call_command("release", "verify", "--json")
    faults = json.loads(capsys.readouterr().out)["channels"][0]["faults"]
    assert faults == [
        {"subject": named(channel, 3), "message": "after it was sealed, this was changed: reason"}
    ]


def test_the_channels_page_says_that_what_it_shows_is_verified(channel: Channel, viewer: User) -> None:
    page = staff_client(viewer).get(f"/admin/releases/channel/{channel.pk}/change/").content.decode()
    assert "History verified" in page
    assert "not as it was sealed" not in page


def test_the_channels_page_marks_what_is_not_as_it_was_sealed(channel: Channel, viewer: User) -> None:
    write("UPDATE releases_publication SET reason = 'Routine' WHERE sequence = 3")
    page = staff_client(viewer).get(f"/admin/releases/channel/{channel.pk}/change/").content.decode()
    assert page.count("not as it was sealed: after it was sealed, this was changed: reason") == 1
    assert "The history is not as it was written" in page
    assert "History verified" not in page


def test_what_a_page_shows_is_verified_without_another_query(
    channel: Channel, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    shown = list(history_of(channel).select_related("seal"))
    with django_assert_num_queries(0):
        assert unverified(shown, {}) == {}


def test_an_index_of_hosts_that_was_changed_is_named(
    production: Channel, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(index_faults()) == []
    ChannelHost.objects.create(channel=production, host="www.example.com")
    assert [str(fault) for fault in index_faults()] == ["Index hosts.json: it is missing from storage."]
    for content, words in (
        (signed({"format": 1, "hosts": {}}, name="hosts.json"), "it does not have the hosts"),
        (b"{}", "it is not signed"),
    ):
        store.replace("hosts.json", content)
        assert words in str(next(index_faults()))
    with pytest.raises(SystemExit):
        call_command("release", "verify")
    assert "The index of hosts is not as it was written: one fault." in capsys.readouterr().out


@pytest.fixture
def elsewhere(settings: Settings) -> InMemoryStorage:
    """A storage that is no folder."""
    memory = {"BACKEND": "django.core.files.storage.InMemoryStorage"}
    settings.STORAGES = {**settings.STORAGES, "blobs": memory}
    place = storages["blobs"]
    assert isinstance(place, InMemoryStorage)
    return place


def test_manifests_in_a_storage_elsewhere_are_read_from_there(
    elsewhere: InMemoryStorage, channel: Channel
) -> None:
    assert faults(channel) == []
    first, second = (channel.publications.get(sequence=number).manifest.file_name for number in (1, 2))
    elsewhere.delete(first)
    elsewhere.delete(second)
    elsewhere.save(second, ContentFile(b"something else"))
    found = faults(channel)
    assert f"Manifest {first}, of {tag(channel, 1)}, {tag(channel, 3)}: it is missing from storage." in found
    assert any(each.startswith(f"Manifest {second}, of ") and "file was changed" in each for each in found)
