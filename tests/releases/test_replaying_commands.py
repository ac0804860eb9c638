"""Conflicts, rebase, revert, promote, combine and split as people and scripts type them."""

from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.models import User
from apps.releases.models import Channel, Release
from tests.releases.conftest import MakeRelease, Publish, put
from tests.releases.test_commands import Capture, refused, run
from tests.releases.test_promoting import Stage, stage, staging  # noqa: F401 - fixtures
from tests.releases.test_rebasing import TEXT, changes_of, text_of


def said(capsys: Capture, *words: object) -> str:
    """Run a command as people do; return what it says."""
    capsys.readouterr()
    call_command(*map(str, words))
    return capsys.readouterr().out


@pytest.fixture
def behind(
    live: Release, publish: Publish, make_release: MakeRelease, production: Channel
) -> tuple[Release, Release]:
    """Return a draft whose channel has moved, and what is live: one path clashes, one merges by itself."""
    publish(put("notes.txt", TEXT))
    draft = make_release(
        put("css/site.css", "a { color: blue }"),
        put("notes.txt", TEXT.replace("line 1", "ours")),
        put("mine.txt", "mine"),
    )
    now = publish(put("css/site.css", "b {}"), put("notes.txt", TEXT.replace("line 8", "theirs")))
    return draft, now


def test_conflicts_are_listed_with_what_becomes_of_each(
    behind: tuple[Release, Release], capsys: Capture
) -> None:
    draft, _ = behind
    document = run(capsys, "release", "conflicts", draft.pk)

    assert document == {
        "release": draft.pk,
        "behind": True,
        "kept": 1,
        "already_live": 0,
        "conflicts": [
            {
                "name": "css/site.css",
                "kind": "file",
                "clash": "both_changed",
                "state": "open",
                "choice": None,
                "text": True,
            },
            {
                "name": "notes.txt",
                "kind": "file",
                "clash": "both_changed",
                "state": "merges",
                "choice": None,
                "text": True,
            },
        ],
    }
    words = said(capsys, "release", "conflicts", draft.pk)
    assert "1 changes do not clash, 0 are live already, 2 were changed in both." in words
    assert "css/site.css: changed in both; to be decided" in words
    assert "notes.txt: changed in both; lines do not clash: merged by itself" in words


def test_a_release_is_rebased_with_decisions(
    behind: tuple[Release, Release], tmp_path: Path, capsys: Capture
) -> None:
    draft, now = behind
    error = refused(capsys, "release", "rebase", draft.pk)
    assert error["code"] == "conflicts_open"
    assert "--merged PATH=FILE" in error["next"]
    merged = tmp_path / "merged.css"
    merged.write_text("merged {}")

    rebased = run(capsys, "release", "rebase", draft.pk, "--merged", f"css/site.css={merged}")

    assert (rebased["base"], rebased["state"]) == (now.pk, "draft")
    assert text_of(draft, "css/site.css") == "merged {}"
    assert "was begun on what production serves now" in said(capsys, "release", "conflicts", draft.pk)


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (["--ours", "css/site.css"], True),
        (["--theirs", "css/site.css"], False),
        (["--all-ours"], True),
        (["--all-theirs"], False),
    ],
)
def test_a_side_is_chosen_for_one_or_for_all(
    behind: tuple[Release, Release], capsys: Capture, words: list[str], left: bool
) -> None:
    draft, _ = behind
    assert f"Release {draft.pk} is a draft on release" in said(capsys, "release", "rebase", draft.pk, *words)
    assert ("css/site.css" in changes_of(draft)) == left


@pytest.mark.parametrize(
    "words",
    [
        ["rebase", "{draft}", "--ours", "a", "--theirs", "a"],
        ["rebase", "{draft}", "--merged", "a"],
        ["rebase", "{draft}", "--merged", "a=/nowhere/at/all"],
        ["rebase", "{draft}", "--all-ours", "--all-theirs"],
        ["combine", "{draft}", "--take", "a=b"],
    ],
)
def test_arguments_that_make_no_sense_end_with_two(behind: tuple[Release, Release], words: list[str]) -> None:
    typed = [word.format(draft=behind[0].pk) for word in words]
    with pytest.raises(CommandError) as error:
        call_command("release", *typed)
    assert error.value.returncode in (1, 2)


def test_a_release_is_reverted_and_says_what_it_is(live: Release, publish: Publish, capsys: Capture) -> None:
    second = publish(put("css/site.css", "b {}"), put("new.txt", "new"))

    draft = run(capsys, "release", "revert", second.pk, "--as", "eva")

    assert (draft["state"], draft["removed"], draft["changed"]) == ("draft", 1, 1)
    assert draft["origins"] == [{"kind": "revert", "release": second.pk}]
    assert f"It reverts release {second.pk}" in said(capsys, "release", "show", draft["release"])


def test_a_revert_that_clashes_names_the_command_that_lists_it(
    live: Release, publish: Publish, capsys: Capture
) -> None:
    second = publish(put("css/site.css", "b {}"))
    publish(put("css/site.css", "c {}"))
    words = said(capsys, "release", "revert", second.pk)
    number = Release.objects.order_by("-pk")[0].pk
    assert f"`scripts/manage release conflicts {number}`" in words


def test_what_staging_serves_is_promoted(
    live: Release,
    stage: Stage,  # noqa: F811
    staging: Channel,  # noqa: F811
    capsys: Capture,
) -> None:
    staged = stage(put("new.txt", "new"))
    digest = f"sha256:{staged.manifest_id}"

    stale = refused(capsys, "release", "promote", "--digest", "sha256:" + "0" * 64)
    assert stale["code"] == "stale_digest"
    words = ["release", "promote", "--from", "staging", "--to", "production", "--digest", digest]
    release = run(capsys, *words)

    assert (release["promotes"], release["channel"]) == (digest, "production")
    assert run(capsys, "release", "submit", release["release"])["digest"] == digest
    assert refused(capsys, "release", "promote", "--to", "staging")["code"] == "nothing_to_promote"


def test_drafts_are_combined_and_split(
    spring: Release, make_release: MakeRelease, tmp_path: Path, capsys: Capture
) -> None:
    other = make_release(put("css/site.css", "b {}"), put("js/old.js", "2"), put("o.txt", "o"))
    merged = tmp_path / "old.js"
    merged.write_text("merged")
    words: list[Any] = ["release", "combine", spring.pk, other.pk, "--title", "Both"]
    assert refused(capsys, *words)["code"] == "conflicts_open"

    made = run(capsys, *words, "--take", f"css/site.css={other.pk}", "--merged", f"js/old.js={merged}")
    assert (made["title"], made["added"], made["changed"]) == ("Both", 2, 2)
    rest = run(capsys, *words, "--rest", spring.pk)
    assert rest["removed"] == 1

    part = run(capsys, "release", "split", made["release"], "css/site.css", "--title", "Styles")
    assert (part["title"], part["changed"], part["added"]) == ("Styles", 1, 0)
    assert part["origins"] == [{"kind": "split", "release": made["release"]}]
    second = run(capsys, "release", "split", made["release"], "--below", "img", "--kind", "added")
    assert second["added"] == 1
    assert refused(capsys, "release", "split", made["release"])["code"] == "cannot_split"


def test_who_may_not_is_told_who_may(spring: Release, viewer: User, capsys: Capture) -> None:
    for words in (
        ["rebase", spring.pk],
        ["revert", spring.pk],
        ["promote"],
        ["combine", spring.pk, spring.pk],
        ["split", spring.pk, "css/site.css"],
    ):
        assert refused(capsys, "release", *words, "--as", "vera")["code"] == "forbidden"
