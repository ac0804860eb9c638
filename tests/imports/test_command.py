"""`scripts/manage import`: what people read, what programs get, and how it ends."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command, load_command_class
from django.db import OperationalError
from django.test.utils import override_settings

from apps.accounts.models import User
from apps.imports import services
from apps.releases.models import Channel, Release
from tests.imports.conftest import FIRST, Import, write_files

Capture = pytest.CaptureFixture[str]
pytestmark = pytest.mark.usefixtures("production")


def run_json(*words: object) -> None:
    call_command("import", *map(str, words), "--json")


def document(capsys: Capture, *words: object) -> Any:
    """Import with --json; return the document that standard output has, alone."""
    capsys.readouterr()
    run_json(*words)
    return json.loads(capsys.readouterr().out)


def refusal(capsys: Capture, *words: object) -> Any:
    with pytest.raises(SystemExit) as stop:
        run_json(*words)
    assert stop.value.code == 1
    return json.loads(capsys.readouterr().out)["error"]


def told(capsys: Capture, *words: object) -> str:
    """Import for people; return what standard output says."""
    capsys.readouterr()
    call_command("import", *map(str, words))
    return capsys.readouterr().out


def test_an_import_is_one_document(capsys: Capture, live: Release, second_folder: Path) -> None:
    made = document(capsys, second_folder, "--title", "Spring")
    number = made["release"]
    assert made == {
        "release": number,
        "state": "draft",
        "added": 1,
        "changed": 1,
        "removed": 1,
        "unchanged": 1,
        "refused": [],
    }
    again = document(capsys, second_folder, "--title", "Spring")
    assert again == {**made, "added": 0, "changed": 0, "removed": 0, "unchanged": 3}


def test_what_is_live_is_reported_with_its_state(capsys: Capture, live: Release, first_folder: Path) -> None:
    report = document(capsys, first_folder, "--title", "First")
    assert (report["release"], report["state"], report["unchanged"]) == (live.pk, "published", 3)


def test_a_dry_run_reports_no_release(capsys: Capture, live: Release, second_folder: Path) -> None:
    report = document(capsys, second_folder, "--dry-run")
    assert (report["release"], report["state"], report["added"]) == (None, None, 1)


@pytest.mark.parametrize(
    ("words", "removed"),
    [
        ((), 2),
        (("--mirror",), 2),
        (("--no-mirror",), 0),
        (("--prefix", "js"), 0),
        (("--prefix", "js", "--mirror"), 1),
        (("--prefix", "js", "--no-mirror"), 0),
    ],
)
def test_the_whole_site_is_mirrored_by_default_and_a_prefix_is_not(
    capsys: Capture, live: Release, source: Path, words: tuple[str, ...], removed: int
) -> None:
    write_files(source, {"index.html": FIRST["index.html"], "x": b"x"})
    assert document(capsys, source, "--dry-run", *words)["removed"] == removed


@override_settings(STAFF_URL="https://staff.example.com")
def test_people_read_what_was_made_and_what_to_do_next(
    capsys: Capture, live: Release, second_folder: Path
) -> None:
    write_files(second_folder, {".git/config": b"", ".DS_Store": b"", "img/.DS_Store": b""})
    out = told(capsys, second_folder, "--title", "Spring")
    number = live.pk + 1
    assert out.splitlines() == [
        "Passed over: .DS_Store (2 times), .git.",
        f"Release {number} “Spring” is a draft for production:",
        "  added             1",
        "  changed           1",
        "  removed           1",
        "  unchanged         1",
        f"Look at it: https://staff.example.com/admin/releases/release/{number}/change/",
        f"Say what it is for: scripts/manage release edit {number} --expected-result … --rollback-note …",
        f"Then hand it in: scripts/manage release submit {number}",
    ]


def test_people_read_that_nothing_was_changed(
    capsys: Capture, live: Release, first_folder: Path, second_folder: Path
) -> None:
    out = told(capsys, first_folder, "--title", "Again")
    assert out == f"Release {live.pk} is live and serves exactly this; nothing was changed.\n"
    told(capsys, second_folder, "--title", "Spring")
    out = told(capsys, second_folder, "--title", "Spring")
    assert out.startswith(
        f"Release {live.pk + 1} already holds exactly these changes; nothing was changed.\n"
    )


def test_people_read_what_a_dry_run_would_do(
    capsys: Capture, live: Release, first_folder: Path, second_folder: Path
) -> None:
    assert told(capsys, second_folder, "--dry-run").splitlines()[0] == (
        "Would make a release for production. Nothing was written."
    )
    assert told(capsys, first_folder, "--dry-run") == (
        "production serves exactly this already; no release would be made.\n"
    )


def test_the_next_step_is_what_the_release_still_needs(
    capsys: Capture, import_folder: Import, second_folder: Path, live: Release, editor: User
) -> None:
    release = import_folder(second_folder).release
    assert release
    Release.objects.filter(pk=release.pk).update(expected_result="A", rollback_note="B")
    out = told(capsys, second_folder, "--title", "Spring")
    assert "release edit" not in out
    assert f"release submit {release.pk}" in out
    call_command("release", "submit", str(release.pk), "--as", "eva")
    out = told(capsys, second_folder, "--title", "Spring")
    assert f"/admin/releases/release/{release.pk}/change/" in out
    assert "release submit" not in out


def test_progress_goes_to_standard_error_unless_told_to_be_quiet(capsys: Capture, first_folder: Path) -> None:
    call_command("import", str(first_folder), "--title", "First")
    assert "Storing 3 files" in capsys.readouterr().err
    write_files(first_folder, {"new": b"new"})
    call_command("import", str(first_folder), "--title", "More", "--verbosity", "0")
    assert capsys.readouterr().err == ""


def test_a_refusal_names_everything_and_ends_with_1(capsys: Capture, source: Path) -> None:
    write_files(source, {f"library/{number:02}": b"" for number in range(30)})
    error = refusal(capsys, source, "--title", "T")
    assert (error["code"], len(error["faults"])) == ("source_refused", 30)
    assert error["message"].endswith("and 10 more (--json names all)")
    assert "run the same command again" in error["next"]

    with pytest.raises(SystemExit) as stop:
        call_command("import", str(source), "--title", "T")
    assert stop.value.code == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "library/00" in captured.err
    assert "→ Mend them all." in captured.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--channel", "nowhere"), "unknown_channel"),
        (("--as", "nobody"), "unknown_user"),
        (("--as", "vera"), "forbidden"),
        (("--prefix", "-"), "source_refused"),
    ],
)
def test_what_cannot_be_done_ends_with_1_and_its_code(
    capsys: Capture, first_folder: Path, viewer: User, words: tuple[str, ...], code: str
) -> None:
    assert refusal(capsys, first_folder, "--title", "T", *words)["code"] == code
    assert not Release.objects.exists()


@pytest.mark.parametrize("words", [(), ("--title", " ")])
def test_a_release_needs_a_title(first_folder: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError) as stop:
        run_json(first_folder, *words)
    assert stop.value.returncode == 2
    assert not Release.objects.exists()


@pytest.mark.parametrize("words", [(), ("folder", "--mirror", "--no-mirror"), ("folder", "--unknown")])
def test_arguments_that_make_no_sense_end_with_2(words: tuple[str, ...]) -> None:
    command: Any = load_command_class("apps.imports", "import")
    command._called_from_command_line = True
    with pytest.raises(SystemExit) as stop:
        command.create_parser("manage.py", "import").parse_args(words)
    assert stop.value.code == 2


def test_a_database_that_fails_is_a_refusal_too(
    capsys: Capture, first_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**options: object) -> object:
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(services, "create_release", fail)
    error = refusal(capsys, first_folder, "--title", "T")
    assert error["code"] == "database_failed"
    assert "database or disk is full" in error["message"]
    assert error["next"]


def test_it_acts_as_who_is_named(
    capsys: Capture, first_folder: Path, editor: User, production: Channel
) -> None:
    number = document(capsys, first_folder, "--title", "T", "--as", "eva")["release"]
    assert Release.objects.get(pk=number).created_by == editor
