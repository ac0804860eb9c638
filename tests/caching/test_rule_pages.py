"""The pages of rules as somebody without script writes on them."""

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client

from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.accounts.services import deactivate
from apps.audit.models import AuditEntry
from apps.caching.models import CacheRule, CacheRuleVersion, RuleCombination
from apps.caching.selectors import content_of, newest_versions
from apps.caching.services import add_version
from tests.caching.conftest import Shipped
from tests.caching.typed_forms import typed_form
from tests.conftest import MakeUser
from tests.staff import staff_client

LIST = "/admin/caching/cacherule/"
DAY = "86400"


def newest(slug: str = "everything") -> CacheRuleVersion:
    return newest_versions().get(rule__slug=slug)


def address(page: str, slug: str = "everything") -> str:
    return f"{LIST}{CacheRule.objects.get(slug=slug).pk}/{page}"


def typed(client: Client, where: str) -> dict[str, str]:
    return typed_form(client.get(where).text, "rule-form")


def new_rule(client: Client) -> dict[str, str]:
    return typed(client, f"{LIST}add/") | {
        "name": "Fonts",
        "slug": "fonts",
        "order": "50",
        "folders": "fonts",
        "browser_ttl_seconds_0": "1",
        "browser_ttl_seconds_1": "3600",
        "stale_while_revalidate_seconds_0": "1",
        "stale_while_revalidate_seconds_1": DAY,
        "expected_result": "Text is readable at once.",
        "rollback_note": "Tell #shop.",
        "examples-0-url": "/fonts/a.woff2",
        "bypass-0-kind": "query",
        "bypass-0-name": "nocache",
        "bypass-0-reason": "Support asks for it.",
    }


def test_the_form_sent_unchanged_says_what_the_version_before_said(shipped: Shipped, manager: User) -> None:
    client = staff_client(manager)
    for version in shipped:
        where = address("edit/", version.rule.slug)
        answer = client.post(where, typed(client, where))
        assert answer.status_code == 302, answer.text
        after = newest(version.rule.slug)
        assert (after.number, after.owner, content_of(after)) == (2, version.owner, content_of(version))


def test_an_hour_and_a_day_while_checking_take_no_header(shipped: Shipped, manager: User) -> None:
    client = staff_client(manager)
    answer = client.post(f"{LIST}add/", new_rule(client), follow=True)
    policy = newest("fonts").policy
    assert (policy["browser_ttl_seconds"], policy["stale_while_revalidate_seconds"]) == (3_600, 86_400)
    assert "Version 1 ships with releases begun from now on." in answer.text
    assert '#rule-switch">disable it</a>' in answer.text, "there is no version before it to go back to"
    assert "leads back to earlier versions" not in answer.text
    assert "public, max-age=3600, stale-while-revalidate=86400" in answer.text
    assert newest("fonts").bypass_conditions[0]["name"] == "nocache"


# What is typed differently, the id of the field at which it is told, and what is told there.
FAULTS: list[tuple[dict[str, str], str, str]] = [
    ({"name": ""}, "id_name", "needs a name"),
    ({"name": "everything ELSE"}, "id_name", "The rule everything has this name"),
    ({"slug": "pages"}, "id_slug", "no rule"),
    ({"slug": "two words"}, "id_slug", "valid"),
    ({"owner": ""}, "id_owner", "required"),
    ({"order": "40000"}, "id_order", "32767"),
    ({"expected_result": " "}, "id_expected_result", "what should be better"),
    ({"rollback_note": ""}, "id_rollback_note", "when to go back"),
    ({"paths": "ok/**\n/css/**"}, "id_paths", "/css/**: Paths have no leading slash"),
    ({"folders": "/fonts/"}, "id_folders", "without its outer slashes"),
    ({"extensions": ".css"}, "id_extensions", "without its dot"),
    ({"media_types": "css"}, "id_media_types", "text/css"),
    ({"tags": "sale!"}, "id_tags", "sale!: Use small letters"),
    ({"tags": "Sale", "examples-0-tags": "no/tag"}, "id_examples-0-tags", "Use small letters"),
    ({"expressions": "(a+)+\\1"}, "id_expressions", "RE2, which takes linear time"),
    ({"expressions": "(x{1000}){1000}"}, "id_expressions", "RE2"),
    ({"min_size_bytes_0": "9", "max_size_bytes_0": "3"}, "id_max_size_bytes", "not smaller"),
    ({"min_size_bytes_0": "-1"}, "id_min_size_bytes", "greater than or equal to 0"),
    ({"visibility": "no-store"}, "id_browser_ttl_seconds", "it can have no time"),
    ({"visibility": "private", "shared_ttl_seconds_0": "1"}, "id_shared_ttl_seconds", "private"),
    ({"is_immutable": "on", "browser_ttl_seconds_0": ""}, "id_is_immutable", "Immutable says nothing"),
    ({"must_revalidate": "on"}, "id_must_revalidate", "leave out one"),
    ({"browser_ttl_seconds_0": "9999999999"}, "id_browser_ttl_seconds", "From 0 to"),
    ({"cdn_ttl_seconds_0": "many"}, "id_cdn_ttl_seconds", "whole number"),
    ({"vary": "Cookie"}, "id_vary", "another Cookie"),
    ({"surrogate_keys": "a b"}, "id_surrogate_keys", "Letters, digits"),
    ({"allowed_origin": "example.com"}, "id_allowed_origin", "one origin"),
    ({"extra_headers": "X-Frame-Options: DENY\rSet-Cookie: a=b"}, "id_extra_headers", "on one line"),
    ({"extra_headers": "Set-Cookie: a=b"}, "id_extra_headers", "not a header that a rule may send"),
    ({"extra_headers": "no colon"}, "id_extra_headers", "Name: value"),
    ({"bypass-0-reason": ""}, "id_bypass-0-reason", "Say why"),
    ({"bypass-0-name": "a b"}, "id_bypass-0-name", "Name the query"),
    ({"bypass-0-kind": ""}, "id_bypass-0-kind", "Choose what"),
    ({"examples-0-url": ""}, "id_examples-0-url", "At least one"),
    ({"examples-0-url": "fonts"}, "id_examples-0-url", "A path such as"),
    ({"examples-0-url": "/css/a.css"}, "id_examples-0-url", "Change what it matches, or the example"),
    ({"tags": "sale"}, "id_examples-0-url", "does not carry the tag sale. Give the example that tag as well"),
    ({"examples-0-browser_ttl_seconds_0": "2"}, "id_examples-0-url", "expected 2 h, is 1 h"),
    (
        {"visibility": "no-store", "browser_ttl_seconds_0": "", "stale_while_revalidate_seconds_0": ""},
        "id_examples-0-url",
        "“who may keep a copy” leaves no time",
    ),
    (
        {"browser_ttl_seconds_0": "0", "shared_ttl_seconds_0": "0"},
        "id_examples-0-url",
        "“how long browsers keep it” leaves no time",
    ),
    ({"examples-0-url": "/fonts/a.woff2?nocache=1"}, "id_examples-0-url", "Support asks for it."),
    ({"examples-0-rule": "everything"}, "id_examples-0-url", "At least one"),
    ({"examples-1-url": "/a.css", "examples-1-rule": "pages"}, "id_examples-1-url", "decided by pages"),
    ({"order": "950"}, "id_examples-0-url", "The rule everything has number 900 and comes first"),
    (
        {"examples-1-url": "/fonts/b.woff2", "examples-1-rule": "everything"},
        "id_examples-1-url",
        "This rule takes it: narrow what it matches",
    ),
]


def test_every_fault_is_told_at_its_field_and_nothing_is_saved(shipped: Shipped, manager: User) -> None:
    client = staff_client(manager)
    rule, entries = new_rule(client), AuditEntry.objects.count()
    wrong = []
    for changes, field, words in FAULTS:
        answer = client.post(f"{LIST}add/", rule | changes)
        links = [line for line in answer.text.split("<li>") if f'href="#{field}' in line]
        if answer.status_code != 400 or not any(words.lower() in line.lower() for line in links):
            wrong.append((changes, answer.status_code, links))
        assert "/fonts" in answer.text or "examples-0-url" in changes
    assert wrong == []
    assert (CacheRule.objects.count(), AuditEntry.objects.count()) == (3, entries)


def test_an_owner_who_has_left_is_told_in_list_and_page_and_cannot_be_kept(
    shipped: Shipped, make_user: MakeUser, manager: User, administrator: User
) -> None:
    client = staff_client(manager)
    client.post(f"{LIST}add/", new_rule(client) | {"owner": str(make_user("lena", Role.EDITOR).pk)})
    deactivate(user=User.objects.get(username="lena"), actor=administrator)
    assert "has left" in client.get(LIST).text
    assert client.get(address("change/", "fonts")).text.count("lena, who owns it, has left") == 1
    where = address("edit/", "fonts")
    assert client.post(where, typed(client, where)).status_code == 400
    owned = typed(client, where) | {"owner": str(manager.pk)}
    assert client.post(where, owned).status_code == 302
    assert newest("fonts").owner == manager


def test_of_two_who_write_at_once_the_second_sees_what_the_first_has_saved(
    shipped: Shipped, manager: User, other_manager: User
) -> None:
    first, second, where = staff_client(manager), staff_client(other_manager), address("edit/")
    mine, theirs = typed(first, where), typed(second, where)
    assert first.post(where, mine | {"description": "Mine."}).status_code == 302
    answer = second.post(where, theirs | {"description": "Theirs."})
    assert answer.status_code == 409
    assert "Ben has saved version 2 of everything since you began with version 1" in answer.text
    assert "old=1&amp;new=2" in answer.text
    again = typed_form(answer.text, "rule-form")
    assert (again["description"], again["based_on"]) == ("Theirs.", "2")
    assert second.post(where, again).status_code == 302
    assert (newest().number, newest().description) == (3, "Theirs.")


def test_a_new_rule_is_tried_before_what_takes_every_file_and_the_form_says_between_which(
    shipped: Shipped, manager: User
) -> None:
    client = staff_client(manager)
    assert typed(client, f"{LIST}add/")["order"] == "300"
    between = (
        "Tried after “Files with a content hash in their name” (200) and before “Everything else” (900)."
    )
    assert between in client.get(f"{LIST}add/").text
    rule = new_rule(client)
    assert "Tried before “Pages” (100)." in client.post(f"{LIST}outcome/", rule).text
    assert (
        "Tried after “Everything else” (900)." in client.post(f"{LIST}outcome/", rule | {"order": "901"}).text
    )
    assert "(900)" not in client.post(f"{LIST}outcome/", rule | {"order": "x"}).text
    client.post(address("state/"), {"state": "disabled", "reason": "Each says it itself."})
    assert typed(client, f"{LIST}add/")["order"] == "1000"


def test_checking_and_asking_for_rows_save_nothing(shipped: Shipped, manager: User) -> None:
    client = staff_client(manager)
    rule = new_rule(client)
    answer = client.post(f"{LIST}add/", rule | {"step": "check"})
    assert answer.status_code == 200
    assert "may keep a copy for an hour" in answer.text
    assert '/fonts/a.woff2</code> <span class="quiet">cached 1 h' in answer.text
    more = typed_form(client.post(f"{LIST}add/", rule | {"step": "rows"}).text, "rule-form")
    assert int(more["examples-TOTAL_FORMS"]) == int(rule["examples-TOTAL_FORMS"]) + 3
    assert more["examples-0-url"] == "/fonts/a.woff2"
    assert CacheRule.objects.count() == 3


def test_a_draft_ships_with_nothing_and_is_made_active_with_a_reason(shipped: Shipped, manager: User) -> None:
    client = staff_client(manager)
    answer = client.post(f"{LIST}add/", new_rule(client) | {"step": "draft"}, follow=True)
    assert "saved as a draft: no release ships with it" in answer.text
    assert newest("fonts").state == "draft"
    step = {"state": "active", "based_on": "1", "reason": "It is right."}
    assert "ships with releases" in client.post(address("state/", "fonts"), step, follow=True).text
    assert (newest("fonts").state, newest("fonts").reason) == ("active", "It is right.")
    assert "Say why" in client.post(address("state/", "fonts"), {"state": "disabled"}, follow=True).text
    assert client.post(address("state/", "fonts"), {"state": "odd"}).status_code == 400


def test_beside_an_empty_form_nothing_fails_and_headers_come_before_what_is_missing(
    shipped: Shipped, manager: User
) -> None:
    client = staff_client(manager)
    empty = client.get(f"{LIST}add/").text
    assert "Cache-Control: no-cache" in empty
    assert "Examples of other rules would fail" not in empty
    begun = client.post(f"{LIST}outcome/", {**typed(client, f"{LIST}add/"), "name": "Fonts"}).text
    assert begun.index("Cache-Control:") < begun.index("to correct before it can be saved")
    refused = client.post(f"{LIST}add/", {**typed(client, f"{LIST}add/"), "name": "Fonts"}).text
    assert refused.index("to correct</span>") < refused.index("Cache-Control:"), (
        "what kept it from being saved"
    )


def test_a_new_rule_is_put_before_what_takes_every_file_now_and_not_before_a_draft_that_would(
    shipped: Shipped, manager: User
) -> None:
    client = staff_client(manager)
    draft = new_rule(client) | {"folders": "", "step": "draft", "examples-0-url": "/fonts/a.bin"}
    assert client.post(f"{LIST}add/", draft).status_code == 302
    assert typed(client, f"{LIST}add/")["order"] == "300"


def test_what_comes_of_it_is_told_beside_the_form_and_kept_nowhere(shipped: Shipped, manager: User) -> None:
    client = staff_client(manager)
    rule = new_rule(client) | {"folders": "", "extensions": "css", "examples-0-url": "/x.css"}
    answer = client.post(f"{LIST}outcome/", rule)
    assert answer.status_code == 200
    for words in (
        "Cache-Control: public, max-age=3600, stale-while-revalidate=86400",
        "Browsers and shared caches may keep a copy for an hour.",
        "Files whose name ends in .css",
        "/x.css",
        "Everything else: <code>/css/app.css</code> expected to be decided by everything",
        "Examples of other rules would fail",
    ):
        assert words in answer.text
    assert "<html" not in answer.text
    faulty = client.post(f"{LIST}outcome/", rule | {"is_immutable": "on", "browser_ttl_seconds_0": "0"})
    assert "id_is_immutable" in faulty.text
    assert client.post(f"{LIST}outcome/", rule | {"description": "x" * 300_000}).status_code == 413
    assert client.get(f"{LIST}outcome/").status_code == 405
    assert CacheRule.objects.count() == 3


def test_saving_says_which_examples_of_other_rules_fail_now_and_what_to_do(
    shipped: Shipped, manager: User
) -> None:
    client = staff_client(manager)
    rule = new_rule(client) | {"folders": "", "extensions": "css", "examples-0-url": "/x.css", "order": "150"}
    draft = client.post(f"{LIST}add/", rule | {"step": "draft"}, follow=True).text
    assert "would not pass its check" not in draft, "nothing ships with a draft"
    where = address("state/", "fonts")
    shown = client.post(where, {"state": "active", "reason": "Now."}, follow=True).text
    assert "A release with it would not pass its check: examples of other rules fail now." in shown
    assert f'<a href="{address("edit/")}">Everything else</a>: <code>/css/app.css</code> expected' in shown
    assert "Change those examples, narrow what this rule matches, or move it." in shown
    where = address("edit/", "fonts")
    again = client.post(where, typed(client, where), follow=True).text
    assert "would not pass its check" not in again, "it has broken nothing more"
    where = address("edit/", "pages")
    theirs = typed(client, where) | {"examples-3-rule": "fonts"}
    assert client.post(where, theirs).status_code == 302
    where = address("state/", "fonts")
    gone = client.post(where, {"state": "disabled", "reason": "Too long."}, follow=True).text
    before = client.get(address("restore/1/", "fonts")).text
    assert "Examples of other rules would fail" in before, "it is told before it is done as well"
    assert "Everything else: <code>/css/app.css</code> expected to be decided by everything" in before
    assert f'<a href="{address("edit/", "pages")}">Pages</a>: <code>/css/site.css</code> expected' in gone
    assert "Change those examples, or let this rule be active." in gone


def test_a_rule_goes_back_to_an_earlier_version_as_a_new_one(
    shipped: Shipped, manager: User, content: dict[str, Any]
) -> None:
    content["policy"]["browser_ttl_seconds"] = 60
    content["examples"] = [{"url": "/a.css", "is_cached": True, "rule": "everything"}]
    add_version(rule_slug="everything", actor=manager, content=content, reason="Shorter.")
    client, where = staff_client(manager), address("restore/1/")
    shown = client.get(where).text
    assert "max-age=60" in shown
    assert "max-age=300" in shown
    assert client.post(where, {"based_on": "2", "reason": " "}).status_code == 409
    assert client.post(where, {"based_on": "1", "reason": "Late."}).status_code == 409
    assert client.post(where, {"based_on": "2", "reason": "Styles were late."}).status_code == 302
    assert content_of(newest()) == content_of(CacheRuleVersion.objects.get(rule=newest().rule, number=1))
    page = client.get(address("change/")).text
    assert "Back to version 1: Styles were late." in page
    compared = client.get(address("compare/"), {"old": "2", "new": "3"}).text
    assert "Browsers and shared caches may keep a copy for a minute" in compared
    assert f'href="{address("restore/2/")}"' in compared
    assert client.get(address("compare/"), {"old": "9"}).status_code == 404


def test_the_order_is_changed_by_buttons_and_told_when_examples_forbid_it(
    shipped: Shipped, manager: User
) -> None:
    client = staff_client(manager)
    client.post(f"{LIST}add/", new_rule(client))
    shown = client.get(LIST).text
    assert 'value="fonts:fingerprinted"' in shown  # down, past the rule for pages
    answer = client.post(f"{LIST}move/", {"move": "fonts:fingerprinted"}, follow=True)
    assert "Fonts is tried before fingerprinted" in answer.text
    ((where, _),) = answer.redirect_chain
    assert f'id="{where.partition("#")[2]}"' in answer.text, "the keyboard goes on at the rule"
    assert [version.rule.slug for version in newest_versions()] == [
        "pages",
        "fonts",
        "fingerprinted",
        "everything",
    ]
    assert newest("fonts").reason == "moved before fingerprinted"
    entry = AuditEntry.objects.order_by("-sequence").first()
    assert entry
    assert entry.action == "cacherule.move"
    refused = client.post(f"{LIST}move/", {"move": "everything:pages"}, follow=True)
    assert "expected to be decided by" in refused.text
    assert refused.redirect_chain == [(LIST, 302)], "what is refused is read on top"
    assert newest("everything").number == 1
    assert "There is no cache rule" in client.post(f"{LIST}move/", {"move": "x:"}, follow=True).text


def test_a_rule_that_is_moved_is_shown_on_the_page_where_it_stands_now(
    shipped: Shipped, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin.site.get_model_admin(CacheRule), "list_per_page", 2)
    client = staff_client(manager)
    client.post(f"{LIST}add/", new_rule(client))
    answer = client.post(f"{LIST}move/", {"move": "fonts:everything"}, follow=True)
    assert answer.redirect_chain == [(f"{LIST}?p=2#rule-fonts", 302)]
    assert 'id="rule-fonts"' in answer.text
    refused = client.post(f"{LIST}move/", {"move": "everything:pages"}, follow=True)
    assert 'id="rule-everything"' in refused.text


def test_how_rules_combine_is_told_on_top_and_chosen_with_a_reason(shipped: Shipped, manager: User) -> None:
    client = staff_client(manager)
    assert "the first that matches a file decides" in client.get(LIST).text
    assert client.post(f"{LIST}combine/", {"combination": "odd"}).status_code == 400
    assert "Say why" in client.post(f"{LIST}combine/", {"combination": "merge"}, follow=True).text
    client.post(f"{LIST}combine/", {"combination": "merge", "reason": "Fonts need CORS."})
    shown = client.get(LIST).text
    assert "all that match a file are merged" in shown
    assert "Fonts need CORS." in shown


def test_a_pasted_headers_file_shows_its_drafts_and_saves_all_or_none(
    shipped: Shipped, manager: User
) -> None:
    client, where = staff_client(manager), f"{LIST}import/"
    assert f'href="{where}"' in client.get(LIST).text
    fonts = "/fonts/*\r\n  Cache-Control: public, max-age=60\r\n  X-Robots-Tag: noindex\r\n"
    text = f"{fonts}/*.js\r\n  Cache-Control: no-store\r\n"
    shown = client.post(where, {"text": text, "step": "look"}).text
    for words in ("It makes 2 drafts.", "public, max-age=60", "no-store", "Save 2 drafts", "/fonts/*"):
        assert words in shown
    assert "X-Robots-Tag: noindex</code>" in shown
    for wrong, words in (("Cache-Control: x", "line 1"), ("", "nothing that a rule could")):
        answer = client.post(where, {"text": wrong, "step": "save"})
        assert (answer.status_code, words.lower() in answer.text.lower()) == (400, True)
    would_be_refused = client.post(where, {"text": f"/{'b' * 300}\n  Vary: Origin", "step": "look"})
    assert "Use 1 to 200 printable characters." in would_be_refused.text
    assert CacheRule.objects.count() == 3
    saved = client.post(where, {"text": text, "step": "save"}, follow=True)
    assert "2 saved as drafts: they ship with nothing" in saved.text
    assert CacheRuleVersion.objects.filter(state="draft", created_by=manager).count() == 2


STEPS = [
    ("add/", {}),
    ("{pk}/edit/", {}),
    ("outcome/", {"rule": "everything"}),
    ("import/", {"text": "/*\n  Cache-Control: no-store", "step": "look"}),
    ("{pk}/state/", {"state": "disabled", "reason": "x"}),
    ("{pk}/restore/1/", {"reason": "x"}),
    ("move/", {"move": "everything:pages"}),
    ("combine/", {"combination": "merge", "reason": "x"}),
]


@pytest.mark.parametrize("role", [None, Role.VIEWER, Role.EDITOR, Role.MANAGER, Role.ADMINISTRATOR])
def test_only_who_may_change_rules_does_by_whatever_is_sent(
    shipped: Shipped, make_user: MakeUser, role: Role | None
) -> None:
    user = make_user("somebody", role or Role.VIEWER)
    if role is None:
        user.groups.clear()
    client, pk = staff_client(user), newest().rule_id
    may = role in {Role.MANAGER, Role.ADMINISTRATOR}
    for where, sent in STEPS:
        answer = client.post(LIST + where.format(pk=pk), sent, follow=True)
        has_refused = answer.status_code == 403 or " may not " in answer.text
        assert has_refused is not may, where
    compared = client.get(f"{LIST}{pk}/compare/", {"old": 1})
    assert compared.status_code == (200 if role else 403)
    if not may:
        assert "/restore/" not in compared.text
        assert (CacheRuleVersion.objects.count(), RuleCombination.objects.count()) == (3, 0)
    forged = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    forged.defaults.update(client.defaults)
    forged.cookies = client.cookies
    assert {forged.post(LIST + where.format(pk=pk), sent).status_code for where, sent in STEPS} == {403}
