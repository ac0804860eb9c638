"""The report: everything of a release on one page, the same each time, and harmless whatever people typed."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from markdown_it import MarkdownIt
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import User
from apps.releases.models import Release
from apps.releases.release_report import as_json, as_markdown, report_of
from apps.releases.release_report.documents import written
from apps.releases.release_report.parts import RedirectLine
from apps.releases.selectors import release_numbered
from apps.releases.services import conversation, publishing
from tests.releases.conftest import MakeRelease, put
from tests.staff import staff_client
from tests.tampering import without_guards

HOSTILE = "<script>alert(1)</script> **b** [x](javascript:alert(1)) | `c`"


@pytest.fixture
def released(approved: Release, manager: User) -> Release:
    """Release 2: approved by ben, published, and rolled back."""
    conversation.comment(release=approved, text="Bluer?", path="css/site.css", actor=manager)
    publishing.publish(release=approved, actor=manager)
    publishing.roll_back(channel=approved.channel, reason="The checkout is broken", actor=manager)
    return release_numbered(approved.pk)


def names(report: object, part: str) -> dict[str, str]:
    return {field.name: field.words for field in getattr(report, part)}


def test_a_report_has_all_that_is_known(released: Release, editor: User) -> None:
    report = report_of(released)
    assert (report.release, report.title, report.state) == (released.pk, "Spring", "superseded")
    assert names(report, "brief")["Expected result"] == "The hero is lighter."
    assert names(report, "brief")["Owner"] == "eva"
    assert names(report, "assumptions")["Base"].startswith(f"release {released.base_id}, digest ")
    assert "version 1" in names(report, "assumptions")["Cache rules"]
    assert [(line.kind, line.path) for line in report.changes] == [
        ("changed", "css/site.css"), ("added", "img/new.svg"), ("removed", "js/old.js")
    ]  # fmt: skip
    assert [(line.approver, line.holds) for line in report.approvals] == [("ben", True)]
    checks = {line.name: line.is_good for line in report.checks}
    assert checks["Findings of the build"] is None
    assert "references were not looked at" in [line.words for line in report.checks]
    assert checks["Examples of cache rules"]
    (said,) = report.comments
    assert (said.author, said.deed, said.path, said.words) == ("ben", "said", "css/site.css", "Bluer?")
    (publication,) = report.publications
    assert publication.tag == released.publications.get().tag
    assert (publication.deed, publication.fault) == ("Published by ben", "")
    assert publication.seal == released.publications.get().seal.hash
    assert names(report, "metrics")["Response time"] == "not measured"
    assert names(report, "metrics")["Paths"] == "3"
    assert report.entries[0].words.startswith("Made release")
    commands = {line.purpose: line.command for line in report.commands}
    assert commands["Verify the history"] == "scripts/manage release verify --channel production"
    assert commands["Serve it again"] == (
        "scripts/manage release rollback --channel production --to 2 --reason WHY"
    )


def test_a_report_of_what_is_live_says_how_to_undo_it(live: Release) -> None:
    commands = {line.purpose: line.command for line in report_of(live).commands}
    assert commands["Undo it"] == "scripts/manage release rollback --channel production --reason WHY"
    assert "Serve it again" not in commands


def test_a_release_that_was_live_twice_has_two_seals_that_hold(released: Release, manager: User) -> None:
    publishing.roll_back(channel=released.channel, reason="It was the network", to=2, actor=manager)
    lines = report_of(release_numbered(released.pk)).publications
    assert [(line.tag[-2:], line.fault) for line in lines] == [(".2", ""), (".4", "")]


def test_a_report_of_a_draft_says_what_is_missing(production: object, make_release: MakeRelease) -> None:
    draft = make_release(put("a.css", "a"), expected_result="", rollback_note="")
    report = report_of(draft)
    assert (report.digest, report.publications) == ("", ())
    assert [line.purpose for line in report.commands] == ["Look at it"]
    assert names(report, "metrics")["Paths"] == "not measured"
    assert "Digest: not built" in as_markdown(report)


def test_two_reports_are_equal(released: Release) -> None:
    assert report_of(released) == report_of(release_numbered(released.pk))
    for form in ("html", "markdown", "json"):
        assert written(report_of(released), form) == written(report_of(released), form)


def test_long_lists_are_cut_and_counted(
    live: Release, make_release: MakeRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.releases.release_report.gathering.CHANGES_LISTED", 2)
    draft = make_release(*(put(f"{number}.css", str(number)) for number in range(5)))
    report = report_of(draft)
    assert (report.change_count, len(report.changes), report.unnamed) == (5, 2, 3)
    assert "- and 3 more" in as_markdown(report)


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.add(tag)


@pytest.fixture
def hostile(released: Release, editor: User) -> Release:
    with without_guards("releases_release"):
        Release.objects.filter(pk=released.pk).update(
            title=HOSTILE, expected_result=f"{HOSTILE}\n# heading", rollback_note=HOSTILE, route=HOSTILE
        )
    return release_numbered(released.pk)


def test_what_people_typed_does_nothing_in_html(hostile: Release) -> None:
    text = written(report_of(hostile), "html")
    assert "script" not in Tags(text).found
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_what_people_typed_does_nothing_in_markdown(hostile: Release) -> None:
    text = as_markdown(report_of(hostile))
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    kinds = {child.type for token in tokens for child in token.children or []}
    assert kinds <= {
        "text", "text_special", "softbreak", "code_inline", "strong_open", "strong_close"
    }  # fmt: skip
    headings = [
        tokens[place + 1].content for place, token in enumerate(tokens) if token.type == "heading_open"
    ]
    assert len(headings) == 11
    assert not [token for token in tokens if token.type in ("html_block", "table_open", "code_block")]


def test_the_markdown_has_each_part(released: Release) -> None:
    text = as_markdown(report_of(released))
    assert re.findall("^## (.*)$", text, re.MULTILINE) == [
        "Brief", "What it was built on", "Changes: +1 \\~1 \N{MINUS SIGN}1", "Approvals",
        "Conversation", "Checks", "Publications", "Measured", "What was done", "Commands",
    ]  # fmt: skip
    assert "```sh\nscripts/manage release show" in text
    assert "- \\~ `css/site.css` (16 → 17 bytes)" in text


def test_the_command_prints_each_format(released: Release, capsys: pytest.CaptureFixture[str]) -> None:
    number = str(released.pk)
    call_command("release", "report", number)
    assert capsys.readouterr().out == as_markdown(report_of(released))
    call_command("release", "report", number, "--format", "html")
    assert capsys.readouterr().out.startswith("<!doctype html>")
    call_command("release", "report", number, "--format", "json")
    plain = json.loads(capsys.readouterr().out)
    assert plain["digest"] == plain["approvals"][0]["digest"] == f"sha256:{released.manifest_id}"
    call_command("release", "report", number, "--json")
    assert (
        json.loads(capsys.readouterr().out) == plain == json.loads(json.dumps(as_json(report_of(released))))
    )


def test_the_page_shows_it_and_gives_it_as_a_file(released: Release, viewer: User) -> None:
    client: Client = staff_client(viewer)
    url = f"/admin/releases/release/{released.pk}/report/"
    page = client.get(url).content.decode()
    assert "Report on release" in page
    assert released.publications.get().tag in page
    answer = client.get(url, {"format": "markdown"})
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="release-{released.pk}.md"'
    assert answer.content.decode() == as_markdown(report_of(released))
    assert client.get(url, {"format": "json"}).json()["title"] == "Spring"
    assert client.get(url, {"format": "nonsense"}).status_code == 200


def test_a_report_takes_the_same_queries_however_much_there_is(
    released: Release, manager: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with CaptureQueriesContext(connection) as before:
        report_of(Release.objects.get(pk=released.pk))
    for number in (2, 1, 2):
        publishing.roll_back(channel=released.channel, reason="To and fro", to=number, actor=manager)
    conversation.comment(release=released, text="Again?", actor=manager)
    with django_assert_num_queries(len(before)):
        assert len(report_of(Release.objects.get(pk=released.pk)).publications) == 3


def test_redirects_and_marks_are_in_the_markdown(released: Release) -> None:
    report = report_of(released)
    text = as_markdown(
        replace(
            report,
            redirects=(RedirectLine("/old", "/new", 308), RedirectLine("/gone", "", None)),
            publications=(
                replace(report.publications[0], emergency="ann asked", freeze="*Sunday*", reason="*Now*"),
            ),
        )
    )
    assert "- ↪ `/old` leads to `/new` (308)\n- ↪ `/gone` leads nowhere\n" in text
    assert (
        "**Emergency, without the approvals that it needed: ann asked.** **In a freeze: \\*Sunday\\*.**\n"
        "  Reason: \\*Now\\*\n" in text
    )
