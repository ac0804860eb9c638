"""Tags of assets: given and taken away in numbered acts, so that what was tagged then can be told now."""

import pytest
from django.db import IntegrityError, transaction
from pytest_django import DjangoAssertNumQueries

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.assets.exceptions import UnknownPath, WrongTag
from apps.assets.models import AssetTag, Tagging
from apps.assets.selectors import newest_tagging, tag_differences, tagged_paths, tags_of
from apps.assets.services import ensure_assets, tag_assets
from apps.audit.models import AuditEntry
from apps.tag_names import MAX_TAGS

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _assets() -> None:
    ensure_assets(["a.css", "b.css", "img/hero.png"])


def test_each_act_can_be_asked_for_later(editor: User) -> None:
    first = tag_assets(paths=["a.css", "b.css"], add=["sale"], actor=editor)
    second = tag_assets(paths=["a.css", "img/hero.png"], add=["hero"], remove=["sale"], actor=editor)
    third = tag_assets(paths=["a.css"], add=["sale"], remove=["hero"], actor=editor)
    assert first is not None
    assert second is not None
    assert third is not None
    names = ["hero", "sale"]
    assert tagged_paths(names, at=None) == {}
    assert tagged_paths(names, at=first.pk) == {"a.css": {"sale"}, "b.css": {"sale"}}
    assert tagged_paths(names, at=second.pk) == {
        "a.css": {"hero"},
        "b.css": {"sale"},
        "img/hero.png": {"hero"},
    }
    assert tagged_paths(["sale"], at=third.pk) == {"a.css": {"sale"}, "b.css": {"sale"}}
    assert tags_of(["a.css", "none.css"], at=third.pk) == {"a.css": {"sale"}, "none.css": frozenset()}
    assert newest_tagging() == third
    found = tag_differences([None, first.pk, second.pk, third.pk], third.pk, names)
    assert found == {
        None: {"hero": (1, 0), "sale": (2, 0)},
        first.pk: {"hero": (1, 0)},  # a.css has lost the tag meanwhile, and has it again
        second.pk: {"hero": (0, 1), "sale": (1, 0)},
        third.pk: {},
    }
    assert tag_differences([third.pk], first.pk, names) == {third.pk: {"hero": (0, 1)}}


def test_what_changes_nothing_is_no_act(editor: User) -> None:
    tag_assets(paths=["a.css"], add=["sale"], actor=editor)
    entries = AuditEntry.objects.count()
    assert tag_assets(paths=["a.css"], add=[" Sale "], remove=["hero"], actor=editor) is None
    assert (Tagging.objects.count(), AuditEntry.objects.count()) == (1, entries)


def test_the_log_says_who_tagged_what_and_why(editor: User) -> None:
    tag_assets(paths=["a.css", "b.css"], add=["summer sale"], reason=" The banner. ", actor=editor)
    entry = AuditEntry.objects.latest("sequence")
    assert (entry.actor_name, entry.action, entry.target) == (editor.username, "asset.tag", "assets")
    assert entry.summary == "The tag summer-sale was given to 2 files."
    assert entry.details["paths"] == ["a.css", "b.css"]
    assert entry.details["reason"] == "The banner."


@pytest.mark.parametrize("name", ["", "ä", "-a", "a-", "a/b", "a" * 61, "a\nb\x00"])
def test_a_name_that_is_none_is_refused(editor: User, name: str) -> None:
    with pytest.raises(WrongTag, match="is no tag"):
        tag_assets(paths=["a.css"], add=["good", name], actor=editor)
    assert not AssetTag.objects.exists()


def test_a_tag_is_not_given_and_taken_at_once(editor: User) -> None:
    with pytest.raises(WrongTag, match="sale is to be given and to be taken away"):
        tag_assets(paths=["a.css"], add=["sale"], remove=["SALE"], actor=editor)


def test_all_or_none(editor: User) -> None:
    with pytest.raises(UnknownPath, match=r"'nowhere\.css' \(and 1 more\)"):
        tag_assets(paths=["a.css", "nowhere.css", "where.css"], add=["sale"], actor=editor)
    assert not AssetTag.objects.exists()


def test_a_file_carries_so_many_tags_at_most(editor: User) -> None:
    names = [f"tag-{number}" for number in range(MAX_TAGS)]
    tag_assets(paths=["a.css"], add=names, actor=editor)
    with pytest.raises(WrongTag, match=f"a.css would carry more than {MAX_TAGS} tags"):
        tag_assets(paths=["a.css", "b.css"], add=["more"], actor=editor)
    assert tag_assets(paths=["a.css"], add=["more"], remove=["tag-0"], actor=editor)


def test_a_viewer_may_not(viewer: User) -> None:
    with pytest.raises(Forbidden):
        tag_assets(paths=["a.css"], add=["sale"], actor=viewer)


def test_the_database_keeps_what_was_tagged(editor: User) -> None:
    tag_assets(paths=["a.css"], add=["sale"], actor=editor)
    again = tag_assets(paths=["a.css"], remove=["sale"], actor=editor)
    tag = AssetTag.objects.get()
    for attempt in (
        lambda: AssetTag.objects.update(name="other"),
        lambda: AssetTag.objects.update(until=None),
        lambda: AssetTag.objects.update(until=again),
        lambda: AssetTag.objects.all().delete(),
        lambda: Tagging.objects.update(reason="other"),
        lambda: Tagging.objects.all().delete(),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            attempt()
    tag.refresh_from_db()
    assert (tag.name, tag.until) == ("sale", again)


def test_any_number_of_files_takes_a_few_statements(
    editor: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    paths = [f"img/{number}.png" for number in range(300)]
    ensure_assets(paths)
    with django_assert_max_num_queries(20):
        tag_assets(paths=paths, add=["sale", "hero"], actor=editor)
    with django_assert_max_num_queries(20):
        tag_assets(paths=paths, remove=["sale", "hero"], actor=editor)
    assert AssetTag.objects.filter(until__isnull=False).count() == 600
