"""`rule import`: drafts out of a file and out of a site that runs, all of them or none."""

import io
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.core.management import call_command

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.caching.models import CacheRule
from apps.caching.selectors import current_versions, newest_versions
from apps.releases.models import Release


def run(*words: object) -> Any:
    output = io.StringIO()
    try:
        call_command("rule", "import", *map(str, words), "--json", stdout=output, stderr=io.StringIO())
    except SystemExit:
        return json.loads(output.getvalue())["error"]
    return json.loads(output.getvalue())


class OldSite(BaseHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012 - a handler is made for each request

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(
            {"/css/site.css": 200, "/": 200, "/moved.js": 302, "/none.js": 204}.get(self.path, 404)
        )
        self.send_header("Cache-Control", "max-age=7" if self.path.endswith(".css") else "no-cache")
        self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def old_site() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), OldSite)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    OldSite.asked.clear()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_file_becomes_drafts_that_ship_with_nothing(
    live: Release, administrator: User, editor: User, tmp_path: Path
) -> None:
    shipping = [version.pk for version in current_versions()]
    file = tmp_path / "_headers"
    file.write_text("/fonts/*\n  Cache-Control: public, max-age=31536000, immutable\n/*\n  Link: <a>\n")
    found = run(file, "--dry-run")
    assert (found["is_saved"], [rule["slug"] for rule in found["rules"]]) == (
        False,
        ["imported-fonts", "imported"],
    )
    assert not CacheRule.objects.filter(slug__startswith="imported").exists()

    assert run(file, "--owner", "eva")["is_saved"]
    saved = newest_versions().filter(rule__slug__startswith="imported").order_by("order")
    assert [(each.rule.slug, each.state, each.owner.username) for each in saved] == [
        ("imported-fonts", "draft", "eva"),
        ("imported", "draft", "eva"),
    ]
    assert [version.pk for version in current_versions()] == shipping
    assert AuditEntry.objects.filter(target="cache rule imported-fonts").count() == 1


def test_as_many_as_there_are_come_before_the_rules_of_the_site(
    live: Release, administrator: User, tmp_path: Path
) -> None:
    """With numbers ten apart the last of them would come after the rule that has 100."""
    file = tmp_path / "_headers"
    file.write_text(
        "".join(f"/p{place}/*.html\n  Cache-Control: max-age={place}\n" for place in range(1, 13))
    )
    assert run(file)["is_saved"]
    orders = newest_versions().filter(rule__slug__startswith="imported").values_list("order", flat=True)
    assert (min(orders), max(orders), len(set(orders))) == (1, 89, 12)


def test_a_dry_run_refuses_what_would_be_refused_and_saves_nothing(
    live: Release, administrator: User, tmp_path: Path
) -> None:
    file = tmp_path / "_headers"
    file.write_text(f"/a/*\n  Vary: Origin\n/{'b' * 300}\n  Vary: Origin\n")
    before = CacheRule.objects.count(), AuditEntry.objects.count()
    assert "was not saved" in run(file, "--dry-run")["message"]
    file.write_text("/a/*\n  Vary: Origin\n")
    assert run(file, "--dry-run")["rules"]
    assert (CacheRule.objects.count(), AuditEntry.objects.count()) == before


def test_imported_again_nothing_is_saved_twice(live: Release, administrator: User, tmp_path: Path) -> None:
    file = tmp_path / "_headers"
    file.write_text("/fonts/*\n  Cache-Control: max-age=5\n/new.css\n  Cache-Control: max-age=6\n")
    run(file)
    rules = CacheRule.objects.count()
    assert "The rule imported-" in run(file)["message"]
    assert CacheRule.objects.count() == rules


def test_a_running_site_is_asked_for_the_files_of_a_release(
    live: Release, administrator: User, old_site: str
) -> None:
    found = run(old_site)
    assert sorted(OldSite.asked) == ["/", "/css/site.css", "/js/old.js"]
    policies = {rule["slug"]: rule["policy"]["browser_ttl_seconds"] for rule in found["rules"]}
    assert policies == {"imported-pages": None, "imported-css-files": 7}


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://user:s3cret@127.0.0.1", "it has a name or a password"),
        ("http://127.0.0.1:99999", "its port is none"),
        ("http://127.0.0.1:0", "its port is none"),
        ("http://127.0.0.1/?page=1", "it has a query or a fragment"),
        ("http://127.0.0.1/#top", "it has a query or a fragment"),
        ("http://127.0.0.1/a b", "it has characters that no address has"),
        ("http://127.0.0.1/\u00e9", "it has characters that no address has"),
        ("http://a..b", "does not answer: 'idna' codec"),
        (f"http://{'a' * 64}.example", "does not answer: 'idna' codec"),
    ],
)
def test_an_address_under_which_nothing_can_be_asked_is_refused_without_its_secret(
    live: Release, administrator: User, address: str, why: str
) -> None:
    message = run(address)["message"]
    assert why in message
    assert "s3cret" not in message


def test_a_redirect_is_no_answer_and_is_not_followed(
    live: Release, administrator: User, old_site: str
) -> None:
    errors = io.StringIO()
    call_command(
        "rule", "import", old_site, "--path", "/moved.js", "--path", "css/site.css", "--path", "none.js",
        "--dry-run", "--json", stdout=io.StringIO(), stderr=errors,
    )  # fmt: skip
    assert OldSite.asked == ["/moved.js", "/css/site.css", "/none.js"]
    assert "/moved.js answered 302: left out\n/none.js answered 204: left out\n" in errors.getvalue()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nowhere/_headers",), "nowhere/_headers cannot be read"),
        (("http://127.0.0.1:1", "--path", "/a"), "http://127.0.0.1:1 does not answer"),
        (("ftp://a.example",), "ftp:/a.example cannot be read"),
    ],
)
def test_what_cannot_be_read_is_named(
    words: tuple[str, ...], message: str, live: Release, administrator: User
) -> None:
    error = run(*words)
    assert error["code"] == "cannot_import"
    assert error["message"].startswith(message)
    assert error["next"]


def test_a_line_that_is_none_and_a_file_that_says_nothing(
    live: Release, administrator: User, tmp_path: Path
) -> None:
    file = tmp_path / "_headers"
    file.write_text("/a\n  Cache-Control: no-store\n  oops\n")
    assert "Line 3 has no colon" in run(file)["message"]
    file.write_text("# nothing\n")
    assert "says nothing that a rule could" in run(file)["message"]
    file.write_text("/a\n  oops\n", encoding="utf-8-sig")
    assert "Line 2 has no colon" in run(file)["message"]
    file.write_bytes(b"\xff" * 10)
    assert "cannot be read" in run(file)["message"]
    file.write_bytes(b"#" * (2 << 20))
    assert "is larger than" in run(file)["message"]
    assert not CacheRule.objects.filter(slug__startswith="imported").exists()


def test_before_the_first_publication_it_asks_for_paths(production: object, administrator: User) -> None:
    assert "production serves nothing yet" in run("https://old.example.org")["message"]


def test_a_viewer_may_not(live: Release, viewer: User, tmp_path: Path) -> None:
    file = tmp_path / "_headers"
    file.write_text("/a.css\n  Cache-Control: no-store\n")
    assert run(file, "--as", "vera")["code"] == "forbidden"
