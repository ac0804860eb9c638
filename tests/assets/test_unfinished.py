"""Unfinished files: those of a dead process are removed, those of a living one are not."""

import subprocess
import sys

from apps.assets import store


def unfinished_of(process: int) -> str:
    folder = store.temporary_folder()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{store.TEMPORARY_PREFIX}{process}-abc"
    file.write_bytes(b"half")
    return file.name


def test_an_import_that_runs_during_a_start_keeps_its_files() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        name = unfinished_of(other.pid)
        assert store.remove_unfinished() == []
        other.communicate(b"\n")
    assert [file.name for file in store.remove_unfinished()] == [name]


def test_a_temporary_file_is_named_after_its_process() -> None:
    with store.temporary_file() as file:
        assert file.exists()
        assert [left.name for left in store.remove_unfinished()] == [file.name], "its own are left-overs"
