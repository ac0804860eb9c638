"""`rule export`: which rules it writes, and where to."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from apps.accounts.models import User
from apps.caching.headers import cache_control
from apps.caching.importing.headers_file import rules_of_headers_file
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
    unwritable = refusal("nginx", "--output", tmp_path)
    assert "cannot be written" in unwritable["message"]
    assert unwritable["next"] == "Name another file."


def test_a_headers_file_says_of_each_path_what_its_release_does(
    spring: Release, administrator: User, tmp_path: Path
) -> None:
    assert refusal("_headers", "--release", spring.pk)["code"] == "manifest_missing"
    written = export("_headers")
    blocks = dict(block.split("\n", 1) for block in re.split(r"\n(?=/)", written)[1:])
    assert list(blocks) == ["/css/site.css", "/index.html", "/", "/js/old.js"]
    assert blocks["/index.html"] == blocks["/"]
    assert blocks["/css/site.css"].splitlines() == [
        "  cache-control: public, max-age=300, stale-while-revalidate=60, stale-if-error=86400",
        "  x-content-type-options: nosniff",
    ]
    assert "# 1. Pages (pages, version 1), owned by ann" in written
    assert export("_headers", "--release", 1) == written
    assert json.loads(export("_headers", "--json"))["text"] == written
    export("_headers", "--output", tmp_path / "_headers")
    assert (tmp_path / "_headers").read_text() == written


def test_a_headers_file_comes_back_as_the_rules_that_it_was_made_with(spring: Release) -> None:
    imported = rules_of_headers_file(export("_headers"), taken=())
    shown = {rule.content.match.paths[0]: cache_control(rule.content.policy) for rule in imported}
    assert shown["js/old.js"] == "public, max-age=300, stale-while-revalidate=60, stale-if-error=86400"
    assert shown["index.html"] == "public, max-age=0, must-revalidate"


def test_before_the_first_publication_there_are_no_headers(production: object) -> None:
    assert "production serves nothing yet" in refusal("_headers")["message"]
