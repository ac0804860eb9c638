"""An export is checked as an outsider would: by the commands that it says, and by no program of ours."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from django.core.management import call_command

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.releases.exceptions import ExportRefused, ManifestMissing
from apps.releases.files import manifest_file
from apps.releases.history.export import export
from apps.releases.history.export_text import queries
from apps.releases.manifest.digest import bucket_rows, row_digest, starts_bucket
from apps.releases.manifest.format import FIRST_FORMAT
from apps.releases.models import Channel, Publication, Release
from apps.releases.selectors.receipts import publication_named
from apps.releases.services import publishing, review
from apps.releases.services.redirects import put_redirect
from tests.releases.conftest import MakeRelease, Publish, put
from tests.tampering import without_guards

PAGE = '<link rel="stylesheet" href="/css/site.css"><h1>It\'s "here"</h1>'
TOOLS = ("sqlite3", "sha256sum", "openssl")
GOOD = "Signature Verified Successfully"


@pytest.fixture(autouse=True)
def _tools() -> None:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing and os.environ.get("REQUIRE_REAL_PARTS") == "1":
        pytest.fail(f"{', '.join(missing)} is missing, and REQUIRE_REAL_PARTS=1 asks for it.")
    if missing:
        pytest.skip(f"{', '.join(missing)} is missing (apt install {' '.join(missing)}).")


@pytest.fixture
def publication(
    live: Release, named: Channel, make_release: MakeRelease, publish: Publish, editor: User, manager: User
) -> Publication:
    """A roll back to a site with fingerprinted names, links, a redirect, and four buckets."""
    begin_buckets = [name for name in map("page-{}.html".format, range(2000)) if starts_bucket(name)][:3]
    files = {name: f"<p>{name}" for name in [*begin_buckets, "page-7.html"]}
    files |= {"café/menü's.html": "<h1>Menu", "css/site.css": "h1 { color: blue }", "index.html": PAGE}
    draft = make_release(*(put(path, text) for path, text in files.items()))
    put_redirect(release=draft, source="/old", target="/index.html", actor=editor)
    submitted = review.submit(release=draft, actor=editor)
    review.approve(release=submitted, digest=submitted.manifest_id or "", actor=manager)
    publishing.publish(release=submitted, actor=manager)
    publish(put("index.html", "broken"))
    publishing.roll_back(channel=live.channel, reason='The "checkout" is broken: 日本', actor=manager)
    return publication_named(live.channel, "4")


@pytest.fixture
def folder(publication: Publication, manager: User, tmp_path: Path) -> Path:
    folder = tmp_path / "an outsider's folder"
    export(publication, to=folder, actor=manager)
    return folder


def commands(folder: Path) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", (folder / "README.md").read_text(), re.MULTILINE | re.DOTALL)


def run(folder: Path, command: str) -> str:
    """Return what a command of the README prints in an outsider's shell, where nothing of ours is."""
    shell = ["/bin/sh", "-c", command]
    path = {"PATH": os.environ["PATH"]}
    return subprocess.run(
        shell, cwd=folder, capture_output=True, text=True, env=path, check=False
    ).stdout.strip()


def answers(folder: Path) -> list[str]:
    return [run(folder, command) for command in commands(folder)]


def expected(publication: Publication) -> list[str]:
    """What the README says that its commands print, in their order, apart from the last."""
    digest, seal = publication.manifest_id, publication.seal.hash
    return ["whole", digest, digest, "same rows", "same headers", seal, seal, GOOD, GOOD]


def test_what_the_readme_says_is_so(folder: Path, publication: Publication) -> None:
    *found, files = answers(folder)
    assert found == expected(publication)
    first, second = files.split()
    assert first == second
    readme = (folder / "README.md").read_text()
    assert publication.tag in readme
    for word in found:
        assert word in readme


def tamper(folder: Path, sql: str, *values: object) -> None:
    """Change a manifest as somebody would who can write every file, and makes the sums fit."""
    (folder / "manifest.sqlite").chmod(0o644)
    db = sqlite3.connect(folder / "manifest.sqlite")
    with db:
        db.execute(sql, values)
    db.close()
    run(folder, "sqlite3 -readonly manifest.sqlite < rows.sql > rows.txt; sha256sum *.* > SHA256SUMS")


@pytest.mark.parametrize(
    ("sql", "wrong"),
    [
        ("UPDATE entry SET blob = zeroblob(32) WHERE path = 'page-7.html'", [2]),
        ("UPDATE entry SET header_set = header_set + 1 WHERE path = 'css/site.css'", [2]),
        ("DELETE FROM entry WHERE path = 'index.html'", [2]),
        ("UPDATE redirect SET target = 'https://evil.example/'", [2]),
        ("UPDATE page_link SET value = '</evil.js>; rel=preload'", [2]),
        ("UPDATE meta SET value = 'none' WHERE key = 'manner'", [2]),
        ('UPDATE header_set SET headers = \'[["set-cookie", "a=b"]]\' WHERE id = 1', [4]),
        ("UPDATE header_set SET headers = replace(headers, 'text/css', 'text/html')", [4]),
        ("UPDATE media_type SET name = name || 'x'", []),  # a note as well: visitors are told the header
        ("UPDATE bucket SET digest = zeroblob(32)", []),  # a note, which nobody has to believe
    ],
)
def test_a_manifest_that_was_changed_does_not_pass(
    folder: Path, publication: Publication, sql: str, wrong: list[int]
) -> None:
    tamper(folder, sql)
    *found, files = answers(folder)
    pairs = zip(found, expected(publication), strict=True)
    assert [place for place, (got, want) in enumerate(pairs) if got != want] == wrong
    first, second = files.split()
    assert first != second


def test_a_statement_that_was_changed_does_not_pass(folder: Path, publication: Publication) -> None:
    statement = (folder / "statement.json").read_text().replace("checkout", "footer")
    (folder / "statement.json").write_text(statement)
    *found, _ = answers(folder)
    assert found[0] != "whole"
    assert (found[6] != publication.seal.hash, found[7] != GOOD) == (True, True)


def test_a_history_that_was_changed_does_not_pass(folder: Path, publication: Publication) -> None:
    lines = (folder / "history.jsonl").read_text().splitlines(keepends=True)
    assert len(lines) == 4
    lines[1] = lines[1].replace('"kind":"publish"', '"kind":"promote"')
    (folder / "history.jsonl").write_text("".join(lines))
    *found, _ = answers(folder)
    assert found[5].startswith('broken before: {"seal":"assetsite publication 2"')


def test_a_file_that_was_lost_shows(folder: Path) -> None:
    (folder / "rows.txt").unlink()
    assert answers(folder)[0] != "whole"


def test_a_folder_that_holds_something_is_left_alone(
    publication: Publication, manager: User, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("there", "file"):
        with pytest.raises(ExportRefused, match="is not an empty folder"):
            export(publication, to=tmp_path / name, actor=manager)
    assert sorted(file.name for file in (tmp_path / "there").iterdir()) == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    assert "manifest.sqlite" in export(publication, to=tmp_path / "empty", actor=manager)


def test_an_export_that_fails_leaves_nothing(
    publication: Publication, manager: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = manifest_file(publication.manifest)
    file.chmod(0o644)
    content = file.read_bytes()
    file.write_bytes(content.replace(b"page-7.html", b"page-X.html"))
    with pytest.raises(ManifestMissing, match=r"not what was built"):
        export(publication, to=tmp_path / "export", actor=manager)
    assert not (tmp_path / "export").exists()
    assert not list(tmp_path.glob(".export*"))


def test_what_has_no_seal_is_not_exported(publication: Publication, manager: User, tmp_path: Path) -> None:
    with without_guards("releases_publicationseal"):
        publication.seal.delete()
    again = publication_named(None, publication.tag)
    with pytest.raises(ExportRefused, match="has no seal"):
        export(again, to=tmp_path / "export", actor=manager)


def test_who_may_not_see_publications_does_not_export_them(publication: Publication, tmp_path: Path) -> None:
    nobody = User.objects.create(username="nobody", is_staff=True)
    with pytest.raises(Forbidden, match="may not export a publication"):
        export(publication, to=tmp_path / "export", actor=nobody)


def test_the_queries_of_the_first_format_give_its_rows() -> None:
    """Files of that format are read still; nothing writes one any more."""
    db = sqlite3.connect(":memory:")
    db.executescript("""
        CREATE TABLE entry (path TEXT PRIMARY KEY, blob BLOB, header_set INTEGER);
        CREATE TABLE header_set (id INTEGER PRIMARY KEY, digest BLOB);
        CREATE TABLE bucket (first_path TEXT PRIMARY KEY, digest BLOB);
        INSERT INTO header_set VALUES (1, x'aa');
        INSERT INTO entry VALUES ('a', x'01', 1), ('b', x'02', 1);
        INSERT INTO bucket VALUES ('', x''), ('b', x'');
    """)
    sql = queries(FIRST_FORMAT)
    text = "".join(f"{row}\n" for (row,) in db.execute(sql["bucket.sql"], {"n": 2}))
    assert text == "b\n02\naa\n"
    assert (
        row_digest(bucket_rows(db, "b", file_format=FIRST_FORMAT)).hex() == sha256(text.encode()).hexdigest()
    )
    assert [row for (row,) in db.execute(sql["rows.sql"])] == ["a\n01\naa", "b\n02\naa"]
    assert list(db.execute(sql["redirects.sql"])) == []


def test_the_command_exports_by_tag_and_by_number(
    publication: Publication, administrator: User, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("release", "export", publication.tag, "--to", str(tmp_path / "a"))
    assert f"{publication.tag} is in {tmp_path / 'a'}: " in capsys.readouterr().out
    call_command("release", "export", "4", "--to", str(tmp_path / "b"), "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["tag"] == publication.tag
    assert {"manifest.sqlite", "README.md", "SHA256SUMS"} < set(report["files"])
    assert (tmp_path / "a" / "rows.txt").read_bytes() == (tmp_path / "b" / "rows.txt").read_bytes()
