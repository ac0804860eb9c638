import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from assetsite.launch import lock
from assetsite.launch.exceptions import CannotStart
from assetsite.launch.lock import take_lock


def test_a_lock_says_who_has_it(tmp_path: Path) -> None:
    file = tmp_path / "run.lock"
    handle = take_lock(file)
    assert file.read_text() == f"{os.getpid()}\n"
    os.close(handle)


def test_a_second_start_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    handle = take_lock(tmp_path / "run.lock")
    with pytest.raises(CannotStart, match=rf"running on {tmp_path} already \(process {os.getpid()}\)"):
        take_lock(tmp_path / "run.lock")
    os.close(handle)


def test_a_lock_is_free_again_when_its_process_has_ended(tmp_path: Path) -> None:
    file = tmp_path / "run.lock"
    take = "from pathlib import Path; from assetsite.launch.lock import take_lock; take_lock(Path({!r}))"
    subprocess.run([sys.executable, "-c", take.format(str(file))], check=True, cwd=settings.BASE_DIR)
    os.close(take_lock(file))
    assert file.read_text() == f"{os.getpid()}\n"


def test_what_is_left_of_a_killed_site_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "run.lock"
    handle = take_lock(file)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    file.write_text(f"{gone.pid}\n")  # as if the process that started the site had been killed
    rest = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, pass_fds=(handle,)
    )
    os.close(handle)
    assert rest.stdin
    rest.stdin.close()
    os.close(take_lock(file))
    rest.wait()


def test_a_rest_that_does_not_end_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_REST_SECONDS", 0.0)
    file = tmp_path / "run.lock"
    handle = take_lock(file)
    file.write_text("nobody\n")
    with pytest.raises(CannotStart, match=r"already\. Stop it with `kill PID`"):
        take_lock(file)
    os.close(handle)


def test_a_process_of_somebody_else_is_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_process: int, _number: int) -> None:
        raise PermissionError

    handle = take_lock(tmp_path / "run.lock")
    monkeypatch.setattr(os, "kill", refuse)
    with pytest.raises(CannotStart):
        take_lock(tmp_path / "run.lock")
    os.close(handle)
