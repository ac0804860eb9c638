"""An import in a process of its own: killed, out of room, without permission; tried again, it finishes."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from apps.imports.exceptions import NAMED_FAULTS
from tests.imports.conftest import FIRST, write_files

pytestmark = [pytest.mark.acceptance, pytest.mark.both_databases]

PROJECT = Path(__file__).resolve().parents[2]
PREPARE = """
import django
django.setup()
from assetsite.launch.preparation import prepare
prepare(print)
"""
# Runs a management command, and kills its own process before or after one function is called.
KILLING = """
import importlib, os, signal, sys
import django
django.setup()
module, name, when, *words = sys.argv[1:]
place = importlib.import_module(module)
real = getattr(place, name)
def killing(*args, **kwargs):
    if when == "after":
        real(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(place, name, killing)
from django.core.management import call_command
call_command(*words)
"""
# More files than are brought to storage at once.
MANY = {f"p/{number}.txt": b"%d\n" % number for number in range(600)}
LITTLE_ROOM_BYTES = 64 << 10
# Goes before a command that may write no larger file. What it would write beside, Python's bytecode and the
# coverage of the tests, it does not write: the limit would cut that short for every process after it.
IN_LITTLE_ROOM = (
    "sh",
    "-c",
    "unset COVERAGE_PROCESS_CONFIG; export PYTHONDONTWRITEBYTECODE=1; "
    f'ulimit -f {LITTLE_ROOM_BYTES // 512}; exec "$@"',
    "sh",
)

Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True, slots=True)
class Desk:
    """A data directory with a database of its own, whatever database the suite runs on."""

    data: Path

    @property
    def environment(self) -> dict[str, str]:
        env = {
            name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "STORAGE_URL"}
        }
        settings = {"DJANGO_SETTINGS_MODULE": "assetsite.settings", "ADMIN_PASSWORD": "correct-horse-battery"}
        return env | settings | {"DATA_DIR": str(self.data), "LOG_LEVEL": "ERROR"}

    def run(self, *words: object, before: tuple[str, ...] = ()) -> Done:
        """Run Python with these words, behind the command `before`, if any."""
        return subprocess.run(
            [*before, sys.executable, *map(str, words)],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def import_folder(self, folder: Path, *words: str, **how: Any) -> Done:
        return self.run(PROJECT / "manage.py", "import", folder, "--title", "Spring", *words, **how)

    def refused(self, folder: Path, **how: Any) -> dict[str, Any]:
        """Import in vain; return the error that standard output has, alone."""
        done = self.import_folder(folder, "--json", **how)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        error: dict[str, Any] = json.loads(done.stdout)["error"]
        return error

    def imported(self, folder: Path, **how: Any) -> dict[str, Any]:
        """Import and return the report that standard output has, alone."""
        done = self.import_folder(folder, "--json", **how)
        assert done.returncode == 0, done.stdout + done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def rows(self, table: str) -> int:
        with closing(sqlite3.connect(self.data / "assetsite.sqlite3")) as database:
            count: int = database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return count

    def holds_nothing(self) -> bool:
        tables = ("releases_release", "releases_change", "assets_asset", "assets_assetversion", "jobs_job")
        return not any(map(self.rows, tables))

    def unfinished(self) -> list[Path]:
        return list((self.data / "storage/unfinished").glob("*"))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("prepared") / "data"
    done = Desk(data).run("-c", PREPARE)
    assert done.returncode == 0, done.stderr
    return data


@pytest.fixture
def desk(tmp_path: Path, prepared: Path) -> Desk:
    """A new site, on which nothing has been imported yet."""
    shutil.copytree(prepared, tmp_path / "data")
    (tmp_path / "data/storage").mkdir(exist_ok=True)
    return Desk(tmp_path / "data")


@pytest.fixture
def as_others() -> tuple[str, ...]:
    """What goes before a command so that file permissions hold for it, also where the tests run as root."""
    if os.geteuid() != 0:
        return ()
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv to give up root's way around permissions")
    return ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")


@pytest.mark.parametrize(
    ("module", "name", "when"),
    [
        ("apps.assets.store", "_put", "before"),  # the first files are written, and none has its name
        ("apps.assets.store", "_put", "after"),  # the first files are in storage, the others still to come
        ("apps.releases.services.drafts", "record", "before"),
        ("apps.imports.services", "enqueue_encoding", "after"),  # everything but the commit
    ],
)
def test_killed_before_its_release_is_there_an_import_has_done_nothing(
    desk: Desk, tmp_path: Path, module: str, name: str, when: str
) -> None:
    folder = write_files(tmp_path / "site", MANY)
    killed = desk.run("-c", KILLING, module, name, when, "import", folder, "--title", "Spring")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert desk.holds_nothing()

    assert desk.imported(folder)["added"] == len(MANY)
    assert desk.rows("releases_release") == 1
    assert desk.rows("releases_change") == len(MANY)


def test_what_a_killed_import_left_is_removed_by_the_next_start(desk: Desk, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "site", FIRST)
    desk.run("-c", KILLING, "apps.assets.store", "_put", "before", "import", folder, "--title", "Spring")
    assert len(desk.unfinished()) == len(FIRST)
    assert f"removed {len(FIRST)} unfinished files" in desk.run("-c", PREPARE).stdout
    assert desk.unfinished() == []


def test_killed_after_its_release_is_there_an_import_is_not_done_twice(desk: Desk, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "site", FIRST)
    killed = desk.run(
        "-c", KILLING, "apps.imports.services", "_outcome", "before", "import", folder, "--title", "Spring"
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    again = desk.import_folder(folder)
    assert "Release 1 already holds exactly these changes; nothing was changed." in again.stdout
    assert desk.rows("releases_release") == 1


def test_a_full_disk_is_said_and_with_more_room_the_same_command_finishes(desk: Desk, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "site", {f"{n}.bin": os.urandom(1 << 20) for n in range(4)})
    script = """
        mount -t tmpfs -o size=2m none "$DATA_DIR/storage" || exit 77
        "$@"; echo "status $?"
        ls "$DATA_DIR/storage/unfinished" | wc -l
        mount -o remount,size=64m "$DATA_DIR/storage"
        "$@"; echo "status $?"
    """
    done = desk.import_folder(
        folder, "--json", before=("unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh")
    )
    if done.returncode == 77 or done.stderr.startswith("unshare:"):
        pytest.skip("no file system of its own can be mounted here")
    refusal, status, left, report, end = done.stdout.splitlines()
    error = json.loads(refusal)["error"]
    assert error["code"] == "storage_full"
    assert error["message"].endswith("No space left on device.")
    assert (status, left) == ("status 1", "0")
    assert (json.loads(report)["added"], end) == (4, "status 0")
    assert desk.rows("releases_release") == 1


def test_a_limit_on_the_size_of_files_is_no_room_either(desk: Desk, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "site", {"a.css": b"a", "large.bin": bytes(LITTLE_ROOM_BYTES + 1)})
    error = desk.refused(folder, before=IN_LITTLE_ROOM)
    assert error["code"] == "storage_full"
    assert "df -h" in error["next"]
    assert desk.holds_nothing()
    assert desk.unfinished() == []
    assert desk.imported(folder)["added"] == 2


def test_a_database_without_room_is_said_and_the_same_command_finishes(desk: Desk, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "site", MANY)
    error = desk.refused(folder, before=IN_LITTLE_ROOM)
    assert error["code"] == "database_failed"
    assert desk.holds_nothing()
    assert desk.imported(folder)["added"] == len(MANY)


@pytest.mark.parametrize(
    ("name", "code"), [("storage", "storage_not_writable"), ("assetsite.sqlite3", "database_failed")]
)
def test_what_may_not_be_written_to_is_said_and_the_same_command_finishes(
    desk: Desk, tmp_path: Path, as_others: tuple[str, ...], name: str, code: str
) -> None:
    folder = write_files(tmp_path / "site", FIRST)
    place = desk.data / name
    mode = place.stat().st_mode
    place.chmod(mode & ~0o222)
    error = desk.refused(folder, before=as_others)
    assert error["code"] == code
    assert error["next"]
    assert desk.holds_nothing()
    place.chmod(mode)
    assert desk.imported(folder, before=as_others)["added"] == len(FIRST)


def test_what_cannot_be_read_is_named_and_once_it_can_the_same_command_finishes(
    desk: Desk, tmp_path: Path, as_others: tuple[str, ...]
) -> None:
    folder = write_files(tmp_path / "site", {**FIRST, "secret/key": b"", "listed/only": b""})
    modes = {"css/site.css": 0o000, "js/old.js": 0o200, "secret": 0o000, "listed": 0o444}
    for name, mode in modes.items():
        (folder / name).chmod(mode)
    error = desk.refused(folder, before=as_others)
    for name in modes:
        (folder / name).chmod(0o755)
    assert error["code"] == "source_refused"
    assert sorted(fault["name"] for fault in error["faults"]) == [
        "css/site.css",
        "js/old.js",
        "listed/only",
        "secret",
    ]
    assert {fault["reason"] for fault in error["faults"]} == {"cannot be read: Permission denied"}
    assert desk.holds_nothing()
    assert desk.imported(folder, before=as_others)["added"] == len(FIRST) + 2


def test_any_name_can_be_told_of_in_any_locale(desk: Desk, tmp_path: Path) -> None:
    names = [b"caf\xe9.html", "cafe\u0301.css".encode(), b"line\nbreak.js", b"red\x1b[31m"]
    folder = write_files(tmp_path / "site", {os.fsdecode(name): b"" for name in names})
    plain = desk.import_folder(folder, before=("env", "LC_ALL=C", "PYTHONUTF8=0", "PYTHONCOERCECLOCALE=0"))
    assert (plain.returncode, plain.stdout) == (1, "")
    shown = {"caf\\xe9.html", "cafe\\u0301.css", "line\\nbreak.js", "red\\x1b[31m"}
    assert shown <= {line.strip() for line in plain.stderr.splitlines()}
    assert {fault["name"] for fault in desk.refused(folder)["faults"]} == shown


def test_people_get_the_first_names_and_programs_all(desk: Desk, tmp_path: Path) -> None:
    names = [f"{number:02}\\.css" for number in range(NAMED_FAULTS + 3)]
    folder = write_files(tmp_path / "site", dict.fromkeys(names, b""))
    done = desk.import_folder(folder)
    assert "and 3 more" in done.stderr
    assert done.stderr.count("\\.css") == NAMED_FAULTS
    assert [fault["name"] for fault in desk.refused(folder)["faults"]] == names


def test_a_source_without_a_title_is_a_command_that_makes_no_sense(desk: Desk, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "site", FIRST)
    done = desk.run(PROJECT / "manage.py", "import", folder, "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--title" in done.stderr
    assert desk.run(PROJECT / "manage.py", "import").returncode == 2
