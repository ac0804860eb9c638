"""`scripts/run` as a stranger meets it: a first start, a second one, and starts that were cut off."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.site import PROJECT, Site

pytestmark = pytest.mark.acceptance


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(data=tmp_path / "data")


class SiteWithoutPassword(Site):
    """A site that makes the first password by itself."""

    @property
    def environment(self) -> dict[str, str]:
        given = super().environment
        return {name: value for name, value in given.items() if name != "ADMIN_PASSWORD"}


def start(site: Site, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Start a site that is expected to end by itself."""
    return subprocess.run(
        [PROJECT / "scripts/run", *arguments],
        env=site.environment | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def wait_until(is_true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not is_true():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


def test_the_first_start_shows_a_password_and_the_sample_and_the_second_neither_makes_anew(
    tmp_path: Path,
) -> None:
    site = SiteWithoutPassword(data=tmp_path / "data")
    with site.running() as said:
        assert re.search(r"User name +admin\n", said)
        shown = re.search(r"Password +(\S+) +\(shown only now\)", said)
        assert shown
        assert "Importing the sample site" in said
        answer = site.get("/")
        assert answer.status == 200
        assert b"Saltholm Lantern Week" in answer.body
        assert site.get("/no/such/page").status == 404
    with site.running(str(PROJECT / "sample")) as said:
        assert shown[1] not in said
        assert "as set before" in said
        assert "production serves release 1 already, so" in said
        assert "Importing" not in said
        assert "Preparing" not in said
        assert [release["release"] for release in site.manage("release", "list")] == [1]


def test_a_second_site_on_the_same_folder_or_the_same_ports_is_refused(site: Site, tmp_path: Path) -> None:
    with site.running():
        again = start(site)
        assert again.returncode == 1
        assert f"A site is running on {site.data} already (process " in again.stderr
        elsewhere = start(site, DATA_DIR=str(tmp_path / "other"))
        assert elsewhere.returncode == 1
        assert re.search(
            rf"127\.0\.0\.1:{site.public_port} \(PUBLIC_BIND\) is in use by process \d+", elsewhere.stderr
        )
        assert f"127.0.0.1:{site.staff_port} (STAFF_BIND)" in elsewhere.stderr
        assert "→ Stop what listens there" in elsewhere.stderr
        assert not (tmp_path / "other" / "assetsite.sqlite3").exists()


def test_a_stopped_site_leaves_no_process_and_its_ports_free(site: Site) -> None:
    with site.running():
        assert site.process
        group = site.process.pid
    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)
    for port in (site.public_port, site.staff_port):
        with socket.create_server(("127.0.0.1", port)):
            pass


def test_a_site_whose_supervisor_was_killed_starts_again_at_once(site: Site) -> None:
    with site.running():
        assert site.process
        site.process.kill()
        site.process.wait()
        site.process = None
    with site.running() as said:
        assert "Assetsite is running." in said
        assert site.get("/").status == 200


def test_with_the_database_down_a_site_that_was_live_starts_and_serves_visitors(site: Site) -> None:
    with site.running():
        pass
    site.database_url = "postgres://nobody@127.0.0.1:1/gone"
    with site.running() as said:
        assert "The database does not answer" in said
        assert site.get("/").status == 200
        ready = json.loads(site.get("/-/readyz").body)
        assert ready["status"] == "ready"
        assert ready["database"].startswith("down")


def test_visitors_of_a_known_site_do_not_wait_for_the_database(site: Site) -> None:
    with site.running():
        pass
    with (
        closing(sqlite3.connect(site.data / "assetsite.sqlite3", isolation_level=None)) as holder,
        (site.data.parent / "said.log").open("w") as output,
    ):
        holder.execute("BEGIN EXCLUSIVE")
        process = subprocess.Popen([PROJECT / "scripts/run"], env=site.environment, stdout=output)
        try:
            wait_until(lambda: _is_served(site), "nobody was served")
            assert process.poll() is None
            assert (site.data.parent / "said.log").read_text() == ""
            holder.execute("ROLLBACK")
            wait_until(lambda: "is running" in Path(output.name).read_text(), "it was never prepared")
        finally:
            process.terminate()
            process.wait()


def _is_served(site: Site) -> bool:
    try:
        return site.get("/").status == 200
    except OSError:
        return False


@pytest.mark.parametrize("moment", ["Preparing", "Importing", "first blob", "Published", "server"])
def test_a_first_start_that_was_killed_is_finished_by_the_next(site: Site, moment: str) -> None:
    log = site.data.parent / "killed.log"
    moments: dict[str, Callable[[], bool]] = {
        "first blob": lambda: any((site.data / "storage").glob("blobs/sha256/*/*/*")),
        "server": (site.data / "storage/channels/production.json").exists,
    }
    is_there = moments.get(moment, lambda: moment in log.read_text())
    with log.open("w") as output:
        killed = subprocess.Popen(
            [PROJECT / "scripts/run"],
            env=site.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        wait_until(lambda: is_there() or killed.poll() is not None, log.read_text())
        os.killpg(killed.pid, signal.SIGKILL)
        assert killed.wait() == -signal.SIGKILL, log.read_text()
    with site.running() as said:
        assert "Assetsite is running." in said
        assert site.get("/").status == 200
        (release,) = site.manage("release", "list")
        assert release["state"] == "published"
        assert site.manage("audit", "verify")["faults"] == []


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"PUBLIC_BIND": "nonsense"}, "'nonsense' is no address to listen on"),
        ({"DATA_DIR": "/dev/null/data"}, "DATA_DIR /dev/null/data cannot be written"),
        ({"ADMIN_PASSWORD": "1234"}, "ADMIN_PASSWORD: This password will not do"),
        ({"DATABASE_URL": "postgres://nobody@127.0.0.1:1/x"}, "The database does not answer"),
    ],
)
def test_an_environment_that_cannot_work_is_explained_in_a_sentence(
    site: Site, environment: dict[str, str], message: str
) -> None:
    done = start(site, **environment)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_imported_names_what_is_wrong_and_the_mended_one_is_published(
    site: Site, tmp_path: Path
) -> None:
    folder = tmp_path / "my-site"
    folder.mkdir()
    empty = start(site, str(folder))
    assert empty.returncode == 1
    assert str(folder) in empty.stderr
    (folder / "index.html").write_text("<title>Mended</title>")
    with site.running(str(folder)):
        assert b"Mended" in site.get("/").body
