"""A process that has loaded the program once, and does each thing in a child of its own.

A child has memory, connections and a death of its own, as a process that was started anew has, and is there
in a few milliseconds. Nothing has opened a database or a storage before it is split off.
"""

import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from dataclasses import asdict, dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any, cast

import django
from django.apps import apps
from django.conf import settings
from django.core.files.storage import storages
from django.db import connections
from django.utils.functional import empty

PROJECT = Path(__file__).resolve().parents[2]

type Deed = Callable[..., object]
"""A function of a module that imports neither pytest nor the database at once; its arguments are JSON."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a deed: an exit status, negative for a signal, and what was printed."""

    returncode: int
    stdout: str
    stderr: str


def do(deed: Deed, *arguments: object, environment: dict[str, str], is_kept: bool = False) -> Done:
    """Do something in a process of its own, whose environment this is.

    With `is_kept` in the process that children are split off from: what it has learnt by that they know.
    """
    process = _loaded()
    assert process.stdin
    assert process.stdout
    named = f"{deed.__module__}:{deed.__name__}"
    job = {"deed": named, "arguments": arguments, "environment": environment, "is_kept": is_kept}
    try:
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        return Done(**json.loads(process.stdout.readline()))
    except BaseException:
        # Whoever stops waiting leaves an answer that the next one who asks would take for their own.
        _loaded.cache_clear()
        os.killpg(process.pid, signal.SIGKILL)
        raise


@cache
def _loaded() -> subprocess.Popen[str]:
    """Start the process that is asked from now on; it ends when its standard input does."""
    return subprocess.Popen(
        [sys.executable, "-m", __name__],
        cwd=PROJECT,
        env=os.environ
        | {"DJANGO_SETTINGS_MODULE": "assetsite.settings", "LOG_LEVEL": "ERROR", "ADMIN_PASSWORD": ""},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
    )


def serve() -> None:
    """Do what each line of standard input asks for, one after another, and say what came of it."""
    _load()
    for line in sys.stdin:
        job = json.loads(line)
        print(json.dumps(asdict(_do_here(job) if job["is_kept"] else _do_in_child(job))), flush=True)


def _do_here(job: dict[str, Any]) -> Done:
    with redirect_stdout(StringIO()) as out:
        _do(job)
    connections.close_all()
    return Done(0, out.getvalue(), "")


def _do_in_child(job: dict[str, Any]) -> Done:
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        child = os.fork()
        if not child:
            _redirect(out.fileno(), err.fileno())
            _do(job)
            sys.exit()  # as every program ends, with what is to be done then
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said = [(stream.seek(0), stream.read())[1] for stream in (out, err)]
    return Done(status, *said)


def _load() -> None:
    """Import what the children would import each for itself."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"DATA_DIR": folder}
        os.environ.pop("DATABASE_URL", None)
        django.setup()
        for app in [config.name for config in apps.get_app_configs() if config.name.startswith("apps.")]:
            _import_all(f"{app}.management.commands")
            _import_all(f"{app}.migrations")
        for name in ("tests.acceptance.deeds", "tests.acceptance.crowds", "tests.acceptance.instants"):
            importlib.import_module(name)


def _import_all(package: str) -> None:
    with suppress(ModuleNotFoundError):
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            importlib.import_module(f"{package}.{module.name}")


def _redirect(out: int, err: int) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (out, 1), (err, 2)):
        os.dup2(source, target)


def _do(job: dict[str, Any]) -> None:
    module, name = job["deed"].split(":")
    _live_in(job["environment"])
    deed = cast("Deed", getattr(importlib.import_module(module), name))
    deed(*job["arguments"])


def _live_in(environment: dict[str, str]) -> None:
    """Let the program read another environment than the one that it was loaded with."""
    os.environ.clear()
    os.environ.update(environment)
    sys.modules.pop("assetsite.settings")
    settings._wrapped = empty
    for handler, names in ((connections, ("settings",)), (storages, ("backends",))):
        for name in names:
            handler.__dict__.pop(name, None)
    connections._settings = None  # type: ignore[attr-defined]
    del connections["default"]
    storages._backends, storages._storages = None, {}  # type: ignore[attr-defined]
    # Read now: settings are loaded by whoever asks first, and threads that all ask first find them half set.
    assert settings.DATABASES


if __name__ == "__main__":
    serve()
