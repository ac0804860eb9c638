"""Commands of a site, each in a process of its own that has imported the program already.

A story types dozens of commands, and each would import Django anew: so one process imports it, and makes a
copy of itself for each command. `scripts/manage` itself is run by `tests/scripts/test_documents.py`.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

_SERVER = """
import json, os, sys, tempfile

import django
from django.core.management import execute_from_command_line, get_commands, load_command_class

django.setup()
for name, app in get_commands().items():
    if app.startswith("apps."):
        load_command_class(app, name)


def run(words, output, errors):
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output.fileno(), 1)
    os.dup2(errors.fileno(), 2)
    try:
        execute_from_command_line(["manage.py", *words])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        import traceback
        traceback.print_exc()
        return 1
    return 0


for line in sys.stdin:
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        child = os.fork()
        if not child:
            sys.exit(run(json.loads(line), output, errors))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said = []
        for file in (output, errors):
            file.seek(0)
            said.append(file.read().decode())
    print(json.dumps([status, *said]), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


class Commands:
    """Runs commands in the environment that it was made with; two at once are two processes."""

    def __init__(self, environment: Mapping[str, str], project: Path) -> None:
        self._lock, self._environment, self._project = Lock(), environment, project
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVER],
            cwd=project,
            env={**environment, "DJANGO_SETTINGS_MODULE": "assetsite.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, words: Sequence[str]) -> Done:
        """Run a command as it would be typed after `scripts/manage`."""
        if not self._lock.acquire(blocking=False):
            return run_script(words, self._environment, self._project)
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin
        assert stdout
        try:
            print(json.dumps(list(words)), file=stdin, flush=True)
            status, output, errors = json.loads(stdout.readline())
        finally:
            self._lock.release()
        return Done(status, output, errors)

    def close(self) -> None:
        """End the process that imported the program."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def run_script(words: Sequence[str], environment: Mapping[str, str], project: Path) -> Done:
    """Run a command with `scripts/manage`, as a person does."""
    done = subprocess.run(
        [project / "scripts/manage", *words], env=environment, capture_output=True, text=True, check=False
    )
    return Done(done.returncode, done.stdout, done.stderr)
