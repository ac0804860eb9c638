"""Whoever may look at releases can ask why an address answers so, since when, and what was seen of it."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.assets.models import Representation
from apps.caching.services import add_rule, add_version
from apps.releases.models import Publication, Release
from apps.releases.services import publishing
from apps.releases.tracing import since, traces
from apps.releases.tracing.explaining import Explanation, Verdict, explained
from apps.releases.tracing.traces import Question, trace
from tests.conftest import MakeUser
from tests.releases.conftest import Publish, put
from tests.releases.tracing.test_traces import rule
from tests.staff import staff_client

PAGE = "/admin/releases/release/trace/"
LONGER = {
    "browser_ttl_seconds": 7200,
    "stale_while_revalidate_seconds": 60,
    "stale_if_error_seconds": 86_400,
    "vary": ["Accept-Language"],
}


def page(user: User, **query: str) -> str:
    answer = staff_client(user).get(PAGE, query)
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


@pytest.fixture
def styles(live: Release, publish: Publish, other_manager: User) -> Release:
    """Release 2, live, with a rule for style sheets in version 1; version 2 is released as number 3."""
    add_rule(slug="styles", content=rule("styles", url="/css/site.css"), actor=other_manager)
    first = publish(put("css/a.css", "a{}"))
    content = rule("styles", url="/css/site.css")
    add_version(rule_slug="styles", content=content | {"policy": LONGER}, actor=other_manager)
    publish(put("css/b.css", "b{}"))
    publish(put("css/c.css", "c{}"))
    return first


@pytest.mark.parametrize("role", Role)
def test_everybody_who_may_see_releases_may_ask(live: Release, make_user: MakeUser, role: Role) -> None:
    text = page(make_user("somebody", role), url="/css/site.css")

    assert "by the rule everything (version 1)" in text
    assert "Keeps it 5 min, then up to 1 min while it asks anew" in text
    assert "Its name carries no content hash." in text


def test_nobody_else_may(live: Release) -> None:
    nobody = User.objects.create(username="nobody", is_staff=True)

    assert staff_client(nobody).get(PAGE).status_code == 403
    assert staff_client().get(PAGE).status_code == 302


def test_refusals_are_shown_with_the_form_as_it_was_typed(live: Release, viewer: User) -> None:
    client = staff_client(viewer)
    for query in (
        {"url": "javascript:alert(1)"},
        {"url": "/a\r\nX: y"},
        {"url": "<script>alert(1)</script>", "release": "999"},
        {"url": "/a", "release": "x" * 100},
        {"url": "/a", "headers": "nonsense"},
        {"url": "/a", "at": "soon"},
        {"url": "/a", "since": "x"},
        {"url": "/" + "%41" * 20_000},
    ):
        answer = client.get(PAGE, query)
        assert answer.status_code == 409, query
        assert b"<script>alert" not in answer.content
    assert "Paste it from a browser" in page(viewer)
    assert "404 from release 1" in page(viewer, url="/<script>alert(1)</script>")


def test_the_document_is_the_commands(live: Release, viewer: User) -> None:
    out = StringIO()
    call_command("trace", "/css/site.css", "--json", stdout=out, stderr=StringIO())

    assert json.loads(page(viewer, url="/css/site.css", format="json")) == json.loads(out.getvalue())


def test_since_when_names_rule_release_people_and_reason(styles: Release, viewer: User) -> None:
    out = StringIO()
    call_command("trace", "/css/site.css", "--since", "--json", stdout=out, stderr=StringIO())
    turns = json.loads(out.getvalue())["since"]["turns"]

    assert [(turn["release"], turn["rule"], turn["rule_version"]) for turn in turns] == [
        (styles.pk + 1, "styles", 2), (styles.pk, "styles", 1), (1, "everything", 1),
    ]  # fmt: skip
    assert turns[0]["headers_changed"] == [
        "cache-control: max-age 3600 → 7200",
        "vary: none → Accept-Language",
    ]
    assert (turns[0]["rule_saved_by"], turns[0]["approved_by"], turns[0]["by"]) == ("mona", ["ben"], "ben")
    assert not turns[0]["content_changed"]
    text = page(viewer, url="/css/site.css", since="")
    assert "cache-control: max-age 3600 → 7200" in text
    assert "styles</a> version 2, saved by mona" in text
    assert "approved by ben; published by ben" in text


def test_of_many_rules_those_that_match_come_first_and_all_are_there(
    live: Release, viewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = page(viewer, url="/css/site.css")
    assert "rules, also those that do not match" not in few
    monkeypatch.setattr(traces, "FEW_RULES", 2)
    many = page(viewer, url="/css/site.css")
    first, folded = many[many.index('id="rules"') :].split("All 3 rules, also those that do not match", 1)
    assert "✓ decides" in first
    assert "Its name carries no content hash." not in first
    assert "Its name carries no content hash." in folded


def test_a_roll_back_is_a_turn_with_its_reason(styles: Release, manager: User, viewer: User) -> None:
    goal = styles.publications.get()
    publishing.roll_back(channel=goal.channel, to=goal.sequence, reason="checkout CSS broken", actor=manager)

    text = page(viewer, url="/css/site.css", since="")

    assert "rolled back by ben: “checkout CSS broken”" in text


def test_the_walk_is_bounded_and_goes_on_where_it_ended(
    styles: Release, viewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(since, "LOOKED_AT", 2)
    newest = Publication.objects.latest("sequence")
    first = since.since_when(newest.channel, "/css/site.css")
    assert [turn.publication.release_id for turn in first.turns] == [styles.pk + 1]
    assert first.further_back == newest.sequence - 2

    rest = since.since_when(newest.channel, "/css/site.css", up_to=first.further_back)

    assert [turn.publication.release_id for turn in rest.turns] == [styles.pk, 1]
    assert rest.further_back is None
    assert "Further back" in page(viewer, url="/css/site.css", since="")


def test_the_queries_are_few_and_the_same_for_many(
    styles: Release, publish: Publish, viewer: User, other_manager: User
) -> None:
    client = staff_client(viewer)

    def counted(**query: str) -> int:
        client.get(PAGE, query)
        with CaptureQueriesContext(connection) as queries:
            client.get(PAGE, query)
        return len(queries)

    plain, drafts, walked = {"url": "/css/site.css"}, {"drafts": "1"}, {"since": ""}
    few = [counted(**plain), counted(**plain, **drafts), counted(**plain, **walked)]
    for number in range(4):
        slug = f"rule-{number}"
        content = rule(slug, url=f"/{slug}.css", order=100 + number, match={"paths": [f"{slug}.css"]})
        add_rule(slug=slug, content=content, actor=other_manager)
        publish(put(f"{slug}.css", "x{}"))
    many = [counted(**plain), counted(**plain, **drafts), counted(**plain, **walked)]

    print(few, many)
    assert many == few
    assert few[0] <= 12


class Wild:
    """Headers as they were seen of an address somewhere, made of what the site answers."""

    def __init__(self, url: str, **headers: str) -> None:
        self.trace = trace(Question(url))
        self.headers = {name.lower(): value for name, value in self.trace.answer.headers}

    def explained(self, *, without: tuple[str, ...] = (), status: int = 200, **changed: str) -> Explanation:
        said = self.headers | {name.replace("_", "-"): value for name, value in changed.items()}
        text = "\n".join(f"{name}: {value}" for name, value in said.items() if name not in without)
        pasted = f"HTTP/2 {status}\n{text}"
        return explained(trace(Question(self.trace.asked.target)), pasted, now=timezone.now())


def test_what_is_live_is_still_right(styles: Release) -> None:
    wild = Wild("/css/site.css")
    otherwise = ",".join(reversed(wild.headers["cache-control"].split(", "))).upper()
    found = wild.explained(age="60", vary="User-Agent, accept-language", cache_control=otherwise)

    assert found.verdict is Verdict.RIGHT
    assert (found.rule, found.rule_version, found.age_seconds) == ("styles", 2, 60)
    assert [left.seconds for left in found.left] == [7140] * 3
    assert not found.advice
    [lacking] = wild.explained(vary="User-Agent").differences
    assert (lacking.header, lacking.seen) == ("vary", "User-Agent")


def test_a_status_that_no_request_brings_about_was_changed_on_the_way(styles: Release) -> None:
    wild = Wild("/css/site.css")
    assert wild.explained(status=304).verdict is Verdict.RIGHT
    found = wild.explained(status=503)
    assert found.verdict is Verdict.CHANGED
    assert [(each.header, each.seen, each.expected) for each in found.differences] == [
        ("status", "503", "200")
    ]


def test_what_an_earlier_release_served_is_out_of_date(
    styles: Release, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    wild = Wild("/css/site.css")
    publish(put("css/site.css", "a { color: green }"))

    found = wild.explained(
        age="8000", date="Sat, 28 Nov 2026 10:00:00 GMT", cache_status="edge; hit; ttl=-800"
    )

    assert found.verdict is Verdict.OUTDATED
    assert found.source
    assert found.source.release_id == wild.trace.place.release.pk
    assert {publication.release_id for publication in found.publications} == {1, 2, 3, 4}
    assert "the receipt of production-" in found.advice[0]
    assert "It is older than a cache may keep it" in found.advice[-1]
    monkeypatch.setattr("apps.releases.tracing.explaining.LOOKED_AT", 1)
    assert wild.explained().verdict is Verdict.OUTDATED, "it names its release"
    assert wild.explained(without=("assetsite-release",)).verdict is Verdict.UNKNOWN


def test_what_was_changed_on_the_way_is_named_with_the_hop(styles: Release, viewer: User) -> None:
    wild = Wild("/css/site.css")
    found = wild.explained(
        cache_control="public, max-age=31536000", via="1.1 edge", without=("x-content-type-options",)
    )

    assert found.verdict is Verdict.CHANGED
    assert [(each.header, bool(each.seen)) for each in found.differences] == [
        ("cache-control", True), ("x-content-type-options", False),
    ]  # fmt: skip
    assert "What names itself there: Via." in found.advice[0]
    pasted = "\n".join(f"{name}: {value}" for name, value in (wild.headers | {"pragma": "no-cache"}).items())
    answer = staff_client(viewer).post(f"{PAGE}?url=/css/site.css", {"seen": pasted})
    assert "It was changed on its way" in answer.content.decode()
    assert "<code>pragma</code>" in answer.content.decode()


def test_a_coding_of_a_file_is_known_as_that_file(styles: Release) -> None:
    wild = Wild("/css/site.css")
    served = wild.trace.answer.served
    assert served
    other = trace(Question("/css/a.css")).answer.served
    assert other
    Representation.objects.create(blob_id=served.entry.blob, encoded_id=other.entry.blob, coding="br")

    found = wild.explained(etag=f'W/"{other.entry.blob}"', without=("repr-digest",))

    assert found.source
    assert found.verdict is Verdict.RIGHT


def test_what_is_not_of_this_site_or_address_is_said_to_be_unknown(styles: Release, viewer: User) -> None:
    wild = Wild("/css/site.css")
    stripped = ("etag", "repr-digest", "assetsite-release")

    assert "Nothing in it says that it comes from this site" in wild.explained(without=stripped).headline
    other = wild.explained(etag=f'"{"0" * 64}"', without=stripped[1:])
    assert "not what this address answered" in other.headline
    assert "answer of a preview" in wild.explained(assetsite_digest="sha256:x").headline
    assert wild.explained(without=("etag", "repr-digest")).verdict is Verdict.RIGHT
    answer = staff_client(viewer).post(f"{PAGE}?url=/css/site.css", {"seen": "\x00\xff binary"})
    assert answer.status_code == 409
    assert b"no header in it" in answer.content


def test_the_command_explains_a_file(styles: Release, tmp_path: Path) -> None:
    headers = Wild("/css/site.css").headers
    file = tmp_path / "seen.txt"
    file.write_bytes(
        "\r\n".join(f"{name}: {value}" for name, value in headers.items()).encode() + b"\r\n\r\n\xff"
    )
    out = StringIO()
    call_command("trace", "/css/site.css", "--release", "1", "--seen", str(file), "--json", stdout=out)

    assert json.loads(out.getvalue())["seen"]["verdict"] == "right"
    with pytest.raises(SystemExit):
        call_command("trace", "/css/site.css", "--seen", str(tmp_path / "none"), stderr=StringIO())
