from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.caching.checking import check_content
from apps.caching.defaults import DEFAULT_RULES
from apps.caching.exceptions import InvalidRule, UnknownRule
from apps.caching.headers import HeaderCompiler
from apps.caching.models import CacheRule, CacheRuleVersion
from apps.caching.remarks import remarks
from apps.caching.rules import Combination
from apps.caching.selectors import as_rules, content_of, current_combination, current_versions
from apps.caching.serialisation import ShapeFault, as_json, parse_content
from apps.caching.services import (
    add_rule,
    add_version,
    choose_combination,
    ensure_default_rules,
    move_rule,
)
from tests.caching.conftest import Shipped
from tests.tampering import without_guards

Content = dict[str, Any]


def faulty_fields(refusal: InvalidRule) -> list[str]:
    assert all(fault.field in str(refusal) and fault.message in str(refusal) for fault in refusal.faults)
    return [fault.field for fault in refusal.faults]


def test_the_shipped_rules_are_added_once(administrator: User) -> None:
    made = ensure_default_rules(owner=administrator)
    assert {version.rule.slug for version in made} == set(DEFAULT_RULES)
    assert {(version.number, version.owner) for version in made} == {(1, administrator)}
    assert ensure_default_rules(owner=administrator) == []
    assert AuditEntry.objects.filter(action="cacherule.ship").count() == 1


def test_a_shipped_rule_that_the_site_has_changed_stays_changed(
    shipped: Shipped, manager: User, content: Content
) -> None:
    content["name"] = "The rest"
    add_version(rule_slug="everything", actor=manager, content=content)
    assert ensure_default_rules(owner=manager) == []
    assert CacheRuleVersion.objects.filter(rule__slug="everything").count() == 2


def test_a_rule_comes_back_from_the_database_as_it_was_written(shipped: Shipped) -> None:
    assert {version.rule.slug: content_of(version) for version in current_versions()} == DEFAULT_RULES


def test_the_rules_come_in_the_order_in_which_they_are_tried_with_one_query(shipped: Shipped) -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        rules = as_rules(current_versions())
    assert len(queries) == 1
    assert [rule.slug for rule in rules] == ["pages", "fingerprinted", "everything"]


def test_versions_that_came_without_their_rules_take_one_more_query(shipped: Shipped) -> None:
    versions = list(CacheRuleVersion.objects.all())
    with CaptureQueriesContext(connection) as queries:
        rules = as_rules(reversed(versions))
    assert len(queries) == 1
    assert [rule.slug for rule in rules] == ["pages", "fingerprinted", "everything"]


def test_rules_of_one_order_are_tried_by_their_slugs(
    shipped: Shipped, manager: User, content: Content
) -> None:
    content["name"] = "Everything, too"
    content["examples"] = [{"url": "/a.css", "is_cached": True, "rule": "also-everything"}]
    add_rule(slug="also-everything", actor=manager, content=content)
    assert [rule.slug for rule in as_rules(current_versions())][-2:] == ["also-everything", "everything"]


def test_no_rules_are_no_query(db: None) -> None:
    assert as_rules([]) == ()


def test_a_new_version_becomes_the_current_one_and_leaves_the_old_as_it_was(
    shipped: Shipped, manager: User, administrator: User, content: Content
) -> None:
    content["policy"]["extra_headers"] = [["X-Robots-Tag", "noindex"]]
    made = add_version(rule_slug="everything", actor=manager, content=content)
    assert (made.number, made.created_by, made.owner) == (2, manager, administrator)
    current = {version.rule.slug: version.number for version in current_versions()}
    assert current == {"pages": 1, "fingerprinted": 1, "everything": 2}
    headers = HeaderCompiler(as_rules(current_versions())).header_set("a.css", "text/css", 1)
    assert ("x-robots-tag", "noindex") in headers.headers
    first = CacheRuleVersion.objects.get(rule__slug="everything", number=1)
    assert content_of(first) == DEFAULT_RULES["everything"]


def test_a_new_version_is_one_entry_of_the_audit_log(
    shipped: Shipped, manager: User, content: Content
) -> None:
    before = AuditEntry.objects.count()
    add_version(rule_slug="everything", actor=manager, content=content)
    entry = AuditEntry.objects.first()
    assert entry
    assert AuditEntry.objects.count() == before + 1
    assert (entry.actor, entry.action, entry.target) == (
        manager,
        "cacherule.add_version",
        "cache rule everything",
    )


def test_the_owner_can_be_another_one(
    shipped: Shipped, manager: User, editor: User, content: Content
) -> None:
    made = add_version(rule_slug="everything", actor=manager, owner=editor, content=content)
    assert made.owner == editor


def test_names_that_are_the_same_all_the_same_are_remarked(shipped: Shipped) -> None:
    with without_guards("caching_cacheruleversion"):
        CacheRuleVersion.objects.filter(rule__slug="fingerprinted").update(name=" PAGES ")
    said = [one for each in remarks().values() for one in each if one.kind == "same_name"]
    assert [{one.slug, one.other} for one in said] == [{"pages", "fingerprinted"}]


def test_an_editor_may_not_change_or_make_a_rule(shipped: Shipped, editor: User, content: Content) -> None:
    with pytest.raises(Forbidden, match="a release manager"):
        add_version(rule_slug="everything", actor=editor, content=content)
    with pytest.raises(Forbidden, match="a release manager"):
        add_rule(slug="new", actor=editor, content=content)
    assert CacheRuleVersion.objects.count() == 3


def test_a_rule_that_does_not_exist_is_told(shipped: Shipped, manager: User, content: Content) -> None:
    with pytest.raises(UnknownRule, match="no cache rule 'nothing'"):
        add_version(rule_slug="nothing", actor=manager, content=content)


def test_every_fault_is_told_at_its_field_and_nothing_is_saved(
    shipped: Shipped, manager: User, content: Content
) -> None:
    content["rollback_note"] = ""
    content["policy"] = {"visibility": "no-store", "is_immutable": True, "browser_ttl_seconds": -1}
    with pytest.raises(InvalidRule) as refusal:
        add_version(rule_slug="everything", actor=manager, content=content)
    assert set(faulty_fields(refusal.value)) == {
        "rollback_note",
        "policy.browser_ttl_seconds",
        "policy.is_immutable",
    }
    assert CacheRuleVersion.objects.count() == 3


def test_a_wrong_shape_is_told_at_its_field(shipped: Shipped, manager: User, content: Content) -> None:
    content["policy"]["max_age"] = 3
    with pytest.raises(InvalidRule) as refusal:
        add_version(rule_slug="everything", actor=manager, content=content)
    assert faulty_fields(refusal.value) == ["policy.max_age"]


def test_an_example_that_fails_is_told_with_what_happens_instead(
    shipped: Shipped, manager: User, content: Content
) -> None:
    content["policy"]["browser_ttl_seconds"] = 31_536_000
    with pytest.raises(InvalidRule) as refusal:
        add_version(rule_slug="everything", actor=manager, content=content)
    assert faulty_fields(refusal.value) == ["examples[0]"]
    assert "/css/app.css expected 5 min, is 1 y" in refusal.value.message


def test_an_example_is_executed_against_the_other_rules_too(
    shipped: Shipped, manager: User, content: Content
) -> None:
    content["order"] = 1  # before the rule for pages, which it would then hide
    with pytest.raises(InvalidRule) as refusal:
        add_version(rule_slug="everything", actor=manager, content=content)
    assert faulty_fields(refusal.value) == ["examples[3]"]
    assert "expected to be decided by pages" in refusal.value.message


def test_the_examples_media_types_can_come_from_elsewhere(
    shipped: Shipped, manager: User, content: Content
) -> None:
    with pytest.raises(InvalidRule, match="rule: pages"):
        add_version(
            rule_slug="everything", actor=manager, content=content, media_type_of=lambda path: "text/html"
        )


def test_a_new_rule_begins_with_version_1(shipped: Shipped, manager: User, content: Content) -> None:
    content["name"], content["order"] = "Downloads", 50
    content["match"] = {"paths": ["downloads/**"]}
    content["examples"] = [
        {"url": "/downloads/a.zip", "is_cached": True, "rule": "downloads", "browser_ttl_seconds": 300},
        {"url": "/a.zip", "is_cached": True, "rule": "everything"},
    ]
    made = add_rule(slug="downloads", actor=manager, content=content)
    assert (made.number, made.owner) == (1, manager)
    assert as_rules(current_versions())[0].slug == "downloads"


def with_rules(actor: User, **orders: int) -> None:
    """Add a rule for a folder of its own under each name."""
    for slug, order in orders.items():
        content = as_json(DEFAULT_RULES["everything"]) | {
            "name": slug,
            "order": order,
            "match": {"folders": [slug]},
            "examples": [{"url": f"/{slug}/a.css", "rule": slug, "is_cached": True}],
        }
        add_rule(slug=slug, content=content, actor=actor)


def moves() -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(action="cacherule.move"))


def test_a_rule_that_is_moved_says_so_once_in_its_history_and_in_the_log(
    shipped: Shipped, manager: User
) -> None:
    with_rules(manager, fonts=50)
    [made] = move_rule(rule_slug="fonts", before="everything", actor=manager)
    assert (made.number, made.owner, made.reason) == (2, manager, "moved before everything")
    assert [rule.slug for rule in as_rules(current_versions())][-2:] == ["fonts", "everything"]
    [entry] = moves()
    assert (entry.actor, entry.target) == (manager, "cache rule fonts")
    assert entry.details == {"orders": {"fonts": made.order}}


def test_a_rule_without_room_before_it_makes_some(shipped: Shipped, manager: User) -> None:
    with_rules(manager, b=0, c=1)
    [made] = move_rule(rule_slug="c", before="b", actor=manager)
    assert (made.rule.slug, made.reason) == ("b", "made room for c")
    assert [rule.slug for rule in as_rules(current_versions())][:2] == ["c", "b"]


def test_a_rule_that_stays_where_it_is_or_would_hide_another_is_not_moved(
    shipped: Shipped, manager: User
) -> None:
    with_rules(manager, fonts=50)
    assert move_rule(rule_slug="everything", before="", actor=manager) == []
    with pytest.raises(InvalidRule, match=r"/fonts/a\.css expected to be decided by fonts") as refusal:
        move_rule(rule_slug="fonts", before="", actor=manager)
    assert faulty_fields(refusal.value) == ["order"]
    for rule_slug, before in (("fonts", "nothing"), ("nothing", "fonts"), ("nothing", "")):
        with pytest.raises(UnknownRule, match="no cache rule 'nothing'"):
            move_rule(rule_slug=rule_slug, before=before, actor=manager)
    assert moves() == []


def test_how_rules_combine_is_chosen_with_a_reason_and_logged(shipped: Shipped, manager: User) -> None:
    with pytest.raises(InvalidRule) as refusal:
        choose_combination(combination=Combination.MERGE, reason=" ", actor=manager)
    assert faulty_fields(refusal.value) == ["reason"]
    assert current_combination() is Combination.FIRST
    choose_combination(combination=Combination.MERGE, reason=" Two teams. ", actor=manager)
    assert current_combination() is Combination.MERGE
    [entry] = AuditEntry.objects.filter(action="cacherule.choose_combination")
    assert (entry.actor, entry.details) == (manager, {"combination": "merge", "reason": "Two teams."})


def test_a_later_rule_breaks_an_example_of_an_earlier_one_where_rules_are_merged(
    shipped: Shipped, manager: User, content: Content
) -> None:
    content |= {"name": "Late", "order": 950, "policy": {"visibility": "no-store"}}

    def broken() -> set[str]:
        return {each.slug for each in check_content("late", 1, parse_content(content)).broken}

    assert broken() == set()
    choose_combination(combination=Combination.MERGE, reason="Two teams.", actor=manager)
    assert broken() == set(DEFAULT_RULES)


@pytest.mark.parametrize("slug", ["", "two words", "x" * 61, "everything", "ö"])
def test_a_new_rule_needs_a_name_of_its_own(
    shipped: Shipped, manager: User, content: Content, slug: str
) -> None:
    with pytest.raises(InvalidRule) as refusal:
        add_rule(slug=slug, actor=manager, content=content)
    assert faulty_fields(refusal.value) == ["slug"]


def test_a_row_written_by_hand_in_the_wrong_shape_is_told(administrator: User) -> None:
    fields = as_json(DEFAULT_RULES["pages"]) | {"policy": {"ttl": 5}}
    version = CacheRuleVersion(
        rule=CacheRule(slug="odd"), number=1, owner=administrator, created_by=administrator, **fields
    )
    with pytest.raises(ShapeFault, match=r"policy\.ttl"):
        as_rules([version])


def test_the_database_refuses_to_change_a_version(shipped: Shipped) -> None:
    with pytest.raises(IntegrityError, match="append_only"), transaction.atomic():
        CacheRuleVersion.objects.update(name="Another")
    assert not CacheRuleVersion.objects.filter(name="Another").exists()


def test_the_database_refuses_to_remove_a_version(shipped: Shipped) -> None:
    with pytest.raises(IntegrityError, match="append_only"), transaction.atomic():
        CacheRuleVersion.objects.all().delete()
    assert CacheRuleVersion.objects.count() == 3


def test_the_database_refuses_a_second_version_of_one_number_and_one_without_notes(shipped: Shipped) -> None:
    first = shipped[0]
    for fields in ({"number": 1}, {"number": 2, "expected_result": ""}, {"number": 2, "rollback_note": ""}):
        copy = CacheRuleVersion.objects.get(pk=first.pk)
        copy.pk = None
        for name, value in fields.items():
            setattr(copy, name, value)
        with pytest.raises(IntegrityError), transaction.atomic():
            copy.save(force_insert=True)
