"""`rule`: what the form of a rule does, typed."""

import json
import sys
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from apps.accounts.models import User
from apps.caching.defaults import DEFAULT_RULES
from apps.caching.models import CacheRuleVersion
from apps.caching.rules import Combination, RuleState
from apps.caching.selectors import current_combination, newest_version_of
from apps.caching.serialisation import as_json
from apps.caching.services import add_version, set_state

pytestmark = pytest.mark.usefixtures("shipped")

FONTS: dict[str, Any] = {
    "rule": "fonts",
    "name": "Fonts",
    "order": 150,
    "match": {"extensions": ["woff2"]},
    "policy": {"browser_ttl_seconds": 86_400},
    "examples": [
        {"url": "/fonts/a.woff2", "rule": "fonts", "is_cached": True, "browser_ttl_seconds": 86_400}
    ],
    "expected_result": "Fonts are asked for once a day.",
    "rollback_note": "Go back if a font looks old.",
}


def typed(*words: object) -> str:
    output = StringIO()
    call_command("rule", *map(str, words), stdout=output, stderr=StringIO())
    return output.getvalue()


def said(*words: object) -> Any:
    return json.loads(typed(*words, "--json"))


def failed(*words: object) -> Any:
    output = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("rule", *map(str, words), "--json", stdout=output, stderr=StringIO())
    assert ended.value.code == 1
    found = json.loads(output.getvalue())
    return found.get("error", found)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "fonts.json"


def written(file: Path, **more: object) -> Path:
    file.write_text(json.dumps({**FONTS, **more}))
    return file


def test_the_list_has_each_rule_where_it_is_tried_and_what_comes_of_it(administrator: User) -> None:
    set_state(rule_slug="everything", state=RuleState.DISABLED, reason="Tried.", actor=administrator)
    found = said("list")
    assert found["combination"] == "first"
    assert [(each["rule"], each["place"], each["state"], each["failing"]) for each in found["rules"]] == [
        ("pages", 1, "active", 1),
        ("fingerprinted", 2, "active", 2),
        ("everything", None, "disabled", 0),
    ]
    text = typed("list")
    assert "public, max-age=31536000, immutable  (5 examples, 2 failing)" in text
    assert "Where several rules match a file, the first decides." in text


def test_the_list_counts_one_example_as_one(administrator: User, tmp_path: Path) -> None:
    example = {"url": "/fonts/a.woff2", "rule": "fonts", "is_cached": True}
    typed("save", str(written(tmp_path / "fonts.json", examples=[example])))
    assert "(1 example)" in typed("list")


def test_a_rule_is_shown_with_its_history(administrator: User) -> None:
    set_state(rule_slug="pages", state=RuleState.DISABLED, reason="Pages are old.", actor=administrator)
    text = typed("show", "pages")
    for words in (
        "Pages (pages) · version 2, disabled",
        "Files of type text/html",
        "Cache-Control: public, max-age=0, must-revalidate",
        "Not where: The request is for a preview of a release",
        "No release ships with it",
        "by ann: Pages are old.",
    ):
        assert words in text
    assert "✓ /css/app.3f2a9c.css" in typed("show", "fingerprinted")
    earlier = said("show", "pages", "--version", 1)
    assert (earlier["version"], earlier["state"]) == (1, "active")
    assert "Tried as number" not in typed("show", "pages", "--version", 1)
    assert failed("show", "pages", "--version", 7)["code"] == "unknown_rule"
    assert failed("show", "nope")["code"] == "unknown_rule"
    assert failed("show", "pages", "--version", 0)["code"] == "unknown_rule"


def test_a_rule_that_is_written_becomes_one_and_what_is_shown_can_be_saved_again(file: Path) -> None:
    assert said("save", written(file), "--reason", "Fonts were asked for each time.")["version"] == 1
    newest = newest_version_of("fonts")
    assert (newest.name, newest.reason) == ("Fonts", "Fonts were asked for each time.")

    assert f"Wrote {file}" in typed("show", "fonts", "--output", file)
    said_before = json.loads(file.read_text())
    assert said_before == said("show", "fonts")
    assert "Version 2 of fonts ships with releases begun from now on." in typed("save", file)
    assert said("show", "fonts") == {**said_before, "version": 2}


def test_a_rule_is_read_from_what_is_piped_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(json.dumps(FONTS).encode())))
    assert said("save", "-")["rule"] == "fonts"


def test_the_owner_is_who_the_document_names(file: Path, manager: User, administrator: User) -> None:
    assert said("save", written(file), "--as", manager)["owner"] == manager.username
    assert said("save", written(file, owner=administrator.username))["owner"] == administrator.username
    assert said("save", written(file), "--as", manager)["owner"] == administrator.username
    assert failed("save", written(file, owner="nobody"))["code"] == "unknown_user"


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ({"rule": ""}, "wrong_document", "does not say which rule it is"),
        ({"owner": 7}, "wrong_document", "is no user's name"),
        ({"version": True}, "wrong_document", "is no number"),
        ({"rule": "a\ud800"}, "wrong_document", "does not say which rule it is"),
        ({"owner": "a\0"}, "wrong_document", "is no user's name"),
        ({"description": "a\0"}, "invalid_rule", "description: It has a character that no text has"),
        ({"examples": [FONTS["examples"][0] | {"request_headers": [["X-A", "\udc80"]]}]},
         "invalid_rule", "examples[0].request_headers[0][1]: It has a character that no text has"),
        ({"ordre": 1}, "invalid_rule", "ordre: It is not known"),
        ({"order": "x"}, "invalid_rule", "order: It is not a whole number."),
        ({"name": "pages"}, "invalid_rule", "name: The rule pages has this name."),
        ({"rollback_note": ""}, "invalid_rule", "rollback_note: "),
        ({"policy": {}}, "invalid_rule", "examples[0]: "),
        ({"policy": {"extra_headers": [["X-A", "a\r\nb"]]}}, "invalid_rule", "policy.extra_headers[0]: "),
        ({"rule": "pages", "version": 7}, "version_moved", "since you began with version 7"),
    ],
)  # fmt: skip
def test_what_speaks_against_a_rule_is_said_and_nothing_is_saved(
    file: Path, more: dict[str, object], code: str, words: str
) -> None:
    before = CacheRuleVersion.objects.count()
    found = failed("save", written(file, **more))
    assert found["code"] == code
    assert words in found["message"]
    assert CacheRuleVersion.objects.count() == before


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b" " * 300_000, b"[" * 200_000])
def test_what_is_no_rule_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert failed("save", file)["code"] == "wrong_document"
    assert failed("check", "--file", file)["code"] == "wrong_document"


def test_of_a_file_without_an_end_no_more_is_read_than_a_rule_can_be() -> None:
    assert "is larger than a rule can be" in failed("save", "/dev/zero")["message"]


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert "cannot be read" in failed("save", tmp_path / "none")["message"]
    assert "cannot be written" in failed("show", "pages", "--output", tmp_path)["message"]


def test_check_executes_examples_and_says_what_is_odd(file: Path) -> None:
    assert [(each["rule"], each["ok"]) for each in said("check")["rules"]] == [
        ("pages", True),
        ("fingerprinted", True),
        ("everything", True),
    ]
    typed("save", written(file))
    other = {**FONTS, "rule": "webfonts", "name": "Web fonts", "order": 140}
    other["examples"] = [{**FONTS["examples"][0], "rule": "webfonts"}]
    file.write_text(json.dumps(other))
    printed = typed("save", file)
    assert "! An example of fonts would not hold any more: /fonts/a.woff2" in printed
    assert "→ A release with it does not pass its check. Change those examples, narrow" in printed

    [fonts] = failed("check", "fonts")["rules"]
    assert [(each["kind"], each["other"]) for each in fonts["remarks"]] == [
        ("duplicate", "webfonts"),
        ("contradiction", "webfonts"),
    ]
    assert [(each["url"], each["ok"]) for each in fonts["examples"]] == [("/fonts/a.woff2", False)]
    assert "! `scripts/manage rule check` says what is odd." in typed("list")
    assert "! It never decides: “Web fonts” comes before it" in typed("show", "fonts")
    typed("state", "fonts", "disabled", "--reason", "There is another one.")
    assert "Its examples say nothing." in typed("check", "fonts")


def test_check_says_what_would_come_of_a_file(file: Path) -> None:
    example = {"url": "/css/a.css", "rule": "fonts", "is_cached": True}
    found = said("check", "--file", written(file, match={"folders": ["css"]}, examples=[example]))
    assert (found["rule"], found["version"], found["ok"]) == ("fonts", 1, True)
    assert {each["rule"] for each in found["breaks"]} == {"pages", "fingerprinted", "everything"}
    assert found["breaks"][0]["url"] == "/css/site.css"

    wrong = failed("check", "--file", written(file, policy={"browser_ttl_seconds": 60}))
    assert [fault["field"] for fault in wrong["faults"]] == ["examples[0]"]
    assert wrong["examples"] == [
        {"url": "/fonts/a.woff2", "ok": False, "words": "expected 1 d, is 1 min (rule: fonts)"}
    ]
    assert "fonts" not in [each["rule"] for each in said("list")["rules"]]


def test_a_version_is_brought_back_with_a_reason(administrator: User) -> None:
    content = {**as_json(DEFAULT_RULES["pages"]), "name": "Other"}
    add_version(rule_slug="pages", content=content, actor=administrator)
    assert "Version 3 of pages ships" in typed("restore", "pages", 1, "--reason", "It was right.")
    assert newest_version_of("pages").name == "Pages"
    assert failed("restore", "pages", 1, "--reason", " ")["code"] == "invalid_rule"


def test_a_rule_is_disabled_and_enabled_again() -> None:
    assert "Version 2 of pages disables the rule" in typed("state", "pages", "disabled", "--reason", "Old.")
    text = typed("state", "pages", "draft", "--reason", "Later.")
    assert "Version 3 of pages is a draft: no release ships with it." in text
    assert "`scripts/manage rule restore pages 2 --reason …` takes it back." in text
    assert said("state", "pages", "active", "--reason", "Now.")["state"] == "active"


def test_a_rule_is_moved(file: Path) -> None:
    typed("save", written(file))
    found = said("order", "fonts", "--before", "pages")
    assert [(each["rule"], each["order"]) for each in found["versions"]] == [("fonts", 50)]
    assert "fonts is there already." in typed("order", "fonts", "--before", "pages")
    assert "fonts is tried before fingerprinted" in typed("order", "fonts", "--before", "fingerprinted")
    assert failed("order", "everything", "--before", "pages")["code"] == "invalid_rule"
    assert failed("order", "fonts", "--before", "nope")["code"] == "unknown_rule"


def test_how_rules_combine_is_chosen() -> None:
    assert said("combine", "merge", "--reason", "Two teams.") == {
        "combination": "merge",
        "reason": "Two teams.",
    }
    assert current_combination() is Combination.MERGE
    assert "Where several rules match a file, all are merged." in typed("list")
    assert "the first decides, in releases begun from now on" in typed("combine", "first", "--reason", "x")
    assert failed("combine", "first", "--reason", " ")["code"] == "invalid_rule"


@pytest.mark.parametrize(
    "words",
    [
        ("state", "pages", "disabled", "--reason", "x"),
        ("restore", "pages", 1, "--reason", "x"),
        ("order", "pages", "--last"),
        ("combine", "merge", "--reason", "x"),
    ],
)
def test_editors_may_look_and_not_change(words: tuple[object, ...], editor: User, file: Path) -> None:
    assert failed(*words, "--as", editor)["code"] == "forbidden"
    assert failed("save", written(file), "--as", editor)["code"] == "forbidden"
    assert said("list", "--as", editor)
