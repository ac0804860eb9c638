"""The staff's pages on which files are tagged: who sees what, what is done, and what whoever sends gets."""

import re
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.accounts.roles import Role
from apps.assets.admin import tag_page
from apps.assets.models import Asset, AssetTag, Tagging
from apps.assets.selectors import found_assets, tags_of
from apps.assets.services import ensure_assets, tag_assets
from tests.conftest import MakeUser
from tests.staff import staff_client

pytestmark = pytest.mark.django_db

LIST = "/admin/assets/asset/"
TAG = f"{LIST}tag/"
TAGS = f"{LIST}tags/"
PATHS = ["css/site.css", "img/a.png", "img/b.png", "js/app.js"]
SHIPS = "Nothing has changed for visitors yet: a release ships it with its cache rules."


@pytest.fixture
def pk(editor: User) -> dict[str, int]:
    """Some files, by path."""
    return ensure_assets(PATHS)


@pytest.fixture
def eva(editor: User, pk: dict[str, int]) -> Client:
    return staff_client(editor)


def page(client: Client, address: str, status: int = 200, **posted: Any) -> str:
    """Return a page; where something is `posted`, the one that comes of it."""
    answer = client.post(address, posted, follow=True) if posted else client.get(address)
    assert answer.status_code == status
    return answer.content.decode()


def words(text: str) -> str:
    return " ".join(unescape(re.sub("<[^>]*>", " ", text)).split())


def now() -> dict[str, frozenset[str]]:
    newest = Tagging.objects.first()
    found = tags_of(PATHS, at=newest.pk if newest else None)
    return {path: tags for path, tags in found.items() if tags}


def rows(text: str) -> list[str]:
    return [path for path in PATHS if f">{path}</a>" in text]


def test_the_list_shows_tags_and_is_filtered_by_them_and_by_the_beginning_of_a_path(
    eva: Client, editor: User
) -> None:
    tag_assets(paths=["css/site.css", "img/a.png"], add=["summer-sale"], actor=editor)
    tag_assets(paths=["img/a.png"], add=["hero"], actor=editor)

    everything = page(eva, LIST)
    assert rows(everything) == PATHS
    assert everything.count(f'<a class="tag-chip" href="{LIST}?tag=summer-sale">summer-sale</a>') == 2
    assert "summer-sale (2)" in everything
    assert "hero (1)" in everything
    assert rows(page(eva, f"{LIST}?tag=summer-sale")) == ["css/site.css", "img/a.png"]
    found = page(eva, f"{LIST}?tag=summer-sale&q=img/")
    assert rows(found) == ["img/a.png"]
    assert f'href="{TAG}?q=img%2F&amp;tag=summer-sale"' in found


@pytest.mark.parametrize("tag", ["none", "<script>alert(1)</script>", "%00", "ä", "a" * 5000, "'; DROP"])
def test_a_tag_that_no_file_carries_finds_none(eva: Client, tag: str) -> None:
    found = page(eva, f"{LIST}?tag={tag}")
    assert rows(found) == []
    assert "Nothing fits." in found
    assert "<script>alert" not in found


def test_the_list_takes_as_many_queries_whatever_is_tagged(eva: Client, editor: User) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            page(eva, f"{LIST}?tag=sale")
        return len(asked)

    tag_assets(paths=["css/site.css"], add=["sale"], actor=editor)
    queries()
    for_one = queries()
    many = [f"many/{number}.png" for number in range(3000)]
    ensure_assets(many)
    tag_assets(paths=many, add=["sale", "hero"], actor=editor)
    assert queries() == for_one


def test_an_index_finds_the_files_that_carry_a_tag(eva: Client) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL's planner reads a small table as a whole")
    plan = found_assets(tag="sale", prefix="img/").explain()
    assert "USING INDEX asset_tag_by_name (name=?)" in plan
    assert "SCAN assets_asset" not in plan


def test_a_file_with_many_tags_shows_some(eva: Client, editor: User) -> None:
    tag_assets(paths=["img/a.png"], add=[f"t{number}" for number in range(8)], actor=editor)
    assert "t4</a> and 3 more" in page(eva, LIST)


def test_a_file_is_tagged_on_its_page_with_a_reason_and_the_way_back(eva: Client, pk: dict[str, int]) -> None:
    one = f"{LIST}{pk['img/a.png']}/"
    assert "No tag yet." in page(eva, f"{one}change/")

    said = page(eva, f"{one}tag/", add="Summer sale, hero", reason="The banner.")

    number = Tagging.objects.get().pk
    assert f"The tags hero and summer-sale were given to one file. {SHIPS}" in words(said)
    assert f'href="{TAGS}{number}/"' in said
    assert "The banner." in said  # its history
    said = page(eva, f"{one}tag/", remove=["hero"])
    assert "The tag hero was taken from one file." in said
    assert now() == {"img/a.png": {"summer-sale"}}
    assert "Nothing to do" in page(eva, f"{one}tag/", remove=["hero"])


def test_what_cannot_be_a_tag_is_said_at_the_field_and_what_was_typed_stays(
    eva: Client, pk: dict[str, int]
) -> None:
    one = f"{LIST}{pk['img/a.png']}/tag/"
    for address, more in ((one, {}), (f"{TAG}?q=img", {"count": "2"})):
        said = page(eva, address, 400, add="good, Übel", reason="Why?", **more)
        assert "is no tag. Use small letters" in words(said)
        assert 'value="good, Übel"' in said
        assert 'value="Why?"' in said
        assert "choose one to take away" in page(eva, address, 400, add=" , ", **more)
    assert not AssetTag.objects.exists()


def test_chosen_files_are_tagged_in_one_act(eva: Client, pk: dict[str, int]) -> None:
    chosen = [pk["img/a.png"], pk["js/app.js"]]
    went = eva.post(f"{LIST}?q=", {"action": "tag_chosen", "_selected_action": chosen, "index": "0"})
    address = went.headers["location"]
    assert address == f"{TAG}?files={chosen[0]},{chosen[1]}"
    asked = page(eva, address)
    assert "Tag 2 files" in asked
    assert "img/a.png" in asked

    said = page(eva, address, add="hero", count="2")

    assert f"The tag hero was given to 2 files. {SHIPS}" in words(said)
    assert now() == {"img/a.png": {"hero"}, "js/app.js": {"hero"}}
    assert Tagging.objects.count() == 1
    asked = page(eva, f"{TAG}?files={chosen[0]},{pk['css/site.css']}")
    assert "hero (1 of 2)" in words(asked)


def test_all_that_a_search_finds_is_tagged_in_one_act(eva: Client, editor: User, pk: dict[str, int]) -> None:
    tag_assets(paths=["css/site.css", "img/a.png", "img/b.png"], add=["old"], actor=editor)
    across = {"action": "tag_chosen", "_selected_action": [1], "index": "0", "select_across": "1"}
    address = f"{TAG}?q=img%2F&tag=old"
    assert eva.post(f"{LIST}?q=img/&tag=old", across).headers["location"] == address
    assert "All whose paths begin with img/ and that carry old." in words(page(eva, address))

    answer = eva.post(address, {"add": "new", "remove": ["old"], "count": "2"})

    assert answer.headers["location"] == f"{LIST}?q=img%2F&tag=old"
    assert now() == {"css/site.css": {"old"}, "img/a.png": {"new"}, "img/b.png": {"new"}}
    assert "All that there are." in words(page(eva, TAG))


def test_files_that_came_meanwhile_are_looked_at_first(eva: Client) -> None:
    said = page(eva, f"{TAG}?q=img", 409, add="hero", count="1")
    assert "Meanwhile these are 2 files." in said
    assert 'value="hero"' in said
    assert not AssetTag.objects.exists()


def test_more_than_a_page_tags_is_left_to_the_command(eva: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag_page, "MOST_FILES", 3)
    said = page(eva, TAG)
    assert "more than the 3 that a page tags at once" in words(said)
    assert "scripts/manage asset tag --below FOLDER --add TAG" in words(said)
    assert 'name="add"' not in said
    page(eva, TAG, 409, add="hero", count="4")
    assert not AssetTag.objects.exists()
    assert "Tag 2 files" in page(eva, f"{TAG}?q=img")


@pytest.mark.parametrize(
    "query", ["files=99", "files=0,-1,x,9999999999999999999999", "q=none", "tag=%3Cb%3E", "q=%00", "tag=%00"]
)
def test_no_file_is_no_page(eva: Client, query: str) -> None:
    answer = eva.get(f"{TAG}?{query}")
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(LIST)
    assert "No file is chosen" in page(eva, LIST)


def test_an_act_is_taken_back_on_its_page_unless_a_later_one_has_touched_it(
    eva: Client, editor: User
) -> None:
    act = tag_assets(paths=["img/a.png", "img/b.png"], add=["hero"], actor=editor)
    assert act
    shown = words(page(eva, f"{TAGS}{act.pk}/"))
    assert "The tag hero was given to 2 files." in shown
    assert "img/a.png + hero given" in shown

    said = page(eva, f"{TAGS}{act.pk}/", step="undo")

    assert f"The tag hero was taken from 2 files. {SHIPS}" in words(said)
    assert f"Takes back tagging {act.pk}." in said
    assert now() == {}
    shown = page(eva, f"{TAGS}{act.pk}/")
    assert f"Tagging {act.pk + 1} of eva has changed some of it again. Take that back first." in words(shown)
    assert "<button" not in shown.partition("main-action")[2].partition("</header>")[0]
    refused = page(eva, f"{TAGS}{act.pk}/", 409, step="undo")
    assert f"Tagging {act.pk} cannot be taken back: tagging {act.pk + 1} of eva has changed hero" in words(
        refused
    )
    for number in (act.pk + 9, 10**30):
        page(eva, f"{TAGS}{number}/", 404)


def test_all_tags_are_listed_with_their_last_change(eva: Client, editor: User, other_editor: User) -> None:
    empty = words(page(eva, TAGS))
    assert "No tag yet." in empty
    assert "scripts/manage asset tag --below img/summer --add summer-sale" in empty
    tag_assets(paths=PATHS, add=["hero", "sale"], actor=editor, reason="All of them.")
    tag_assets(paths=PATHS, remove=["sale"], actor=other_editor, reason="It is over.")

    shown = page(eva, TAGS)

    assert f'href="{LIST}?tag=hero"' in shown
    assert re.search(
        r"hero 4 .{1,20} by eva All of them. sale none now .{1,20} by emil It is over.", words(shown)
    )
    with CaptureQueriesContext(connection) as few:
        page(eva, TAGS)
    tag_assets(paths=PATHS, add=[f"t{number}" for number in range(25)], actor=editor)
    tag_assets(paths=["js/app.js"], add=["t99"], actor=editor)
    with CaptureQueriesContext(connection) as many:
        page(eva, TAGS)
    assert len(many) == len(few)


def test_what_people_type_is_never_markup(eva: Client, editor: User, pk: dict[str, int]) -> None:
    reason = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    one = f"{LIST}{pk['img/a.png']}/"
    said = page(eva, f"{one}tag/", add="hero", reason=reason)
    said += page(eva, TAGS) + page(eva, f"{TAGS}{Tagging.objects.get().pk}/")
    said += page(eva, f"{one}tag/", 400, add=reason, reason=reason, remove=[reason])
    said += page(eva, f"{TAG}?q=i", 400, add=reason, reason=reason, remove=[reason], count="2")
    assert "<script>alert" not in said
    assert "<img src=x" not in said
    assert "&lt;script&gt;alert(1)" in said


@pytest.mark.parametrize(
    "sent", [{"reason": "\0"}, {"add": "a\0b"}, {"reason": "x" * 2001}, {"add": "x" * 2001}, {"remove": "\0"}]
)
def test_what_no_database_holds_is_refused(eva: Client, pk: dict[str, int], sent: dict[str, str]) -> None:
    answer = eva.post(f"{LIST}{pk['img/a.png']}/tag/", {"add": "hero", **sent})
    assert answer.status_code == 400
    assert not AssetTag.objects.exists()


def test_who_may_do_what(make_user: MakeUser, editor: User, pk: dict[str, int]) -> None:
    """Viewers see tags and no controls, whatever they send; others tag; who has no role sees nothing."""
    act = tag_assets(paths=["img/a.png"], add=["hero"], actor=editor)
    assert act
    one, undo = f"{LIST}{pk['img/a.png']}/", f"{TAGS}{act.pk}/"
    forms = [
        (f"{one}tag/", {"add": "x"}),
        (f"{TAG}?q=img", {"add": "x", "count": "2"}),
        (undo, {"step": "undo"}),
    ]
    people: dict[Role | None, Client] = {role: staff_client(make_user(f"a-{role}", role)) for role in Role}
    nobody = make_user("nobody")
    nobody.groups.clear()
    before = now()
    for client, seen in ((people[Role.VIEWER], 200), (staff_client(nobody), 403)):
        for address in (LIST, f"{one}change/", TAGS, undo):
            shown = client.get(address)
            assert shown.status_code == seen
            assert seen == 403 or "hero" in shown.content.decode()
            assert b'name="add"' not in shown.content
            assert b"tag_chosen" not in shown.content
            assert b'class="button default"' not in shown.content
        assert client.get(f"{TAG}?q=img").status_code == 403
        for address, sent in forms:
            assert client.post(address, sent).status_code == 403
        client.post(LIST, {"action": "tag_chosen", "_selected_action": [pk["img/a.png"]]})
    assert now() == before
    viewer = people[Role.VIEWER]
    said = "a-viewer may not tag files. Ask an editor, a release manager or an administrator."
    for address, sent in forms:
        assert said.lower() in words(page(viewer, address, 403, **sent)).lower()
    for role in (Role.EDITOR, Role.MANAGER, Role.ADMINISTRATOR):
        assert people[role].post(f"{one}tag/", {"add": role.value}).status_code == 302
        assert people[role].get(f"{TAG}?q=img").status_code == 200
    assert now()["img/a.png"] == {"hero", "editor", "manager", "administrator"}
    assert staff_client().post(f"{one}tag/", {"add": "x"}).headers["location"].startswith("/admin/login/")


def test_a_form_of_another_site_does_nothing(editor: User, pk: dict[str, int]) -> None:
    client = staff_client(editor)
    forged = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    forged.defaults.update(client.defaults)
    forged.cookies = client.cookies
    assert forged.post(f"{LIST}{pk['img/a.png']}/tag/", {"add": "x"}).status_code == 403
    assert forged.post(f"{TAG}?q=img", {"add": "x", "count": "2"}).status_code == 403
    assert client.get(f"{LIST}{pk['img/a.png']}/tag/").status_code == 405
    assert client.post(f"{LIST}{10**30}/tag/", {"add": "x"}).status_code == 404
    assert client.get(f"{LIST}{10**30}/change/").status_code == 302
    assert not AssetTag.objects.exists()
    assert Asset.objects.count() == len(PATHS)
