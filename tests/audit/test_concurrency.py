"""Processes that write at the same moment, each with a connection of its own, on a database in a file."""

import json
import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings

WRITE = """
import django
django.setup()
from apps.audit.services import record
for n in range(10):
    record(actor=None, action="test.write", target="thing", summary=f"Wrote {n}.")
"""


def test_entries_written_by_several_processes_make_one_chain(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'log.sqlite3'}",
        "DJANGO_SETTINGS_MODULE": "assetsite.settings",
    }

    def python(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=settings.BASE_DIR,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )

    assert python("manage.py", "migrate", "--verbosity", "0").wait() == 0
    writers = [python("-c", WRITE) for _ in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    verified, _ = python("manage.py", "audit", "verify", "--json").communicate()
    document = json.loads(verified)
    assert document["faults"] == []
    assert document["entries"] == 30
