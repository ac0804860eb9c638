"""One site, tampered with in one place after another: a command names the place, and no node follows it."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from apps.accounts.models import User
from apps.assets import store
from apps.delivery.files import FileFault, current_files
from apps.delivery.node import Node
from apps.delivery.previews.shown import current_previews
from apps.releases.history.signatures import MEMBER
from apps.releases.history.signing import signed
from apps.releases.manifest.writer import file_sha256
from apps.releases.models import Channel, Manifest, Preview, Publication, Release
from apps.releases.selectors.previews import address_of
from apps.releases.services import (
    channel_index,
    hosts,
    pointers,
    preview_pointers,
    previews,
    publishing,
    review,
)
from apps.releases.services.redirects import put_redirect
from tests.releases.conftest import MakeRelease, put
from tests.tampering import without_guards

HOST, INDEX, POINTER = "www.example.com", "hosts.json", "channels/production.json"


@dataclass(frozen=True, slots=True)
class Site:
    """production, with two publications and a roll back to the first; its host; a preview of a draft."""

    channel: Channel
    preview: Preview
    folder: Path

    @property
    def second(self) -> Publication:
        return self.channel.publications.get(sequence=2)

    @property
    def manifest(self) -> str:
        """The name in storage of what the second publication served."""
        return self.second.manifest.file_name

    @property
    def preview_pointer(self) -> str:
        return preview_pointers.pointer_name(self.preview.key)

    @property
    def names(self) -> str:
        """The name in storage of what production answers for and does not serve any more."""
        return self.channel.retained_names.file_name


@pytest.fixture
def site(
    named: Channel,
    live: Release,
    spring: Release,
    make_release: MakeRelease,
    editor: User,
    manager: User,
    administrator: User,
    storage_folder: Path,
) -> Site:
    put_redirect(release=spring, source="/old", target="/index.html", actor=editor)
    submitted = review.submit(release=spring, actor=editor)
    review.approve(release=submitted, digest=submitted.manifest_id or "", actor=manager)
    publishing.publish(release=submitted, actor=manager)
    publishing.roll_back(channel=named, reason="The checkout is broken", actor=manager)
    hosts.add_host(channel=named, host=HOST, actor=administrator)
    summer = make_release(put("summer.html", "<h1>Summer</h1>"), title="Summer")
    preview = previews.open_preview(release=summer, actor=editor)
    pointers.reconcile()
    channel_index.write_index()
    preview_pointers.reconcile_previews()
    return Site(named, preview, storage_folder)


def in_database(table: str, words: str) -> Callable[[Site], None]:
    """Write as the database's owner, past the guards of a table."""

    def tamper(site: Site) -> None:
        with without_guards(table), connection.cursor() as cursor:
            cursor.execute(f"UPDATE {table} SET {words}")
            assert cursor.rowcount == 1

    return tamper


def rewrite(name: str, change: Callable[[bytes], bytes]) -> None:
    """Write to a file of storage as somebody who has the disk."""
    content = store.read(name)
    assert content
    changed = change(content)
    assert changed != content
    store.replace(name, changed)


def in_manifest(sql: str) -> Callable[[Site], None]:
    """Change the manifest's rows, and let the database say that its file has just these bytes."""

    def tamper(site: Site) -> None:
        file = site.folder / site.manifest
        file.chmod(0o644)
        with closing(sqlite3.connect(file)) as db, db:
            assert db.execute(sql).rowcount > 0
        with without_guards("releases_manifest"):
            Manifest.objects.filter(file_name=site.manifest).update(file_sha256=file_sha256(file))

    return tamper


def last_byte(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def without_signature(content: bytes) -> bytes:
    return json.dumps({name: word for name, word in json.loads(content).items() if name != MEMBER}).encode()


@dataclass(frozen=True, slots=True)
class Tampering:
    """What somebody does, which command finds it, and the words with which it names the place.

    `fault` is under which name a node says that it does not follow; "" where no node reads the place.
    """

    what: str
    by: Callable[[Site], None]
    named: Callable[[Site], str]
    fault: str = ""
    command: tuple[str, ...] = ("release", "verify")


def manifest_named(words: str) -> Callable[[Site], str]:
    return lambda site: f"Manifest {site.manifest}, of {site.second.tag}: {words}"


def pointer_named(words: str) -> Callable[[Site], str]:
    return lambda site: f"Pointer {POINTER}: {words}"


def preview_named(words: str) -> Callable[[Site], str]:
    return lambda site: (
        f"Pointer {site.preview_pointer}, of a preview of release {site.preview.release_id}: {words}"
    )


TABLE = [
    Tampering(
        "a row of a manifest",
        in_manifest("UPDATE entry SET blob = zeroblob(32) WHERE path = 'css/site.css'"),
        manifest_named("its rows were changed: "),
        "manifest",
    ),
    Tampering(
        "a header of a manifest",
        in_manifest("""UPDATE header_set SET headers = '[["set-cookie", "a=b"]]' WHERE id = 1"""),
        manifest_named("the headers by the rule "),
        "manifest",
    ),
    Tampering(
        "a redirect of a manifest",
        in_manifest("UPDATE redirect SET target = 'https://elsewhere.example/'"),
        manifest_named("its rows were changed: "),
        "manifest",
    ),
    Tampering(
        "a byte of a manifest",
        lambda site: rewrite(site.manifest, last_byte),
        manifest_named("the file was changed: its SHA-256 is "),
        "manifest",
    ),
    Tampering(
        "a byte of the names that are kept",
        lambda site: rewrite(site.names, last_byte),
        lambda site: f"Names {site.names}, which production answers for still: the file was changed: ",
        "names",
    ),
    Tampering(
        "a word of a pointer",
        lambda site: rewrite(POINTER, lambda content: content.replace(b'"sequence": 3', b'"sequence": 2')),
        pointer_named("it was changed after it was signed"),
        "production",
    ),
    Tampering(
        "a pointer without its signature",
        lambda site: rewrite(POINTER, without_signature),
        pointer_named("it is not signed"),
        "production",
    ),
    Tampering(
        "a host in the index",
        lambda site: rewrite(INDEX, lambda content: content.replace(HOST.encode(), b"evil.example")),
        lambda site: f"Index {INDEX}: it was changed after it was signed",
        INDEX,
    ),
    Tampering(
        "a preview's end",
        lambda site: rewrite(
            site.preview_pointer, lambda content: content.replace(b'"expires_at": 1', b'"expires_at": 9')
        ),
        preview_named("it was changed after it was signed"),
        "preview",
    ),
    Tampering(
        "another preview's pointer",
        lambda site: rewrite(site.preview_pointer, lambda content: store.read(POINTER) or b""),
        preview_named("it was changed after it was signed"),
        "preview",
    ),
    Tampering(
        "a manifest that a preview shows",
        lambda site: rewrite(str(site.preview.manifest and site.preview.manifest.file_name), last_byte),
        preview_named("of its manifest "),
        "preview",
    ),
    Tampering(
        "a preview that nobody has made",
        lambda site: store.replace("previews/0123456789abcdef.json", b"{}"),
        lambda site: "Pointer previews/0123456789abcdef.json: it is of no preview, or of one that has ended",
    ),
    Tampering(
        "a preview in the database",
        in_database("releases_preview", "has_banner = NOT has_banner WHERE pointer = 'stored'"),
        preview_named("it does not say what the database says of has_banner"),
    ),
    Tampering(
        "a publication",
        in_database("releases_publication", "reason = 'Routine' WHERE sequence = 3"),
        lambda site: "Publication 3 of production (",
    ),
    Tampering(
        "a seal",
        in_database("releases_publicationseal", "statement = statement || ' ' WHERE sequence = 2"),
        lambda site: f"Publication 2 of production ({site.second.tag}): the words of its seal were changed",
    ),
    Tampering(
        "an entry of the audit log",
        in_database("audit_auditentry", "actor_name = 'eve' WHERE sequence = 2"),
        lambda site: "Entry 2: its words were changed after it was written",
        command=("audit", "verify"),
    ),
]


@contextmanager
def undone(site: Site, aside: Path) -> Iterator[None]:
    """Take back what is done meanwhile, in the database and in storage."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
    shutil.rmtree(site.folder)
    shutil.copytree(aside, site.folder)


def following() -> Node:
    """Return a node that was just started and has looked once."""
    current_files.cache_clear()
    node = Node({"localhost": "production"})
    node.refresh()
    return node


def serves(node: Node) -> int | None:
    live = node.release_for(HOST)
    return live.sequence if live else None


def is_shown(preview: Preview) -> bool:
    current_previews.cache_clear()  # else it looks again after a poll
    label = address_of(preview).partition("//")[2].partition(".")[0]
    try:
        return current_previews().find(label) is not None
    except FileFault:
        return False


def assert_not_followed(node: Node, site: Site, place: str, to_second: bytes) -> None:
    """Let a node look, and see that it goes on with all that it had but for this place."""
    if place == "manifest":
        store.replace(POINTER, to_second)
    if place == "names":
        node = following()  # who has them open goes on with them
    else:
        node.refresh()
    assert serves(node) == 3
    assert set(node.faults) == {"": set(), "preview": set(), INDEX: {INDEX}}.get(place, {"production"})
    assert is_shown(site.preview) == (place != "preview")


def test_each_place_is_found_and_named_and_no_node_follows_it(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], subtests: pytest.Subtests
) -> None:
    aside = shutil.copytree(site.folder, tmp_path / "aside")
    to_second = signed(pointers.pointer_document(site.second), name=POINTER)
    for command in (("release", "verify"), ("audit", "verify")):
        call_command(*command)
    for tampering in TABLE:
        with subtests.test(tampering.what), undone(site, aside):
            node = following()
            assert (serves(node), node.faults, is_shown(site.preview)) == (3, {}, True)
            tampering.by(site)
            capsys.readouterr()
            with pytest.raises((SystemExit, CommandError)):
                call_command(*tampering.command)
            said = capsys.readouterr()
            assert tampering.named(site) in said.out + said.err
            assert_not_followed(node, site, tampering.fault, to_second)
