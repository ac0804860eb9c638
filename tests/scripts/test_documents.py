"""What README and RUNBOOK tell people to type works, in the order in which they tell it."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.acceptance.folders import FIRST, SECOND, write_folder
from tests.acceptance.site import PASSWORD, PROJECT, Site

pytestmark = pytest.mark.acceptance

DOCUMENTS = [
    file
    for file in (
        PROJECT / "README.md",
        PROJECT / "deploy/RUNBOOK.md",
        *sorted((PROJECT / "docs").rglob("*.md")),
    )
    if file.is_file()
]
FENCE = re.compile(r"^( *)```sh\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
TESTED_ELSEWHERE = {"scripts/test"}  # it would run this test again


def commands_of(name: str) -> list[str]:
    """Return the shell commands of a document, a block each, in order."""
    text = (PROJECT / name).read_text()
    return [
        re.sub(rf"^{indent}", "", body, flags=re.MULTILINE).strip() for indent, body in FENCE.findall(text)
    ]


class Checkout(Site):
    """The project as somebody has just cloned it: tracked files only, beside the folders of a website."""

    folder: Path

    def run(self, commands: str) -> None:
        # The documents name the default ports; this site has others.
        commands = commands.replace("localhost:8000", f"127.0.0.1:{self.public_port}")
        done = subprocess.run(
            ["bash", "-euc", commands],  # noqa: S607
            cwd=self.folder,
            env=self.environment,
            input=PASSWORD,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    folder = tmp_path / "my checkout"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=PROJECT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, folder / name)
    for name in (".venv", ".uv"):
        if (PROJECT / name).exists():
            (folder / name).symlink_to(PROJECT / name)
    write_folder(tmp_path / "my-site", FIRST)
    write_folder(tmp_path / "my-site-v2", SECOND)
    site = Checkout(data=tmp_path / "data")
    site.folder = folder
    return site


@pytest.fixture
def running(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> Iterator[Checkout]:
    monkeypatch.setattr("tests.acceptance.site.PROJECT", checkout.folder)
    with checkout.running(str(checkout.folder.parent / "my-site")):
        yield checkout


def test_the_readme_begins_with_the_two_commands() -> None:
    assert commands_of("README.md")[:2] == ["scripts/run ../my-site", "scripts/test"]
    for command in ("run", "test", "manage"):
        assert os.access(PROJECT / "scripts" / command, os.X_OK)


def test_what_the_readme_tells_people_to_type_works(running: Checkout) -> None:
    assert b"One" in running.get("/").body
    blocks = [block for block in commands_of("README.md")[1:] if block not in TESTED_ELSEWHERE]
    assert len(blocks) >= 6
    for block in blocks:
        running.run(block)
        if block.startswith("scripts/manage user add ben"):
            running.wait_for_release(2)
            assert b"Two" in running.get("/").body
    running.wait_for_release(1)
    assert b"One" in running.get("/").body


def test_what_the_runbook_tells_people_to_type_works(running: Checkout) -> None:
    for block in commands_of("README.md")[2:5]:
        running.run(block)
    running.wait_for_release(2)
    blocks = commands_of("deploy/RUNBOOK.md")
    assert len(blocks) >= 8
    for block in blocks:
        if "--to 1" in block:  # the first roll back went there already
            running.run("scripts/manage release rollback --to 2 --reason 'It was not that'")
        running.run(block)
    backup = running.folder / "backup"
    assert {file.name for file in backup.iterdir()} == {
        "assetsite.sqlite3",
        "secret.key",
        "signing.key",
        "storage",
    }


def test_a_backup_is_a_whole_site_again(running: Checkout, tmp_path: Path) -> None:
    (backing_up,) = [block for block in commands_of("deploy/RUNBOOK.md") if ".backup(" in block]
    running.run(backing_up)
    (running.folder / "backup").rename(tmp_path / "restored")
    restored = Site(data=tmp_path / "restored")
    with restored.running() as said:
        assert "as set before" in said
        assert b"One" in restored.get("/").body
        assert restored.manage("audit", "verify")["faults"] == []
        verified = restored.manage("release", "verify")["channels"]
        assert [channel["faults"] for channel in verified] == [[], []]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: str(file.relative_to(PROJECT)))
def test_every_link_between_documents_leads_somewhere(document: Path) -> None:
    for url in LINK.findall(document.read_text()):
        target = urlsplit(url)
        if not target.scheme and target.path:
            assert (document.parent / unquote(target.path)).exists(), f"{document.name} leads to {url}"


def test_every_setting_is_documented() -> None:
    read = set(re.findall(r"env\.\w+\(\"([A-Z_]+)\"", (PROJECT / "assetsite/settings.py").read_text()))
    documented = set(
        re.findall(r"^\| `([A-Z_]+)` \|", (PROJECT / "docs/settings.md").read_text(), re.MULTILINE)
    )
    assert documented == read | {"ADMIN_PASSWORD"}
