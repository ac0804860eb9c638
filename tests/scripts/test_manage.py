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


def test_what_no_output_can_write_is_escaped_and_a_closed_input_is_an_empty_one() -> None:
    script = """import manage, sys
manage._take_any_bytes()
print('\\udcff', 'é', repr(sys.stdin.read()), sys.stdin.buffer.read())"""
    said = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" -c "$1" <&-', sys.executable, script],
        cwd=PROJECT,
        env={"PYTHONIOENCODING": "ascii:strict"},
        check=True,
        capture_output=True,
    )
    assert said.stdout == b"\\udcff \\xe9 '' b''\n"
