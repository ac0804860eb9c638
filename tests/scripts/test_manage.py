"""`manage.py` as a program among others."""

import subprocess
import sys

from tests.acceptance.site import PROJECT


def test_who_reads_no_further_is_no_error() -> None:
    command = subprocess.Popen(
        [sys.executable, PROJECT / "manage.py", "diffsettings", "--all"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert command.stdout
    assert command.stderr
    command.stdout.close()
    assert command.stderr.read() == ""
    assert command.wait() == 1
    command.stderr.close()
