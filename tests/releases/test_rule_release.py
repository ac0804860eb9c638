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
from apps.caching.services import choose_combination
from apps.releases.comparing.rules import RuleChange, RulesDifference
from apps.releases.models import Release


def called(*words: str) -> Any:
    output = StringIO()
    call_command("rule", *words, "--json", stdout=output, stderr=StringIO())
    return json.loads(output.getvalue())


def test_a_release_of_rules_alone_is_made(live: Release, manager: User) -> None:
    choose_combination(combination=Combination.MERGE, reason="Two teams.", actor=manager)
    made = Release.objects.get(pk=called("release", "--title", "Merged")["release"])
    assert (made.title, made.channel, made.rule_combination) == ("Merged", live.channel, Combination.MERGE)
    assert not made.changes.exists()


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
