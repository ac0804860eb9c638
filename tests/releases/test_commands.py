import json
from typing import Any

import pytest
from django.core.management import call_command

from apps.accounts.models import User
from apps.releases.models import Release
from apps.releases.selectors import live_publication
from tests.releases.conftest import MakeRelease, put

Capture = pytest.CaptureFixture[str]


def run(capsys: Capture, *words: object) -> Any:
    """Run a command with --json; return the document that it printed, alone, on standard output."""
    capsys.readouterr()
    try:
        call_command(*map(str, words), "--json")
    finally:
        run.output = capsys.readouterr().out  # type: ignore[attr-defined]
    return json.loads(run.output)  # type: ignore[attr-defined]


def refused(capsys: Capture, *words: object) -> dict[str, str]:
    with pytest.raises(SystemExit) as stop:
        run(capsys, *words)
    assert stop.value.code == 1
    return json.loads(run.output)["error"]  # type: ignore[attr-defined,no-any-return]


def test_a_release_goes_live_and_back_by_command(
    spring: Release, live: Release, editor: User, manager: User, capsys: Capture
) -> None:
    edited = run(capsys, "release", "edit", spring.pk, "--rollback-note", "Tell everyone.", "--as", "eva")
    assert edited["rollback_note"] == "Tell everyone."
    assert run(capsys, "release", "submit", spring.pk, "--as", "eva")["state"] == "in_review"
    digest = run(capsys, "release", "show", spring.pk)["digest"]
    approved = run(capsys, "release", "approve", spring.pk, "--digest", digest, "--as", "ben")
    assert [(a["approver"], a["digest"], a["holds"]) for a in approved["approvals"]] == [
        ("ben", digest, True)
    ]

    published = run(capsys, "release", "publish", spring.pk, "--channel", "production", "--as", "ben")
    assert published == {
        "publication": 2,
        "channel": "production",
        "release": spring.pk,
        "digest": digest,
        "kind": "publish",
        "tag": published["tag"],
    }
    assert published["tag"].startswith("production-20")

    back = run(capsys, "release", "rollback", "--reason", "broken", "--as", "ben")
    assert (back["publication"], back["release"], back["kind"]) == (3, live.pk, "rollback")
    channel = run(capsys, "channel", "show", "production")
    assert channel["live"]["digest"] == f"sha256:{live.manifest_id}"
    assert [(line["publication"], line["actor"], line["reason"]) for line in channel["history"]] == [
        (3, "ben", "broken"),
        (2, "ben", ""),
        (1, "ben", ""),
    ]


def test_a_release_is_shown_with_its_counts(spring: Release, live: Release, capsys: Capture) -> None:
    shown = run(capsys, "release", "show", spring.pk)
    assert (shown["release"], shown["state"], shown["digest"], shown["base"]) == (
        spring.pk,
        "draft",
        None,
        live.pk,
    )
    assert (shown["added"], shown["changed"], shown["removed"]) == (1, 1, 1)
    assert (shown["checks"], shown["preview_url"], shown["approvals"]) == ([], None, [])


def test_people_read_the_same_in_words(spring: Release, administrator: User, capsys: Capture) -> None:
    call_command("release", "show", str(spring.pk))
    call_command("release", "list")
    call_command("channel", "list")
    call_command("channel", "show", "production")
    out = capsys.readouterr().out
    assert f"Release {spring.pk} · Spring" in out
    assert "1 added, 1 changed, 1 removed" in out
    assert "1 approval(s) required" in out
    assert "publish by ben" in out


def test_the_list_can_be_narrowed(spring: Release, live: Release, capsys: Capture) -> None:
    assert [row["release"] for row in run(capsys, "release", "list")] == [spring.pk, live.pk]
    assert [row["release"] for row in run(capsys, "release", "list", "--state", "draft")] == [spring.pk]
    assert run(capsys, "release", "list", "--limit", "0") == []


def test_a_diff_lists_what_two_releases_serve_differently(
    approved: Release, live: Release, capsys: Capture
) -> None:
    rows = run(capsys, "release", "diff", live.pk, approved.pk)
    assert [(row["path"], row["kind"]) for row in rows] == [
        ("css/site.css", "changed"),
        ("img/new.svg", "added"),
        ("js/old.js", "removed"),
    ]
    call_command("release", "diff", str(live.pk), str(live.pk))
    assert "serve the same" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("release", "show", 999), "unknown_release"),
        (("channel", "show", "nowhere"), "unknown_channel"),
        (("release", "edit", 999, "--owner", "nobody"), "unknown_user"),
        (("release", "rollback", "--reason", "x", "--as", "eva"), "forbidden"),
        (("release", "rollback", "--reason", "x", "--to", "9"), "unknown_publication"),
        (("release", "rollback", "--reason", " "), "reason_missing"),
        (("channel", "set", "production", "--required-approvals", "7"), "wrong_approvals"),
    ],
)
def test_a_refusal_is_one_document_with_a_next_step(
    live: Release, administrator: User, capsys: Capture, words: tuple[object, ...], code: str
) -> None:
    error = refused(capsys, *words)
    assert error["code"] == code
    assert error["message"]
    assert error["next"]


def test_states_are_left_by_command_too(
    make_release: MakeRelease, live: Release, manager: User, capsys: Capture
) -> None:
    number = make_release(put("a.css", "a")).pk
    run(capsys, "release", "submit", number, "--as", "eva")
    rejected = run(capsys, "release", "reject", number, "--reason", "Not now", "--as", "ben")
    assert rejected["state"] == "rejected"
    assert run(capsys, "release", "reopen", number, "--as", "eva")["state"] == "draft"
    assert run(capsys, "release", "withdraw", number, "--as", "eva")["state"] == "withdrawn"
    assert refused(capsys, "release", "publish", number, "--as", "ben")["code"] == "wrong_state"
    other = refused(capsys, "release", "publish", number, "--channel", "staging", "--as", "ben")
    assert other["code"] == "wrong_channel"
    (row,) = run(capsys, "release", "diff", live.pk, number, "--as", "ben")
    assert (row["path"], row["kind"]) == ("a.css", "added")


def test_a_team_of_one_sets_the_approvals_to_none(
    spring: Release, administrator: User, capsys: Capture
) -> None:
    channel = run(capsys, "channel", "set", "production", "--required-approvals", 0)
    assert channel["required_approvals"] == 0
    run(capsys, "release", "submit", spring.pk)
    assert run(capsys, "release", "publish", spring.pk)["publication"] == 2
    publication = live_publication(spring.channel)
    assert publication
    assert publication.actor == administrator
