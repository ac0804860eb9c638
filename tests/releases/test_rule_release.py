"""`rule release`: the rules of today come to a channel without a change of a file."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.template.loader import render_to_string
from pytest_django.fixtures import Settings

from apps.accounts.models import User
from apps.caching.rules import Combination
from apps.caching.services import add_rule, choose_combination
from apps.releases.comparing.rules import RuleChange, RulesDifference
from apps.releases.models import Release
from tests.staff import staff_client

FONTS = {
    "name": "Fonts",
    "order": 300,
    "match": {"extensions": ["woff2"]},
    "policy": {"browser_ttl_seconds": 86_400},
    "examples": [{"url": "/fonts/a.woff2", "rule": "fonts", "is_cached": True}],
    "expected_result": "Fonts are asked for once a day.",
    "rollback_note": "Disable it.",
}


def called(*words: str) -> Any:
    output = StringIO()
    call_command("rule", *words, "--json", stdout=output, stderr=StringIO())
    return json.loads(output.getvalue())


def test_a_release_of_rules_alone_is_made(live: Release, manager: User) -> None:
    choose_combination(combination=Combination.MERGE, reason="Two teams.", actor=manager)
    made = Release.objects.get(pk=called("release", "--title", "Merged")["release"])
    assert (made.title, made.channel, made.rule_combination) == ("Merged", live.channel, Combination.MERGE)
    assert not made.changes.exists()


def test_the_page_of_a_release_of_rules_leads_to_them(live: Release, manager: User) -> None:
    add_rule(actor=manager, slug="fonts", content=FONTS)
    made = called("release", "--title", "Fonts")["release"]
    page = staff_client(manager).get(f"/admin/releases/release/{made}/change/").text
    assert '<a href="#rules-brought">Cache rules 1</a>' in page
    assert "Import a folder" not in page, "it brings what it is for"


def test_who_may_not_begin_it_reads_who_may(live: Release, manager: User, viewer: User) -> None:
    add_rule(actor=manager, slug="fonts", content=FONTS)
    where = "/admin/releases/release/with-rules/"
    assert "Begin it for production</button>" in staff_client(manager).get(where).text
    page = staff_client(viewer).get(where).text
    assert "Fonts: version 1 applies as well" in page
    assert "Begin it for production</button>" not in page
    assert "may not make a release" in page


def test_without_other_rules_there_is_nothing_to_release(live: Release) -> None:
    output = StringIO()
    with pytest.raises(SystemExit):
        call_command("rule", "release", stderr=output)
    assert "serves with the cache rules of today already" in output.getvalue()
    assert Release.objects.count() == 1


def test_a_page_folds_what_many_rules_bring(settings: Settings) -> None:
    settings.ROOT_URLCONF = settings.STAFF_URLCONF
    changes = tuple(RuleChange(number, f"Rule {number}", None, 1) for number in range(1, 14))
    brought = RulesDifference(changes, None, {})
    for template, context in (
        ("release/rules.html", {"rules_brought": brought}),
        ("parts/folded.html", {"lines": brought.words}),
    ):
        page = render_to_string(f"admin/releases/{template}", context)
        shown, folded = page.split("And 3 more…")
        assert [f"Rule {number}" in shown for number in (1, 10, 11)] == [True, True, False]
        assert "Rule 13" in folded


def test_a_site_without_rules_says_how_the_first_one_is_made(administrator: User) -> None:
    output = StringIO()
    call_command("rule", "list", stdout=output)
    assert "No rule yet: `scripts/manage rule save FILE` makes one." in output.getvalue()
