"""A trace says what answers, which rule decides, and what every other rule says to it."""

import json
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from apps.accounts.models import User
from apps.caching.defaults import DEFAULT_RULES
from apps.caching.serialisation import as_json
from apps.caching.services import add_rule, add_version
from apps.refusals import Refusal
from apps.releases.models import Channel, Release
from apps.releases.selectors.previews import address_of
from apps.releases.services import hosts, previews, publishing, review
from apps.releases.services.redirects import put_redirect
from apps.releases.tracing.traces import Question, Trace, request_headers_of, trace, trace_at
from tests.releases.conftest import MakeRelease, Publish, put


def traced(pasted: str, **more: Any) -> Trace:
    return trace(Question(pasted, **more))


def printed(*words: str) -> dict[str, Any]:
    out = StringIO()
    call_command("trace", *words, "--json", stdout=out, stderr=StringIO())
    document: dict[str, Any] = json.loads(out.getvalue())
    return document


def refusal(*words: str) -> dict[str, Any]:
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("trace", *words, "--json", stdout=out)
    document: dict[str, Any] = json.loads(out.getvalue())
    return document["error"]  # type: ignore[no-any-return]


def rule(slug: str, *, url: str = "/css/a.css", **changes: Any) -> dict[str, Any]:
    """Return the content of a rule for style sheets below css/, which keeps them for an hour."""
    usual = as_json(DEFAULT_RULES["everything"])
    usual["examples"] = [{"url": url, "rule": slug, "is_cached": True}]
    usual["match"] |= {"paths": ["css/*"], "media_types": ["text/css"]}
    usual["policy"] |= {"browser_ttl_seconds": 3600}
    return usual | {"name": f"Rule {slug}", "order": 500} | changes


def test_the_command_prints_what_the_contract_says(live: Release) -> None:
    hosts.ensure_hosts()
    found = printed("http://localhost:8000/css/site.css")

    assert found["release"] == live.pk
    assert found["rule"] == "everything"
    assert found["bypass"] is None
    assert found["status"] == 200
    assert found["headers"]["Cache-Control"].startswith("public, max-age=300")
    assert [(one["rule"], one["matched"]) for one in found["considered"]] == [
        ("pages", False), ("fingerprinted", False), ("everything", True),
    ]  # fmt: skip
    assert found["considered"][0]["because"] == "Its type is not text/html or application/xhtml+xml."
    assert found["file"]["path"] == "css/site.css"
    assert found["file"]["release"] == live.pk
    assert [each["seconds"] for each in found["caches"]] == [300, 300, 300]
    assert found["caches"][0]["stale_if_error"] == 86_400
    assert found["differs"] is None


def test_people_read_which_rule_decides(live: Release) -> None:
    out = StringIO()
    call_command("trace", "/css/site.css", stdout=out)
    words = out.getvalue()

    assert "200 from release 1, live as production-" in words
    assert "→ everything v1: It matches every file." in words
    assert "browser: keeps it 5 min, then up to 1 min while it asks anew" in words


def test_each_address_has_its_answer(live: Release, publish: Publish) -> None:
    draft = publish(put("docs/index.html", "<p>"))
    redirected = traced("/docs")
    page, missing, part = traced("/docs/"), traced("/nothing"), traced("/nothing.css")

    assert (redirected.answer.status, redirected.answer.location) == (308, "/docs/")
    assert (page.rule, page.answer.served and page.answer.served.entry.release) == ("pages", draft.pk)
    assert (missing.answer.status, missing.rule, missing.is_assumed) == (404, "", True)
    assert [kept.seconds for kept in missing.kept] == [0, 10, 10]
    assert not part.kept[1].may_keep
    assert traced("/a//b").answer.status == 400
    assert [one.considered.matched for one in part.tried] == [False, False, True]


def test_a_redirect_of_the_release_leads_on(
    live: Release, make_release: MakeRelease, editor: User, manager: User
) -> None:
    release = make_release()
    put_redirect(release=release, source="/old/*", target="/new/:splat", status=301, actor=editor)
    submitted = review.submit(release=release, actor=editor)

    found = traced("/old/a?x=1", release=submitted.pk)

    assert (found.answer.status, found.answer.location) == (301, "/new/a?x=1")
    assert not found.place.is_live


def test_the_host_a_release_a_channel_or_a_time_say_where(
    live: Release, approved: Release, manager: User, administrator: User, production: Channel
) -> None:
    hosts.add_host(channel=production, host="www.example.com", actor=administrator)
    began = live.publications.get().published_at
    publishing.publish(release=approved, actor=manager)

    assert traced("https://www.example.com/css/site.css").place.release.pk == approved.pk
    assert traced("www.example.com/css/site.css").place.is_live
    earlier = traced("/css/site.css", at=began)
    assert (earlier.place.release.pk, earlier.place.is_live) == (live.pk, False)
    assert traced("/css/site.css", release=live.pk).place.publication == live.publications.get()
    assert traced("/x", request_headers=(("Host", "www.example.com"),)).place.channel == production
    assert refusal("http://other.example/")["code"] == "unknown_host"
    assert refusal("/a", "--at", "2001-01-01")["code"] == "unknown_publication"
    assert refusal("/a", "--at", "soon")["code"] == "wrong_time"
    assert refusal("/a", "--at", "2030-01-01 10:00", "--release", "1")["code"] == "wrong_question"
    assert refusal("/a", "--release", "99")["code"] == "unknown_release"
    assert refusal("/a", "--channel", "nowhere")["code"] == "unknown_channel"
    assert printed("/css/site.css", "--at", str(timezone.now() + timedelta(days=1)))["live"]


def test_a_preview_is_asked_by_its_own_address(spring: Release, editor: User) -> None:
    preview = previews.open_preview(release=spring, actor=editor)
    address = f"{address_of(preview)}css/site.css"

    found = printed(address)

    assert found["release"] == spring.pk
    assert found["preview"]
    assert found["bypass"]["kind"] == "preview"
    assert found["headers"]["Cache-Control"] == "private, no-store"
    assert found["headers"]["Assetsite-Would-Be-Cache-Control"].startswith("public")
    assert [kept["may_keep"] for kept in found["caches"]] == [False] * 3
    assert refusal(address.replace("http://r", "http://r9"))["code"] == "unknown_release"
    previews.revoke_preview(preview=preview, actor=editor)
    assert refusal(address)["code"] == "preview_over"


def test_a_near_miss_names_the_condition_that_fails(
    live: Release, publish: Publish, other_manager: User
) -> None:
    add_rule(slug="styles", content=rule("styles"), actor=other_manager)
    publish(put("css/deep/a.css", "a{}"), put("css/a.css", "a{}"))

    assert traced("/css/a.css").rule == "styles"
    missed = traced("/css/deep/a.css")
    assert missed.rule == "everything"
    assert [one.considered.near_miss for one in missed.tried if one.considered.near_miss] == [
        "Its type is text/css; only its path does not fit css/*."
    ]


def test_a_bypass_condition_is_named_with_its_reason(
    live: Release, publish: Publish, other_manager: User
) -> None:
    bypass = [{"kind": "cookie", "name": "session", "reason": "Whoever is logged in sees more."}]
    add_rule(slug="styles", content=rule("styles", bypass_conditions=bypass), actor=other_manager)
    publish(put("css/a.css", "a{}"))

    found = printed("/css/a.css", "--header", "Cookie: session=1")

    assert found["bypass"] == {"kind": "cookie", "name": "session", "reason": bypass[0]["reason"]}
    assert printed("/css/a.css")["bypass"] is None


def test_drafts_disabled_rules_and_newer_versions_are_shown_when_asked(
    live: Release, publish: Publish, other_manager: User
) -> None:
    add_rule(
        slug="shipped", content=rule("shipped", order=400, match={"paths": ["css/*"]}), actor=other_manager
    )
    publish(put("css/a.css", "a{}"))
    newer = rule("shipped", url="/js/a.js", order=400, match={"paths": ["js/*"]})
    add_version(rule_slug="shipped", content=newer, actor=other_manager)
    add_rule(slug="later", content=rule("later", state="draft"), actor=other_manager)
    add_rule(slug="off", content=rule("off", state="disabled"), actor=other_manager)

    plain, full = printed("/css/a.css"), printed("/css/a.css", "--with-drafts")

    assert {one["standing"] for one in plain["considered"]} == {"ships"}
    assert plain["if_all_shipped"] is None
    standings = {(one["rule"], one["version"]): one["standing"] for one in full["considered"]}
    assert standings["shipped", 1] == "ships"
    assert standings["shipped", 2] == "newer"
    assert standings["later", 1] == "draft"
    assert standings["off", 1] == "disabled"
    assert full["rule"] == "shipped"
    assert full["if_all_shipped"]["rule"] == "later"


def test_a_manifest_that_other_rules_made_is_said_to_differ(live: Release, make_release: MakeRelease) -> None:
    found = traced("/css/site.css")
    other = make_release()
    other.rules.clear()

    found = trace_at(replace(found.place, release=other), found.asked, Question(""))

    assert found.rule == "everything", "the manifest is what is served"
    assert "compiled by everything version 1; by its release's rules no rule decides" in found.differs


@pytest.mark.parametrize(
    "pasted",
    ["javascript:alert(1)", "http://localhost/a\r\nX: y", "/-/healthz", "http://[::1", "/" + "a" * 65_536],
)
def test_what_cannot_be_asked_is_refused_with_the_next_step(live: Release, pasted: str) -> None:
    with pytest.raises(Refusal) as refused:
        traced(pasted)

    assert refused.value.next_step
    assert len(str(refused.value)) < 500


def test_only_headers_are_headers() -> None:
    assert request_headers_of(["Cookie: a=b", "", "X-Y:"]) == (("Cookie", "a=b"), ("X-Y", ""))
    for line in ("Cookie", "A: b\r\nC: d", "A: \x00", ": x"):
        with pytest.raises(Refusal, match="is no header"):
            request_headers_of([line])
    with pytest.raises(Refusal, match="more than a request has"):
        request_headers_of(["A: b"] * 101)
