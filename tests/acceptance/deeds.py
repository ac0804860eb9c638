"""What the processes of a story do that is no command: prepare, recover, and die at one instant."""

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management import ManagementUtility
from django.utils import timezone

from apps.accounts.selectors import acting_user
from apps.jobs.services import requeue_abandoned
from apps.releases.models import Receipt
from apps.releases.purging.services import begin
from apps.releases.selectors import release_numbered
from apps.releases.services import verifying
from apps.releases.services.scheduling import schedule
from assetsite.launch.first_release import publish_first_release
from assetsite.launch.preparation import prepare, recover


def manage(*words: str) -> None:
    """Run a management command, as manage.py does, without looking at the program itself again."""
    name, *others = words
    ManagementUtility(["manage.py", name, "--skip-checks", *others]).execute()


def prepare_site(folder: str) -> None:
    """Make a site with what lies in a folder as release 1, live."""
    publish_first_release(Path(folder), actor=prepare(print), say=print)


def recover_site() -> None:
    """Do what the next start does; print what it says it recovered, as JSON."""
    print(json.dumps(recover()))


def schedule_an_hour_ago(release: int) -> None:
    """Have a release published half an hour ago, by somebody who said so when that was to come."""
    real = timezone.now
    timezone.now = lambda: real() - timedelta(hours=1)
    half_past = timezone.now() + timedelta(minutes=30)
    actor = acting_user(None)
    schedule(release=release_numbered(release), publish_at=half_past, zone=ZoneInfo("UTC"), actor=actor)


def begin_purges(publication: int) -> None:
    """Hand over to a worker what the caches in front have to forget after a publication."""
    receipt = Receipt.objects.get(publication__sequence=publication)
    verifying._list_urls(receipt)
    begin(receipt)


def work(minutes_later: int = 0) -> None:
    """Take back what dead workers left, so much later, and do what is queued; say first who does it."""
    real = timezone.now
    timezone.now = lambda: real() + timedelta(minutes=minutes_later)
    (Path(settings.DATA_DIR) / "worker.pid").write_text(str(os.getpid()))
    requeue_abandoned()
    manage("work", "--until-empty")


def die_in(target: str, when: str, *words: str) -> None:
    """Run a management command that is killed before or after one function is called."""
    kill_in(target, when)
    manage(*words)


def on_a_disk_of_its_own(kind: str, *words: str) -> None:
    """Run a command while storage takes nothing, `full` or `read-only`; then give room, and start again.

    Prints, as JSON, the pointer that storage had meanwhile, and what the start recovered. Exit status 77
    where no disk can be mounted.
    """
    storage = Path(settings.DATA_DIR) / "storage"
    _mount_a_copy(storage)
    filler = storage / "filler"
    if kind == "full":
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
    else:
        subprocess.run(["/bin/mount", "-o", "remount,ro", str(storage)], check=True)
    manage(*words)
    pointer = json.loads((storage / "channels/production.json").read_text())
    if kind == "full":
        filler.unlink()
    else:
        subprocess.run(["/bin/mount", "-o", "remount,rw", str(storage)], check=True)
    print(json.dumps([pointer, recover()]))


def _mount_a_copy(folder: Path) -> None:
    """Put a small disk with a folder's content in its place, for this process alone."""
    kept = folder.with_name("kept")
    shutil.copytree(folder, kept)
    try:
        os.unshare(os.CLONE_NEWNS | (os.CLONE_NEWUSER if os.getuid() else 0))
        subprocess.run(["/bin/mount", "--make-rprivate", "/"], check=True)
        subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)], check=True)
    except (OSError, subprocess.CalledProcessError):
        sys.exit(77)
    shutil.copytree(kept, folder, dirs_exist_ok=True)


def kill_in(target: str, when: str) -> None:
    """Have this process killed before or after the next call of a function."""
    module, name = target.rsplit(".", 1)
    place = importlib.import_module(module)
    real = getattr(place, name)

    def killing(*args: Any, **kwargs: Any) -> None:
        if when == "after":
            real(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(place, name, killing)
