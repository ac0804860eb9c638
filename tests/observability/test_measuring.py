"""What was measured of a rule, version by version: on its page and by command."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.caching.defaults import DEFAULT_RULES
from apps.caching.models import CacheRule
from apps.caching.serialisation import as_json
from apps.caching.services import add_version
from apps.observability.measuring import measured
from apps.observability.models import RuleCount
from apps.releases.models import Channel, Drift
from apps.releases.services import publishing
from apps.releases.services.making_channels import create_channel as make_channel
from tests.releases.clock import Clock, stopped_clock
from tests.releases.conftest import (  # noqa: F401 - fixtures
    Publish,
    make_release,
    production,
    publish,
    put,
)
from tests.staff import staff_client


@pytest.fixture
def clock() -> Iterator[Clock]:
    with stopped_clock() as clock:
        yield clock


def asked(version: int, at: datetime, requests: int, **numbers: int) -> None:
    RuleCount.objects.create(
        rule="everything", version=version, channel="production", publication=version, began_at=at,
        requests=requests, **numbers,
    )  # fmt: skip


def page(user: User) -> str:
    rule = CacheRule.objects.get(slug="everything")
    text: str = staff_client(user).get(f"/admin/caching/cacherule/{rule.pk}/change/").text
    return " ".join(text.partition('id="rule-measured"')[2].partition("</section>")[0].split())


def command(slug: str = "everything") -> tuple[str, Any]:
    words, document = StringIO(), StringIO()
    call_command("rule", "measured", slug, stdout=words)
    call_command("rule", "measured", slug, "--json", stdout=document)
    return words.getvalue(), json.loads(document.getvalue())


@pytest.fixture
def two_versions(publish: Publish, clock: Clock, administrator: User) -> Channel:  # noqa: F811
    """Version 1 live for two days, then version 2 for one; both were asked for something."""
    first = publish(put("a.css", "a {}"))
    begun = clock.now
    clock.forward(days=2)
    content = as_json(DEFAULT_RULES["everything"])
    add_version(rule_slug="everything", actor=administrator, content=content)
    publish(put("a.css", "b {}"))
    clock.forward(days=1)
    asked(1, begun, 4_000, body_bytes=8_000_000, not_modified=400)
    asked(2, begun + timedelta(days=2), 1_000, body_bytes=1_000_000, not_modified=500, errors=3)
    return first.channel


def test_each_version_has_what_it_was_asked_for_and_how_long_it_was_live(
    two_versions: Channel, manager: User, clock: Clock
) -> None:
    words, document = command()
    (channel,) = document["channels"]
    newest, before = channel["versions"]
    assert (newest["version"], newest["requests"], newest["until"], newest["counted_seconds"]) == (
        2,
        1_000,
        None,
        86_400,
    )
    assert (before["counted_seconds"], before["requests_a_day"], before["bytes_a_day"]) == (
        2 * 86_400,
        2_000,
        4_000_000,
    )
    assert (newest["not_modified_share"], newest["errors"], before["until"]) == (0.5, 3, newest["since"])
    compared = (
        "Version 2 after version 1: a day 1,000 requests after 2,000 (-50\N{NO-BREAK SPACE}%), 1.0 MB after"
        " 4.0 MB (-75\N{NO-BREAK SPACE}%); answered with 304: 50\N{NO-BREAK SPACE}% after"
        " 10\N{NO-BREAK SPACE}%."
    )
    assert channel["before_and_after"] == compared
    assert compared in words
    assert (
        "version 1, live since 2030-11-30 until 2030-12-02: 4,000 requests (2,000 a day), 8.0 MB, 304 10"
        in words
    )
    shown = page(manager)
    assert " ".join(compared.split()) in shown
    assert '<td data-label="Requests">4,000</td> <td data-label="A day">2,000</td>' in shown


def test_a_roll_back_gives_time_back_to_the_version_before(
    two_versions: Channel, manager: User, clock: Clock
) -> None:
    publishing.roll_back(channel=two_versions, actor=manager, reason="It costs more.")
    clock.forward(days=3)
    newest, before = command()[1]["channels"][0]["versions"]
    assert (newest["counted_seconds"], before["counted_seconds"]) == (86_400, 5 * 86_400)
    assert newest["until"]
    assert before["until"] is None


def test_of_less_than_an_hour_nothing_is_said_of_a_day(
    publish: Publish,  # noqa: F811
    clock: Clock,
    manager: User,
    administrator: User,
) -> None:
    publish(put("a.css", "a {}"))
    asked(1, clock.now, 5)
    clock.forward(days=1)
    add_version(rule_slug="everything", actor=administrator, content=as_json(DEFAULT_RULES["everything"]))
    publish(put("a.css", "b {}"))
    clock.forward(minutes=59)
    words, document = command()
    assert document["channels"][0]["before_and_after"] == "Too early to compare version 2 with version 1."
    assert "0 requests (too early), 0 bytes, 304 \N{EN DASH}" in words
    assert '<td data-label="A day">too early</td>' in page(manager)


def test_days_on_which_nothing_was_counted_yet_are_no_days_without_visitors(
    publish: Publish,  # noqa: F811
    clock: Clock,
) -> None:
    publish(put("a.css", "a {}"))
    clock.forward(days=10)
    asked(1, clock.now, 100)
    clock.forward(days=1)
    (version,) = command()[1]["channels"][0]["versions"]
    assert (version["requests_a_day"], version["since"][:10]) == (100, "2030-11-30")


def test_a_version_that_only_old_names_lead_to_was_not_live(
    publish: Publish,  # noqa: F811
    clock: Clock,
    manager: User,
) -> None:
    publish(put("a.css", "a {}"))
    asked(7, clock.now, 5)
    words, document = command()
    assert document["channels"][0]["versions"][0]["since"] is None
    assert "version 7, only under names of earlier publications: 5 requests (too early)" in words
    assert "only under names of earlier publications" in page(manager)


def test_where_there_is_nothing_it_says_why(publish: Publish, production: Channel, manager: User) -> None:  # noqa: F811
    words = "No channel serves a release with it, or has since requests are counted: publish one."
    assert command() == (f"{words}\n", {"rule": "everything", "why_nothing": words, "channels": []})
    assert words in page(manager)
    publish(put("a.css", "a {}"))
    assert "Nobody has asked for anything under it yet: version 1 on production." in page(manager)


def test_what_caches_said_is_shown_with_its_date(
    publish: Publish,  # noqa: F811
    production: Channel,  # noqa: F811
    clock: Clock,
    manager: User,
) -> None:
    publish(put("a.css", "a {}"))
    look = {
        "channel": production,
        "url": "https://www.example.com",
        "asked": 4,
        "words": "",
        "outcome": "right",
    }
    drift = Drift.objects.create(began_at=clock.now, looked_at=clock.now, **look)
    assert command()[1]["channels"][0]["hits"] is None
    for said, hit, told in (
        (3, 2, "asked for 3 addresses, a cache had a copy of 2"),
        (0, 0, "asked for 4 addresses, no cache said what it did"),
    ):
        drift.caches = {"everything": {"asked": 4, "said": said, "hit": hit}}
        drift.save()
        words, document = command()
        assert document["channels"][0]["hits"]["hit"] == hit
        assert f"At https://www.example.com, 2030-11-30 12:00: {told}." in words
        assert told in page(manager)


def test_many_channels_take_as_many_queries_as_one(
    two_versions: Channel, administrator: User, clock: Clock
) -> None:
    rule = CacheRule.objects.get(slug="everything")

    def queries_of_all() -> int:
        for each in Channel.objects.all():
            look = {
                "channel": each,
                "url": "https://a.example",
                "outcome": "right",
                "asked": 1,
                "words": "1.",
            }
            Drift.objects.create(began_at=clock.now, looked_at=clock.now, **look)
        with CaptureQueriesContext(connection) as queries:
            assert [each.channel for each in measured(rule).channels] == ["production"]
        return len(queries)

    few = queries_of_all()
    for number in range(3):
        make_channel(name=f"other-{number}", hosts=[f"other-{number}.example"], actor=administrator)
    assert queries_of_all() == few


def test_a_rule_that_is_not_there_is_named(production: Channel) -> None:  # noqa: F811
    output = StringIO()
    with pytest.raises(SystemExit):
        call_command("rule", "measured", "never-was", "--json", stdout=output, stderr=StringIO())
    assert "never-was" in json.loads(output.getvalue())["error"]["message"]
