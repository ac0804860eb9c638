"""`release preview`: what it does and says, for people and for programs."""

import io
import json
from typing import Any

import pytest
from django.contrib.auth.hashers import check_password
from django.core.management import CommandError, call_command

from apps.accounts.models import User
from apps.releases.models import Release
from apps.releases.selectors.previews import address_of, open_previews_of
from apps.releases.services import review
from apps.releases.services.previews import open_preview

PASSWORD = "open sesame and so on"


def run(*words: object) -> str:
    output = io.StringIO()
    call_command("release", *map(str, words), stdout=output, stderr=output)
    return output.getvalue()


def as_json(*words: object) -> Any:
    output = io.StringIO()
    call_command("release", *map(str, words), "--json", stdout=output)
    return json.loads(output.getvalue())


def refusal(*words: object) -> Any:
    output = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("release", *map(str, words), "--json", stdout=output)
    return json.loads(output.getvalue())["error"]


def test_it_makes_a_preview_and_says_where(
    spring: Release, editor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))

    made = as_json(
        "preview", spring.pk, "--expires", "12h", "--banner", "--password-from-stdin", "--as", "eva"
    )

    preview = spring.previews.get()
    assert made == {
        "preview": preview.pk,
        "release": spring.pk,
        "url": address_of(preview),
        "digest": f"sha256:{preview.manifest_id}",
        "draft": True,
        "built_at": made["built_at"],
        "changes_since": 0,
        "expires_at": preview.expires_at.isoformat(),
        "banner": True,
        "password": True,
        "made_by": "eva",
        "open": True,
    }
    assert check_password(PASSWORD, preview.password)
    assert round((preview.expires_at - preview.created_at).total_seconds() / 3600) == 12


def test_show_names_the_preview_of_what_is_in_review(spring: Release, editor: User) -> None:
    assert as_json("show", spring.pk)["preview_url"] is None
    review.submit(release=spring, actor=editor)
    address = address_of(spring.previews.get())

    assert as_json("show", spring.pk)["preview_url"] == address
    assert f"Preview: {address}" in run("show", spring.pk)
    assert address in run("preview", spring.pk, "--list")


def test_it_says_the_address_to_people(spring: Release, editor: User) -> None:
    said = run("preview", spring.pk, "--as", "eva")

    assert said.startswith(f"{address_of(spring.previews.get())}\n  Release {spring.pk}, digest ")
    assert "made by eva" in said


def test_it_refreshes_and_revokes_all_that_are_open(spring: Release, editor: User) -> None:
    assert run("preview", spring.pk, "--list") == "No preview is open.\n"
    assert refusal("preview", spring.pk, "--revoke")["code"] == "preview_over"
    for _ in range(2):
        open_preview(release=spring, actor=editor)

    assert [each["open"] for each in as_json("preview", spring.pk, "--refresh", "--as", "eva")] == [
        True,
        True,
    ]
    assert [each["open"] for each in as_json("preview", spring.pk, "--revoke", "--as", "eva")] == [
        False,
        False,
    ]
    assert not open_previews_of(spring).exists()


def test_a_candidates_is_not_refreshed(spring: Release, editor: User) -> None:
    review.submit(release=spring, actor=editor)

    assert refusal("preview", spring.pk, "--refresh", "--as", "eva") == {
        "code": "preview_over",
        "message": f"Release {spring.pk} has no preview of a draft that is open.",
        "next": f"`scripts/manage release preview {spring.pk}` makes one.",
    }


def test_revoking_is_all_or_nothing_of_what_one_may(spring: Release, editor: User, manager: User) -> None:
    open_preview(release=spring, actor=manager)
    open_preview(release=spring, actor=editor)

    assert refusal("preview", spring.pk, "--revoke", "--as", "eva")["code"] == "forbidden"
    assert open_previews_of(spring).count() == 2


@pytest.mark.parametrize(
    "words", [("--expires", "soon"), ("--expires", "7"), ("--list", "--revoke"), ("--revoke", "--banner")]
)
def test_arguments_that_make_no_sense_are_refused(spring: Release, words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run("preview", spring.pk, *words)
    assert not spring.previews.exists()


@pytest.mark.parametrize("time", ["0m", "91d", "999999d"])
def test_times_that_no_preview_has_are_refused(spring: Release, time: str) -> None:
    assert refusal("preview", spring.pk, "--expires", time)["code"] == "wrong_expiry"
