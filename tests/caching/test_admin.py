from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.caching.exports.targets import TARGETS
from apps.caching.models import CacheRule
from apps.caching.rules import RuleState
from apps.caching.selectors import content_of, newest_versions
from apps.caching.serialisation import as_json
from apps.caching.services import add_rule, add_version, set_state
from tests.caching.conftest import Shipped, StaffPage
from tests.staff import staff_client

LIST, PAGE = "admin:caching_cacherule_changelist", "admin:caching_cacherule_change"


def page_of(staff_page: StaffPage, user: User, slug: str) -> str:
    return staff_page(user, PAGE, CacheRule.objects.get(slug=slug).pk).text


def break_an_example(manager: User, content: dict[str, Any]) -> None:
    """Hide the rule for pages behind a new one, so that its examples name the wrong rule."""
    content["name"], content["order"] = "Greedy", 1
    content["examples"] = [{"url": "/", "is_cached": True, "rule": "greedy"}]
    add_rule(slug="greedy", actor=manager, content=content)


def test_the_list_tells_name_owner_match_policy_and_examples_in_the_order_of_the_rules(
    shipped: Shipped, viewer: User, staff_page: StaffPage
) -> None:
    text = staff_page(viewer, LIST).text
    rows = text[text.index("result_list") :]
    names = [f">{name}<" for name in ("Pages", "Files with a content hash in their name", "Everything else")]
    assert sorted(names, key=rows.index) == names
    for words in (
        "ann",
        "Files whose name carries a content hash",
        "<code>public, max-age=31536000, immutable</code>",
        "✓ 5 of 5 hold",
    ):
        assert words in rows


def test_the_list_takes_the_same_number_of_queries_for_any_number_of_rules(
    shipped: Shipped,
    viewer: User,
    manager: User,
    content: dict[str, Any],
    staff_page: StaffPage,
) -> None:
    def query_count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert staff_page(viewer, LIST).status == 200
        return len(queries)

    few = query_count()
    for number in range(5):
        content["examples"] = [{"url": "/a.css", "is_cached": True, "rule": f"a{number}"}]
        content["name"], content["order"] = f"Rule {number}", 800 - number
        add_rule(slug=f"a{number}", actor=manager, content=content)
        add_version(rule_slug=f"a{number}", actor=manager, content=content)
    assert query_count() == few


def test_what_fails_is_told_on_every_page_of_the_list(
    shipped: Shipped, viewer: User, manager: User, content: dict[str, Any], staff_page: StaffPage
) -> None:
    content |= {"name": "Greedy", "order": 1, "match": {"extensions": ["css"]}}
    content["examples"] = [{"url": "/x.css", "is_cached": True, "rule": "greedy"}]
    add_rule(slug="greedy", actor=manager, content=content)
    found = staff_page(viewer, LIST, q="content hash").text
    rows = found[found.index("result_list") :]
    assert "Examples of 3 rules fail." in found, "of three rules an example asks for a style sheet"
    assert "Everything else" not in rows


def test_the_list_tells_numbers_and_short_names(
    shipped: Shipped, viewer: User, manager: User, staff_page: StaffPage
) -> None:
    for user in (viewer, manager):
        text = staff_page(user, LIST).text
        for words in ('<span class="rule-number">200</span>', "<code>fingerprinted</code>"):
            assert words in text


def test_the_list_can_be_searched(shipped: Shipped, viewer: User, staff_page: StaffPage) -> None:
    text = staff_page(viewer, LIST, q="content hash").text
    assert "Files with a content hash" in text
    assert "Everything else" not in text


def test_the_list_tells_which_examples_fail(
    shipped: Shipped,
    viewer: User,
    manager: User,
    content: dict[str, Any],
    staff_page: StaffPage,
) -> None:
    assert "Every example of every rule holds." in staff_page(viewer, LIST).text
    break_an_example(manager, content)
    set_state(rule_slug="fingerprinted", state=RuleState.DISABLED, reason="Not now.", actor=manager)
    text = staff_page(viewer, LIST).text
    for words in ("Examples of 2 rules fail.", "✗ 5 of 5 fail", "Not executed"):
        assert words in text
    assert "Not executed: the rule decides about nothing" in page_of(staff_page, viewer, "fingerprinted")


def test_the_page_of_a_rule_explains_it(shipped: Shipped, viewer: User, staff_page: StaffPage) -> None:
    text = page_of(staff_page, viewer, "fingerprinted")
    parts = [
        "Examples: 5 of 5 hold.",
        "What it is",
        "What it matches",
        "Files whose name carries a content hash",
        "What caches may do",
        "Browsers and shared caches may keep a copy for a year and need not ask again",
        "Cache-Control: public, max-age=31536000, immutable",
        "When not",
        "The request is for a preview of a release",
        "What should happen",
        "Examples",
        "/css/app.3f2a9c.css",
        "✓ yes",
        "How to undo",
        "Publish the file under a new name as well.",
        "History",
    ]
    place = text.index('class="headline')
    for part in parts:
        place = text.index(part, place)


def test_the_page_shows_a_failing_example_with_what_it_is(
    shipped: Shipped,
    viewer: User,
    manager: User,
    content: dict[str, Any],
    staff_page: StaffPage,
) -> None:
    break_an_example(manager, content)
    text = page_of(staff_page, viewer, "pages")
    assert "Examples: 5 of 5 fail." in text
    assert "✗ no" in text
    assert "is cached 5 min (rule: greedy)" in text


def test_the_page_tells_the_history(
    shipped: Shipped,
    viewer: User,
    manager: User,
    content: dict[str, Any],
    staff_page: StaffPage,
) -> None:
    content["policy"]["shared_ttl_seconds"] = 300
    content["policy"]["extra_headers"] = [["X-Robots-Tag", "noindex"]]
    content["bypass_conditions"] = []
    content["examples"][0]["request_headers"] = [["Accept-Language", "sv"]]
    add_version(rule_slug="everything", actor=manager, content=content)
    text = page_of(staff_page, viewer, "everything")
    history = text[text.index("History") :]
    assert "by ben" in history
    assert "by ann" in history
    assert "s-maxage=300" in history
    assert "X-Robots-Tag: noindex" in text
    assert "Accept-Language: sv" in text
    assert "There is no exception." in text


def test_what_a_rule_says_is_text_and_never_markup(
    shipped: Shipped,
    viewer: User,
    manager: User,
    content: dict[str, Any],
    staff_page: StaffPage,
) -> None:
    content["name"] = content["description"] = content["rollback_note"] = "<script>alert(1)</script>"
    add_version(rule_slug="everything", actor=manager, content=content)
    for text in (page_of(staff_page, viewer, "everything"), staff_page(viewer, LIST).text):
        assert "<script>alert" not in text


def test_the_page_has_no_inline_style_or_script(
    shipped: Shipped, viewer: User, staff_page: StaffPage
) -> None:
    text = page_of(staff_page, viewer, "pages")
    body = text[text.index('id="content-main"') : text.index("rule-history")]
    assert "<script" not in body
    assert "style=" not in body


def test_a_rule_that_does_not_exist_leads_back_with_a_message(
    shipped: Shipped, viewer: User, staff_page: StaffPage
) -> None:
    assert staff_page(viewer, PAGE, 12345).status == 302


def test_a_rule_without_a_version_is_not_shown(viewer: User, staff_page: StaffPage) -> None:
    rule = CacheRule.objects.create(slug="unwritten")
    assert "unwritten" not in staff_page(viewer, LIST).text
    assert staff_page(viewer, PAGE, rule.pk).status == 302


def test_nobody_removes_a_rule_and_a_reader_is_told_who_may_change_one(
    shipped: Shipped, administrator: User, viewer: User, staff_page: StaffPage
) -> None:
    assert staff_page(administrator, "admin:caching_cacherule_delete", shipped[0].rule_id).status == 403
    text = page_of(staff_page, viewer, "pages")
    assert "vera may not change a cache rule. Ask a release manager" in text
    assert "/edit/" not in text


def test_somebody_without_a_role_sees_no_rule(shipped: Shipped, viewer: User, staff_page: StaffPage) -> None:
    viewer.groups.clear()
    assert staff_page(viewer, LIST).status == 403
    assert staff_page(viewer, PAGE, shipped[0].rule_id).status == 403


def export_of(user: User, target: str) -> Any:
    return staff_client(user).get(f"/admin/caching/cacherule/export/{target}/")


def test_the_list_gives_the_rules_as_the_configuration_of_each_cache(
    shipped: Shipped, viewer: User, staff_page: StaffPage
) -> None:
    text = staff_page(viewer, LIST).text
    for name, target in TARGETS.items():
        address = f"/admin/caching/cacherule/export/{name}/"
        assert f'href="{address}" download>{target.label}</a>' in text
        answer = export_of(viewer, name)
        assert answer["Content-Disposition"] == f'attachment; filename="{target.file}"'
        assert "Pages (pages, version 1), owned by ann" in answer.text


def test_a_configuration_that_cannot_be_written_says_why(
    shipped: Shipped, manager: User, viewer: User
) -> None:
    assert export_of(viewer, "apache").status_code == 404
    content = as_json(content_of(newest_versions().get(rule__slug="everything")))
    content["bypass_conditions"] = [{"kind": "query", "name": "x", "reason": "word " * 3000}]
    add_version(rule_slug="everything", actor=manager, content=content)
    answer = export_of(viewer, "cloudfront")
    assert (answer.status_code, "shorten the reasons" in answer.text) == (409, True)


def test_somebody_without_a_role_gets_no_configuration(shipped: Shipped, viewer: User) -> None:
    viewer.groups.clear()
    assert export_of(viewer, "nginx").status_code == 403


def test_many_remarks_of_one_kind_are_one_with_every_rule_in_it(
    shipped: Shipped, viewer: User, manager: User, content: dict[str, Any], staff_page: StaffPage
) -> None:
    for number in range(8):
        slug = f"a{number}"
        content |= {"name": f"Folder {number}", "order": 100 + number, "match": {"folders": [slug]}}
        content["policy"] = {"browser_ttl_seconds": 60 + number}
        content["examples"] = [{"url": f"/{slug}/x.js", "is_cached": True, "rule": slug}]
        add_rule(slug=slug, actor=manager, content=content)
    content |= {"name": "Sheets", "order": 150, "match": {"extensions": ["css"]}}
    content["policy"] = {"browser_ttl_seconds": 59}
    content["examples"] = [{"url": "/x.css", "is_cached": True, "rule": "sheets"}]
    add_rule(slug="sheets", actor=manager, content=content)
    assert "⚠ 1 remark<" in staff_page(viewer, LIST).text
    text = page_of(staff_page, viewer, "sheets")
    assert "“Folder 0”, “Folder 1”, “Folder 2” and 5 other rules, which come before it" in text
    assert "All 8 of this kind" in text
    assert text.count("which comes before it and decides.") == 8
