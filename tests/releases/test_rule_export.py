"""`rule export`: which rules it writes, and where to."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from apps.accounts.models import User
from apps.caching.selectors import content_of, current_versions
from apps.caching.serialisation import as_json
from apps.caching.services import add_version
from apps.releases.models import Release


def export(*words: object) -> str:
    output = io.StringIO()
    call_command("rule", "export", *map(str, words), stdout=output)
    return output.getvalue()


def refusal(*words: object) -> Any:
    output = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("rule", "export", *map(str, words), "--json", stdout=output)
    return json.loads(output.getvalue())["error"]


def test_a_release_has_the_rules_that_it_pins_and_the_others_those_that_ship_now(
    spring: Release, administrator: User
) -> None:
    [pages, *_] = [version for version in current_versions() if version.rule.slug == "pages"]
    content = as_json(content_of(pages)) | {"name": "Pages, once more"}
    add_version(rule_slug="pages", content=content, actor=administrator)
    assert "Pages, once more (pages, version 2)" in export("nginx")
    assert "Pages (pages, version 1)" in export("nginx", "--release", spring.pk)
    assert refusal("nginx", "--release", 404)["code"] == "unknown_release"


def test_it_writes_a_file_for_a_place(spring: Release, tmp_path: Path) -> None:
    file = tmp_path / "a.vcl"
    words = ("varnish", "--origin", "[::1]:81", "--purge-from", "10.0.0.0/8", "--xkey", "--output", file)
    assert export(*words) == f"Wrote {file}.\n"
    text = file.read_text()
    for part in ('.host = "::1"; .port = "81"', '"10.0.0.0"/8;', "import xkey;", "xkey.purge("):
        assert part in text
    assert json.loads(export("nginx", "--json"))["text"] == export("nginx")
    assert refusal("nginx", "--origin", "a b")["code"] == "cannot_export"
    assert "cannot be written" in refusal("nginx", "--output", tmp_path)["message"]
