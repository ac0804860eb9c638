"""Tags through the life of releases: pinned with the rules that ask for them, whatever becomes of them."""

import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import User
from apps.assets.models import Tagging
from apps.assets.services import tag_assets
from apps.caching.defaults import EVERYTHING
from apps.caching.rules import Combination, Example, Match, Policy, RuleState
from apps.caching.serialisation import as_json
from apps.caching.services import add_rule, choose_combination, set_state
from apps.releases.comparing.rules import rules_brought
from apps.releases.exceptions import NothingChanges, NothingToRevert, SelfApproval
from apps.releases.models import Approval, CheckResult, Publication, Release
from apps.releases.rolling_back.preview import preview_roll_back
from apps.releases.selectors import channel_named, live_publication, open_manifest
from apps.releases.selectors.reviews import reviews_for
from apps.releases.services import drafts, publishing, review
from apps.releases.services.combining import combine
from apps.releases.services.pinning import begin_with_rules, differences_today, rules_to_take, take_rules
from apps.releases.services.promoting import promote
from apps.releases.services.rebasing import rebase
from apps.releases.services.reverting import revert
from apps.releases.services.splitting import Selection, split
from tests.releases.conftest import BRIEF, MakeRelease, Publish, put
from tests.releases.test_promoting import WORDS
from tests.releases.test_release_redirects import bring_live
from tests.staff import staff_client

SALE = replace(
    EVERYTHING,
    name="Sale",
    order=300,
    match=Match(tags=("sale",)),
    policy=Policy(browser_ttl_seconds=7),
    bypass_conditions=(),
    examples=(Example(url="/sale.png", rule="sale", is_cached=True, tags=("sale",)),),
)
CSS, JS = "css/a.css", "js/x.js"

Tag = Callable[..., int]


@pytest.fixture
def tag(editor: User) -> Tag:
    """Return a function that gives the tag `sale` to paths, or takes it from them, and returns the act."""

    def give(*paths: str, away: bool = False, reason: str = "") -> int:
        names = {"remove" if away else "add": ["sale"]}
        act = tag_assets(paths=paths, actor=editor, reason=reason, **names)
        assert act
        return act.pk

    return give


@pytest.fixture
def site(live: Release, publish: Publish) -> Release:
    """What is live, with a stylesheet and a script of these names."""
    return publish(put(CSS, "a{}"), put(JS, "1"))


@pytest.fixture
def sale(site: Release, administrator: User, tag: Tag) -> int:
    """A rule for what is on sale, which the stylesheet is; return the act that says so."""
    add_rule(slug="sale", actor=administrator, content=as_json(SALE))
    return tag(CSS, reason="The banner.")


def rule_of(release: Release, path: str) -> str:
    assert release.manifest
    reader = open_manifest(release.manifest)
    entry = reader.lookup(path)
    assert entry
    return reader.header_sets[entry.header_set].rule


def released(release: Release, editor: User, manager: User) -> Release:
    bring_live(release, editor, manager)
    release.refresh_from_db()
    return release


def rules_alone(live: Release, actor: User) -> Release:
    draft = begin_with_rules(channel=live.channel, title="", actor=actor)
    return drafts.edit_release(release=draft, actor=actor, **BRIEF)


def printed(*words: str) -> Any:
    output = StringIO()
    call_command(*words, "--json", stdout=output)
    return json.loads(output.getvalue())


def test_a_release_of_rules_alone_gives_tagged_files_their_headers(
    sale: int, site: Release, editor: User, manager: User
) -> None:
    draft = rules_alone(site, editor)
    assert draft.tagging_id == sale
    released(draft, editor, manager)
    assert (rule_of(draft, CSS), rule_of(draft, JS)) == ("sale", "everything")
    assert rule_of(site, CSS) == "everything"


def test_rules_that_ask_for_no_tag_pin_none(site: Release, make_release: MakeRelease, tag: Tag) -> None:
    tag(CSS)
    assert make_release().tagging_id is None
    assert not rules_to_take(site)


def test_a_release_goes_on_as_files_were_tagged_when_it_was_begun(
    sale: int, make_release: MakeRelease, editor: User, manager: User, tag: Tag
) -> None:
    release = make_release(put("new.txt", "new"))
    tag(CSS, away=True)
    tag(JS)
    released(release, editor, manager)
    assert (release.tagging_id, rule_of(release, CSS), rule_of(release, JS)) == (sale, "sale", "everything")


def test_a_draft_takes_the_tags_of_today(
    sale: int, make_release: MakeRelease, editor: User, manager: User, tag: Tag
) -> None:
    released(make_release(), editor, manager)
    draft = make_release(put(JS, "2"), title="Later")
    tag(CSS, away=True)
    newest = tag(JS, "index.html")
    assert rules_to_take(draft).words == ["The tag sale: 2 files more, 1 fewer"]
    page = staff_client(editor).get(f"/admin/releases/release/{draft.pk}/change/").content.decode()
    assert "The tag sale: 2 files more, 1 fewer" in page
    difference = take_rules(release=draft, actor=editor)
    assert difference.words == ["The tag sale: 2 files more, 1 fewer"]
    draft.refresh_from_db()
    assert draft.tagging_id == newest
    assert not rules_to_take(draft)
    released(draft, editor, manager)
    assert [rule_of(draft, path) for path in (CSS, JS, "index.html")] == ["everything", "sale", "pages"]


def test_a_reviewer_sees_which_rules_and_tags_a_release_brings(
    sale: int, make_release: MakeRelease, editor: User, manager: User, tag: Tag
) -> None:
    first = make_release()
    assert rules_brought(first).words == ["Sale: version 1 applies as well", "The tag sale: 1 file more"]
    released(first, editor, manager)
    tag(JS, "index.html")
    second = make_release()
    shown = printed("release", "show", str(second.pk))
    assert (shown["rules"], shown["tags"]) == ([], {"sale": {"more": 2, "fewer": 0}})
    for release, words in ((first, "Sale</a>: version 1 applies as well"), (second, "sale: 2 files more")):
        page = staff_client(manager).get(f"/admin/releases/release/{release.pk}/change/").content.decode()
        assert "Cache rules that it brings" in page
        assert words in page
    output = StringIO()
    call_command("release", "show", str(second.pk), stdout=output)
    assert "  The tag sale: 2 files more\n" in output.getvalue()
    call_command("release", "report", str(second.pk), stdout=output)
    assert "The tag sale: 2 files more" in output.getvalue()


def test_tags_alone_are_enough_for_a_release_and_tags_that_no_rule_asks_for_are_not(
    sale: int, make_release: MakeRelease, editor: User, manager: User, tag: Tag
) -> None:
    live = released(make_release(), editor, manager)
    tag_assets(paths=[JS], add=["summer"], actor=editor)
    with pytest.raises(NothingChanges):
        begin_with_rules(channel=live.channel, title="", actor=editor)
    tag(JS)
    draft = released(rules_alone(live, editor), editor, manager)
    assert (rule_of(live, JS), rule_of(draft, JS)) == ("everything", "sale")


def test_what_today_differs_in_takes_a_few_queries_for_any_number_of_releases(
    sale: int, make_release: MakeRelease, tag: Tag, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    releases: list[Release | None] = []
    for number in range(4):
        releases.append(Release.objects.get(pk=make_release(title=f"{number}").pk))
        tag(JS, away=bool(number % 2))
    with django_assert_num_queries(5):
        found = differences_today([*releases, None])
    assert [bool(each) for each in found] == [False, True, False, True, True]


def test_a_rebased_release_is_tagged_as_what_is_live_by_now(
    sale: int, make_release: MakeRelease, publish: Publish, editor: User, manager: User, tag: Tag
) -> None:
    released(make_release(), editor, manager)
    mine = make_release(put("mine.txt", "mine"))
    newest = tag(JS)
    publish(put("other.txt", "other"))
    assert rebase(release=mine, actor=editor).tagging_id == newest


def test_a_rebased_release_keeps_tags_that_only_it_has_taken(
    sale: int, make_release: MakeRelease, publish: Publish, editor: User, manager: User, tag: Tag
) -> None:
    released(make_release(), editor, manager)
    other = make_release(put("other.txt", "other"))
    newest = tag(JS)
    mine = make_release(put("mine.txt", "mine"))
    released(other, editor, manager)
    assert rebase(release=mine, actor=editor).tagging_id == newest


def test_where_both_have_taken_tags_the_later_act_counts(
    sale: int, make_release: MakeRelease, publish: Publish, editor: User, manager: User, tag: Tag
) -> None:
    released(make_release(), editor, manager)
    tag(JS)
    mine = make_release(put("mine.txt", "mine"))
    newest = tag("index.html")
    publish(put("other.txt", "other"))
    assert rebase(release=mine, actor=editor).tagging_id == newest


def test_a_release_that_brings_the_first_rule_for_tags_keeps_them_when_it_is_rebased(
    site: Release, make_release: MakeRelease, editor: User, manager: User, administrator: User, tag: Tag
) -> None:
    other = make_release(put("other.txt", "other"))
    add_rule(slug="sale", actor=administrator, content=as_json(SALE))
    newest = tag(CSS)
    mine = make_release(put("mine.txt", "mine"))
    released(other, editor, manager)
    assert rebase(release=mine, actor=editor).tagging_id == newest


def test_a_release_without_a_rule_for_tags_pins_none_when_it_is_rebased(
    sale: int, make_release: MakeRelease, editor: User, manager: User, administrator: User
) -> None:
    released(make_release(), editor, manager)
    other = make_release(put("other.txt", "other"))
    set_state(rule_slug="sale", state=RuleState.DISABLED, reason="Over.", actor=administrator)
    mine = make_release(put("mine.txt", "mine"))
    released(other, editor, manager)
    assert rebase(release=mine, actor=editor).tagging_id is None


def test_reverting_gives_back_how_files_were_tagged(
    sale: int, make_release: MakeRelease, editor: User, manager: User, tag: Tag
) -> None:
    first = released(make_release(), editor, manager)
    tag(JS)
    second = released(rules_alone(first, editor), editor, manager)
    draft = revert(release=second, actor=editor)
    assert draft.tagging_id == sale
    assert draft.base == second
    released(draft, editor, manager)
    assert rule_of(draft, JS) == "everything"
    with pytest.raises(NothingToRevert):
        revert(release=second, actor=editor)


def test_parts_and_promotions_are_tagged_as_the_whole(
    sale: int, make_release: MakeRelease, editor: User, manager: User, tag: Tag
) -> None:
    whole = make_release(put("a.txt", "a"), put("b.txt", "b"))
    staged = drafts.create_release(
        title="Staged", channel=channel_named("staging"), changes=[put(CSS, "b{}")], actor=editor, **WORDS
    )
    tag(JS)
    part = split(release=whole, selection=Selection(names=["a.txt"]), title="", actor=editor)
    review.submit(release=staged, actor=editor)
    publishing.publish(release=staged, actor=manager)
    promoted = promote(source=channel_named("staging"), target=whole.channel, actor=editor)
    assert (part.tagging_id, promoted.tagging_id) == (sale, sale)


def test_combined_drafts_are_tagged_as_the_one_that_has_taken_tags_last(
    sale: int, make_release: MakeRelease, editor: User, manager: User, tag: Tag
) -> None:
    released(make_release(), editor, manager)
    first = make_release(put("a.txt", "a"))
    newest = tag(JS)
    second = make_release(put("b.txt", "b"))
    tag("index.html")
    assert combine(releases=[second, first], title="", actor=editor).tagging_id == newest


def test_a_roll_back_says_beforehand_what_is_tagged_otherwise(
    sale: int, make_release: MakeRelease, editor: User, manager: User, administrator: User, tag: Tag
) -> None:
    first = released(make_release(), editor, manager)
    tag(JS, "index.html")
    released(rules_alone(first, editor), editor, manager)
    goal, live = Publication.objects.get(release=first), live_publication(first.channel)
    assert live
    assert preview_roll_back(live, goal).rules.tags == {"sale": (0, 2)}
    output = StringIO()
    call_command("release", "rollback", "--to", goal.tag, "--dry-run", stdout=output)
    assert "The tag sale: 2 files fewer" in output.getvalue()
    url = f"/admin/releases/channel/{first.channel_id}/roll-back/{goal.sequence}/"
    assert "The tag sale: 2 files fewer." in staff_client(administrator).get(url).content.decode()
    assert printed("release", "rollback", "--to", goal.tag, "--dry-run")["tags"] == {
        "sale": {"more": 0, "fewer": 2}
    }


def test_a_trace_says_which_tags_a_file_carries_and_who_gave_them(
    sale: int, make_release: MakeRelease, editor: User, manager: User, tag: Tag
) -> None:
    released(make_release(), editor, manager)
    found = printed("trace", f"/{CSS}", "--since")
    assert (found["rule"], found["tags"]) == ("sale", ["sale"])
    assert found["considered"][2]["because"] == "It carries the tag sale."
    [turn, *_] = found["since"]["turns"]
    [words] = turn["tags_changed"]
    assert words.startswith(f"the tag sale was given to it by {editor} at ")
    assert words.endswith(": “The banner.”")
    other = printed("trace", f"/{JS}")
    assert (other["rule"], other["tags"]) == ("everything", [])
    assert other["considered"][2]["because"] == "It does not carry the tag sale."
    page = staff_client(editor).get(f"/admin/releases/release/trace/?url=/{CSS}&since=3").content.decode()
    assert "tagged sale." in page
    assert "The tag sale was given to it by" in page


def test_a_trace_of_a_roll_back_says_that_a_file_is_tagged_as_it_was(
    sale: int, make_release: MakeRelease, editor: User, manager: User, tag: Tag
) -> None:
    first = released(make_release(), editor, manager)
    tag(CSS, away=True, reason="Over.")
    released(rules_alone(first, editor), editor, manager)
    goal = Publication.objects.get(release=first)
    publishing.roll_back(channel=first.channel, to=goal.sequence, reason="Too early.", actor=manager)
    turns = printed("trace", f"/{CSS}", "--since")["since"]["turns"]
    words = [each for turn in turns for each in turn["tags_changed"]]
    assert words[0] == "it carries the tag sale, as it did then"
    assert words[1].startswith(f"the tag sale was taken from it by {editor} at ")
    assert words[1].endswith(": “Over.”")


def test_examples_speak_of_files_as_they_are_tagged_where_some_lie(
    site: Release, make_release: MakeRelease, editor: User, manager: User, tag: Tag
) -> None:
    examples = (*SALE.examples, Example(url=f"/{CSS}", rule="sale", is_cached=True, tags=("sale",)))
    add_rule(slug="sale", actor=manager, content=as_json(replace(SALE, examples=examples)))
    release = review.submit(release=make_release(), actor=editor)
    result = CheckResult.objects.get(release=release)
    assert result.outcome == CheckResult.Outcome.FAILED
    [finding] = result.findings
    assert finding["subject"] == f"sale, example 2: /{CSS}"
    tag(CSS)
    tagged = review.submit(release=make_release(), actor=editor)
    assert CheckResult.objects.get(release=tagged).outcome == CheckResult.Outcome.PASSED


def test_nobody_tags_below_what_a_release_has_pinned(
    sale: int, make_release: MakeRelease, editor: User
) -> None:
    """A release that has pinned an act says the same for ever: the service only ever adds later acts."""
    release = make_release()
    tag_assets(paths=[JS], add=["sale"], actor=editor)
    assert Tagging.objects.count() == 2
    assert make_release().tagging_id != release.tagging_id


def test_merged_rules_take_their_tags_along(
    sale: int, make_release: MakeRelease, editor: User, manager: User
) -> None:
    choose_combination(combination=Combination.MERGE, reason="Tried.", actor=manager)
    release = released(make_release(), editor, manager)
    assert (rule_of(release, CSS), rule_of(release, JS)) == ("sale", "everything")


def test_who_tagged_files_for_its_rules_does_not_approve_a_release(
    sale: int, make_release: MakeRelease, editor: User, manager: User, administrator: User
) -> None:
    first = released(make_release(), editor, manager)
    tag_assets(paths=[JS], add=["summer"], actor=manager)
    unasked = review.submit(release=make_release(put("a.txt", "a")), actor=editor)
    tag_assets(paths=[JS], add=["sale"], actor=manager)
    tag_assets(paths=["index.html"], add=["sale"], actor=administrator)
    tag_assets(paths=["index.html"], remove=["sale"], actor=administrator)
    draft = rules_alone(first, editor)
    waiting = review.submit(release=draft, actor=editor)
    with pytest.raises(SelfApproval, match="ben has tagged files for its cache rules"):
        review.approve(release=waiting, digest=waiting.manifest_id or "", actor=manager)
    with pytest.raises(IntegrityError, match="self_approval"), transaction.atomic():
        Approval.objects.create(release=waiting, manifest_id=waiting.manifest_id or "", approver=manager)
    assert set(reviews_for(manager)) == {unasked}
    review.approve(release=waiting, digest=waiting.manifest_id or "", actor=administrator)
