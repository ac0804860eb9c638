"""An act of tagging is taken back by another one, which is exactly its inverse, or not at all."""

from collections.abc import Callable

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.assets.exceptions import TaggedSince, UnknownPath, UnknownTagging, WrongReason, WrongTag
from apps.assets.models import AssetTag, Tagging
from apps.assets.selectors import (
    counts_of_taggings,
    later_tagging_of,
    near_path,
    newest_tagging,
    tag_counts,
    tagging_numbered,
    tags_ever,
    tags_of,
)
from apps.assets.services import ensure_assets, planned_tagging, tag_assets, undo_tagging
from apps.assets.services.tagging import MAX_REASON_CHARACTERS
from apps.assets.tag_words import TagCounts
from apps.audit.models import AuditEntry
from apps.tag_names import MAX_TAGS

pytestmark = pytest.mark.django_db

PATHS = ["a.css", "b.css", "img/hero.png"]
Tag = Callable[..., Tagging]


@pytest.fixture
def tag(editor: User) -> Tag:
    """Return a function that tags files, as an editor, and returns the act; there are some files."""
    ensure_assets(PATHS)

    def act(*paths: str, add: str = "", remove: str = "") -> Tagging:
        made = tag_assets(paths=paths, add=add.split(), remove=remove.split(), actor=editor)
        assert made
        return made

    return act


def now() -> dict[str, frozenset[str]]:
    newest = newest_tagging()
    return tags_of(PATHS, at=newest.pk if newest else None)


def test_what_was_given_is_taken_and_what_was_taken_is_given(tag: Tag, other_editor: User) -> None:
    tag("a.css", "b.css", add="sale")
    before = now()
    act = tag("a.css", "img/hero.png", add="hero", remove="sale")
    changed = now()

    undone = undo_tagging(tagging=act, actor=other_editor)

    assert now() == before
    assert undone.created_by == other_editor
    assert undone.reason == f"Takes back tagging {act.pk}."
    assert tags_of(PATHS, at=act.pk) == changed  # what a release has pinned stays as it was
    undo_tagging(tagging=undone, actor=other_editor, reason="It was right.")
    assert now() == changed


def test_what_carried_the_tag_before_the_act_carries_it_after_its_undoing(tag: Tag, editor: User) -> None:
    tag("a.css", add="sale")
    act = tag("a.css", "b.css", add="sale")

    undo_tagging(tagging=act, actor=editor)

    assert now() == {"a.css": {"sale"}, "b.css": set(), "img/hero.png": set()}


def test_the_log_says_what_was_taken_back(tag: Tag, editor: User) -> None:
    act = tag("a.css", "b.css", add="sale")
    undo_tagging(tagging=act, actor=editor, reason=" Too early. ")
    entry = AuditEntry.objects.latest("sequence")
    assert (entry.action, entry.summary) == ("asset.tag", "The tag sale was taken from 2 files.")
    assert entry.details["undoes"] == act.pk
    assert entry.details["reason"] == "Too early."


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ({"add": "sale"}, {"remove": "sale"}),
        ({"remove": "old"}, {"add": "old"}),
        ({"add": "sale", "remove": "old"}, {"add": "old"}),
    ],
)
def test_what_a_later_act_has_changed_again_is_not_taken_back(
    tag: Tag, editor: User, first: dict[str, str], later: dict[str, str]
) -> None:
    tag("a.css", "b.css", add="old")
    act = tag("a.css", "b.css", **first)
    touching = tag("b.css", **later)
    before = (now(), Tagging.objects.count())
    assert later_tagging_of(act) == touching
    assert later_tagging_of(touching) is None

    words = (
        f"Tagging {act.pk} cannot be taken back: tagging {touching.pk} of eva has changed .* of b.css since"
    )
    with pytest.raises(TaggedSince, match=words) as refused:
        undo_tagging(tagging=act, actor=editor)

    assert (now(), Tagging.objects.count()) == before
    assert f"Take back tagging {touching.pk} first" in refused.value.next_step


def test_an_act_is_taken_back_once(tag: Tag, editor: User) -> None:
    act = tag(*PATHS, add="sale")
    undone = undo_tagging(tagging=act, actor=editor)
    with pytest.raises(TaggedSince, match=rf"tagging {undone.pk} of eva .* of a\.css \(and 2 more\) since"):
        undo_tagging(tagging=act, actor=editor)


def test_a_tag_that_came_and_went_again_after_the_act_counts_as_touched(tag: Tag, editor: User) -> None:
    tag("a.css", add="sale")
    act = tag("a.css", remove="sale")
    tag("a.css", add="sale")
    last = tag("a.css", remove="sale")
    with pytest.raises(TaggedSince, match=f"tagging {last.pk} of eva"):
        undo_tagging(tagging=act, actor=editor)


def test_other_tags_and_other_files_are_no_reason(tag: Tag, editor: User) -> None:
    act = tag("a.css", add="sale")
    tag("a.css", add="hero")
    tag("b.css", add="sale")
    undo_tagging(tagging=act, actor=editor)
    assert now() == {"a.css": {"hero"}, "b.css": {"sale"}, "img/hero.png": set()}


def test_no_file_carries_too_many_tags_by_an_undoing(tag: Tag, editor: User) -> None:
    tag("a.css", add=" ".join(f"tag-{number}" for number in range(MAX_TAGS)))
    act = tag("a.css", remove="tag-0")
    tag("a.css", add="more")
    with pytest.raises(WrongTag, match=f"a.css would carry more than {MAX_TAGS} tags"):
        undo_tagging(tagging=act, actor=editor)


def test_a_viewer_takes_nothing_back(tag: Tag, viewer: User) -> None:
    act = tag("a.css", add="sale")
    with pytest.raises(Forbidden, match="vera may not tag files"):
        undo_tagging(tagging=act, actor=viewer)
    with pytest.raises(Forbidden, match="vera may not tag files"):
        planned_tagging(paths=["a.css"], add=["hero"], actor=viewer)
    assert now()["a.css"] == {"sale"}


@pytest.mark.parametrize("reason", ["a\0b", "\udcff", "x" * (MAX_REASON_CHARACTERS + 1)])
def test_a_reason_that_no_database_keeps_is_refused(tag: Tag, editor: User, reason: str) -> None:
    act = tag("a.css", add="sale")
    with pytest.raises(WrongReason, match="cannot be kept"):
        undo_tagging(tagging=act, actor=editor, reason=reason)
    with pytest.raises(WrongReason, match="cannot be kept"):
        tag_assets(paths=["a.css"], add=["hero"], actor=editor, reason=reason)
    assert now()["a.css"] == {"sale"}


def test_any_number_of_files_is_taken_back_in_a_few_statements(
    tag: Tag, editor: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    paths = [f"img/{number}.png" for number in range(300)]
    ensure_assets(paths)
    act = tag(*paths, add="sale hero")
    with django_assert_max_num_queries(20):
        undo_tagging(tagging=act, actor=editor)
    assert not AssetTag.objects.filter(until__isnull=True).exists()


def test_what_would_be_done_can_be_asked_before(tag: Tag, editor: User) -> None:
    tag("a.css", add="sale")
    acts = Tagging.objects.count()
    plan = planned_tagging(paths=["a.css", "b.css"], add=["Sale", "hero"], remove=["old"], actor=editor)
    assert plan == TagCounts({"hero": 2, "sale": 1}, {})
    assert plan.words == "The tag hero was given to 2 files; the tag sale was given to one file."
    assert not planned_tagging(paths=["a.css"], add=["sale"], remove=["old"], actor=editor)
    with pytest.raises(UnknownPath):
        planned_tagging(paths=["c.css"], add=["sale"], actor=editor)
    assert Tagging.objects.count() == acts


def test_what_acts_did_is_counted(tag: Tag, editor: User) -> None:
    first = tag("a.css", "b.css", add="sale")
    second = tag("a.css", add="hero", remove="sale")
    assert counts_of_taggings([first.pk, second.pk]) == {
        first.pk: TagCounts({"sale": 2}, {}),
        second.pk: TagCounts({"hero": 1}, {"sale": 1}),
    }
    assert tag_counts() == [("hero", 1), ("sale", 1)]
    assert tag_counts(["sale", "none"]) == [("sale", 1)]
    tag("b.css", remove="sale")
    assert [(row["name"], row["files"]) for row in tags_ever()] == [("hero", 1), ("sale", 0)]
    with pytest.raises(UnknownTagging, match="There is no tagging 99"):
        tagging_numbered(99)


@pytest.mark.parametrize(
    ("typed", "near"),
    [
        ("img/heor.png", ["img/hero.png"]),
        ("/img/hero.png", ["img/hero.png"]),
        ("image/hero.png", ["img/hero.png"]),
        ("c.css", ["a.css", "b.css"]),
        ("nothing/like/it", []),
        ("a\0.css", ["a.css", "b.css"]),
    ],
)
def test_the_paths_that_look_like_one_that_there_is_not(tag: Tag, typed: str, near: list[str]) -> None:
    assert sorted(near_path(typed)) == near


def test_a_path_that_no_file_has_names_those_near_it(tag: Tag, editor: User) -> None:
    with pytest.raises(UnknownPath, match=r"'img/heor\.png'") as refused:
        tag_assets(paths=["img/heor.png"], add=["sale"], actor=editor)
    assert refused.value.next_step == "Near it: img/hero.png."
    with pytest.raises(UnknownPath, match="x00"):
        tag_assets(paths=["a.css\0"], add=["sale"], actor=editor)
