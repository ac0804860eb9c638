"""Files and tags at the command line: the same selectors and services as the pages, in text and in JSON."""

import json
from io import BytesIO, StringIO, TextIOWrapper
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.models import User
from apps.assets.models import AssetTag, Tagging
from apps.assets.services import ensure_assets
from tests.assets.conftest import AddFile

pytestmark = pytest.mark.django_db

SHIPS = "Nothing has changed for visitors yet: a release ships it with its cache rules."


@pytest.fixture(autouse=True)
def _files(administrator: User, editor: User, add_file: AddFile) -> None:
    add_file("css/site.css", b"old")
    add_file("css/site.css", b"newer")
    add_file("img/hero.png", b"not a picture")
    ensure_assets(["img/icons/gone.png"])


def asset(*words: str) -> str:
    out = StringIO()
    call_command("asset", *words, "--as", "eva", stdout=out)
    return out.getvalue()


def asset_json(*words: str) -> Any:
    return json.loads(asset(*words, "--json"))


def refused(*words: str, as_user: str = "eva") -> dict[str, str]:
    """Return the refusal as JSON; the same in words says no less."""
    out, err = StringIO(), StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("asset", *words, "--as", as_user, "--json", stdout=out)
    assert end.value.code == 1
    with pytest.raises(SystemExit):
        call_command("asset", *words, "--as", as_user, stdout=StringIO(), stderr=err)
    error: dict[str, str] = json.loads(out.getvalue())["error"]
    assert error["message"] in err.getvalue()
    assert error["next"] in err.getvalue()
    return error


def makes_no_sense(*words: str) -> str:
    with pytest.raises(CommandError) as error:
        asset(*words)
    assert error.value.returncode == 2
    return str(error.value)


def tags() -> dict[str, list[str]]:
    return {row["path"]: row["tags"] for row in asset_json("list")["assets"]}


def test_files_are_tagged_and_the_way_back_is_named() -> None:
    said = asset("tag", "css/site.css", "/img/hero.png", "--add", "Summer sale", "--add", "hero")
    number = Tagging.objects.get().pk
    assert said.splitlines() == [
        "The tags hero and summer-sale were given to 2 files.",
        f"{SHIPS} `scripts/manage asset undo {number}` takes it back.",
    ]
    assert tags()["img/hero.png"] == ["hero", "summer-sale"]

    assert "were taken from 2 files" in asset("undo", str(number))
    assert set(map(tuple, tags().values())) == {()}


def test_each_answer_is_a_document_too() -> None:
    done = asset_json("tag", "css/site.css", "--add", "sale", "--reason", "The banner.")
    number = Tagging.objects.get().pk
    assert done == {"tagging": number, "given": {"sale": 1}, "taken": {}}
    assert asset_json("tag", "css/site.css", "--add", "sale") == {"tagging": None, "given": {}, "taken": {}}
    (row,) = asset_json("tags")["tags"]
    assert row["changed"].pop("at")
    assert row == {
        "tag": "sale",
        "files": 1,
        "changed": {"tagging": number, "by": "eva", "reason": "The banner."},
    }
    undone = asset_json("undo", str(number))
    assert undone == {"tagging": number + 1, "undoes": number, "given": {}, "taken": {"sale": 1}}


def test_a_file_shows_its_versions_and_who_tagged_it_when_and_why() -> None:
    asset("tag", "css/site.css", "--add", "sale", "--reason", "The banner.")
    asset("tag", "css/site.css", "--add", "hero", "--remove", "sale")
    shown = asset_json("show", "css/site.css")
    assert (shown["path"], shown["tags"]) == ("css/site.css", ["hero"])
    assert [version["size_bytes"] for version in shown["versions"]] == [5, 3]
    assert [(row["tag"], row["given"]["reason"], bool(row["taken"])) for row in shown["history"]] == [
        ("hero", "", False),
        ("sale", "The banner.", True),
    ]
    said = asset("show", "/css/site.css")
    assert "Tags: hero\n" in said
    assert "by eva, tagging 1: The banner." in said.replace(str(Tagging.objects.last().pk), "1")  # type: ignore[union-attr]
    assert "sale was taken away " in said
    assert "5 bytes, text/css" in said
    assert len(asset_json("show", "css/site.css", "--limit", "1")["versions"]) == 1


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], ["css/site.css", "img/hero.png", "img/icons/gone.png"]),
        (["--below", "img"], ["img/hero.png", "img/icons/gone.png"]),
        (["--below", "/img/icons/"], ["img/icons/gone.png"]),
        (["--below", "im"], []),
        (["--below", "/"], ["css/site.css", "img/hero.png", "img/icons/gone.png"]),
        (["--tag", "sale"], ["css/site.css", "img/hero.png"]),
        (["--tag", "sale", "--below", "img"], ["img/hero.png"]),
        (["--tag", "none"], []),
        (["--tag", "<b>"], []),
    ],
)
def test_files_are_listed_by_folder_and_by_tag(words: list[str], found: list[str]) -> None:
    asset("tag", "css/site.css", "img/hero.png", "--add", "sale")
    answer = asset_json("list", *words)
    assert [row["path"] for row in answer["assets"]] == found
    assert answer["found"] == len(found)
    said = asset("list", *words)
    assert all(path in said for path in found)
    assert found or said.startswith(("There is no file below im/.", "No file carries "))


def test_a_long_list_says_how_much_longer_it_is() -> None:
    assert "1 of 3. --limit 3 shows all." in asset("list", "--limit", "1")
    assert asset_json("list", "--limit", "1")["found"] == 3


def test_a_folder_or_a_tag_stands_for_its_files() -> None:
    assert asset_json("tag", "--below", "img", "--add", "sale")["given"] == {"sale": 2}
    renamed = asset_json("tag", "--tagged", "sale", "--add", "offer", "--remove", "sale")
    assert (renamed["given"], renamed["taken"]) == ({"offer": 2}, {"sale": 2})
    error = refused("tag", "--tagged", "sale", "--below", "img", "--add", "x")
    assert error["message"] == "No file below img/ carries sale."


def test_paths_are_read_from_what_is_piped_in(monkeypatch: pytest.MonkeyPatch) -> None:
    piped = TextIOWrapper(BytesIO(b"css/site.css\r\n\n/img/hero.png\n"))
    monkeypatch.setattr("sys.stdin", piped)
    assert asset_json("tag", "-", "--add", "sale")["given"] == {"sale": 2}
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"caf\xe9.css\n")))
    assert "no UTF-8" in makes_no_sense("tag", "-", "--add", "sale")


def test_it_can_be_tried_before() -> None:
    said = asset("tag", "--below", "/", "--add", "sale", "--dry-run")
    assert said == "The tag sale would be given to 3 files. Nothing was done (--dry-run).\n"
    tried = asset_json("tag", "css/site.css", "--add", "sale", "--dry-run")
    assert tried == {"tagging": None, "is_dry_run": True, "given": {"sale": 1}, "taken": {}}
    assert not Tagging.objects.exists()
    assert refused("tag", "css/site.css", "--add", "ä", "--dry-run")["code"] == "wrong_tag"


def test_what_is_refused_says_what_to_do() -> None:
    near = refused("tag", "css/site.css", "img/heor.png", "--add", "sale")
    assert (near["code"], near["next"]) == ("unknown_path", "Near it: img/hero.png, img/icons/gone.png.")
    assert refused("show", "css/stie.css")["next"] == "Near it: css/site.css."
    assert "summer-sale" in refused("tag", "css/site.css", "--add", "süß")["next"]
    assert refused("undo", "99")["code"] == "unknown_tagging"
    assert refused("tag", "css/site.css", "--add", "sale", as_user="vera")["code"] == "unknown_user"
    assert not AssetTag.objects.exists()


def test_who_may_not_is_refused(viewer: User) -> None:
    for words in (
        ("tag", "css/site.css", "--add", "sale"),
        ("tag", "css/site.css", "--add", "x", "--dry-run"),
    ):
        assert refused(*words, as_user="vera")["code"] == "forbidden"
    number = str(asset_json("tag", "css/site.css", "--add", "sale")["tagging"])
    assert refused("undo", number, as_user="vera")["code"] == "forbidden"


def test_what_makes_no_sense_is_no_refusal() -> None:
    assert "--add summer-sale" in makes_no_sense("tag", "css/site.css")
    assert "Say which files" in makes_no_sense("tag", "--add", "sale")


def test_where_there_is_nothing_yet_it_says_how_to_begin() -> None:
    assert asset("tags").startswith("No tag yet: `scripts/manage asset tag PATH --add summer-sale`")
    assert "Nothing changes" in asset("tag", "css/site.css", "--remove", "sale")


def test_a_tag_that_no_file_carries_any_more_is_still_listed() -> None:
    asset("tag", "css/site.css", "--add", "sale")
    asset("tag", "css/site.css", "--remove", "sale")
    assert "no file now" in asset("tags")
