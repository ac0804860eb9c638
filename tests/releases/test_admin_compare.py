"""The page that compares any two things: at an address to be shared, filtered, a page at a time."""

import html
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.asserts import assertContains, assertNotContains

from apps.accounts.models import User
from apps.releases.admin import compare_page
from apps.releases.comparing import tallies
from apps.releases.files import manifest_file
from apps.releases.manifest import Reach
from apps.releases.manifest.digest import starts_bucket
from apps.releases.models import Release
from apps.releases.selectors import live_publication
from apps.releases.services import redirects
from tests.releases.conftest import MakeRelease, Publish, put, remove
from tests.releases.test_admin_comparison import image, put_bytes
from tests.releases.test_comparing import other_rule  # noqa: F401 - a fixture
from tests.staff import staff_client

PAGE = "/admin/releases/release/compare/"


def compare(user: User, old: object, new: object, **more: str) -> Any:
    return staff_client(user).get(PAGE, {"old": str(old), "new": str(new), **more})


def file_page(user: User, path: str, **more: str) -> Any:
    return staff_client(user).get(f"{PAGE}file/", {"old": "1", "new": "2", "path": path, **more})


@pytest.fixture
def moved(live: Release, publish: Publish) -> Release:
    """Release 2, which moves a file, changes one and adds one."""
    return publish(
        put("js/new.js", "1"), remove("js/old.js"), put("css/site.css", "a { color: blue }"), put("z", "z")
    )


def test_it_asks_what_to_compare_and_says_what_can_be_named(viewer: User) -> None:
    answer = staff_client(viewer).get(PAGE)
    assertContains(answer, "Compare any two")
    assertContains(answer, "production-2026-11-20.1")
    assertNotContains(answer, 'id="paths"')


def test_it_lists_what_differs_with_moves_and_sizes(moved: Release, viewer: User) -> None:
    answer = compare(viewer, 1, 2)
    assertContains(answer, "1 added, 1 changed, 1 moved.")
    assertContains(answer, "moved from <code>js/old.js</code>", html=False)
    assertContains(answer, "moved to <code>js/new.js</code>", html=False)
    assertContains(answer, "16 bytes → 17 bytes")
    assertContains(answer, 'kind=moved#paths"')


def test_it_is_narrowed_down_by_kind_folder_and_type(moved: Release, viewer: User) -> None:
    only = compare(viewer, 1, 2, kind="moved")
    assertContains(only, "js/new.js</a>")
    assertNotContains(only, "css/site.css</a>")
    below = compare(viewer, 1, 2, below="/css/")
    assertContains(below, "css/site.css</a>")
    assertNotContains(below, "js/new.js</a>")
    assertContains(compare(viewer, 1, 2, type="text/css"), "css/site.css</a>")
    nothing = compare(viewer, 1, 2, type="image")
    assertContains(nothing, "No path fits.")
    assertContains(compare(viewer, 1, 2, kind="nonsense"), "js/new.js</a>")


def test_a_page_leads_on_by_the_last_path_of_the_one_before(
    moved: Release, viewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare_page, "ROWS_A_PAGE", 2)
    first = compare(viewer, 1, 2)
    assertContains(first, "after=js%2Fnew.js#paths")
    assertNotContains(first, "First page")
    second = compare(viewer, 1, 2, after="js/new.js")
    assertContains(second, "js/old.js</a>")
    assertContains(second, "First page")
    assertNotContains(second, 'rel="next"')


def test_a_page_that_found_too_little_in_time_says_where_it_stopped_and_leads_on(
    live: Release, publish: Publish, viewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    boundary, *_ = (path for path in (f"m/{number}.css" for number in range(4_000)) if starts_bucket(path))
    publish(put("a.txt", "a"), put(boundary, "m"), remove("js/old.js"))
    monkeypatch.setattr("apps.releases.manifest.pair.BUCKETS_AT_ONCE", 1)
    monkeypatch.setattr(compare_page, "Reach", partial(Reach, buckets=1))
    first = compare(viewer, 1, 2, type="text/css", kind="added")
    assertContains(first, "Of the first paths that may differ, none fits.")
    assertContains(first, f"those before <code>{boundary}</code>")
    assertContains(first, "Look on →")
    on = re.search(r'href="([^"]+)#paths" rel="next"', first.content.decode())
    assert on
    rest = staff_client(viewer).get(html.unescape(on[1]))
    assertContains(rest, f"{boundary}</a>")
    assertContains(rest, "First page")
    assertNotContains(rest, "Look on")


def test_a_channel_has_a_link_that_stays(moved: Release, manager: User, viewer: User) -> None:
    live = live_publication(moved.channel)
    assert live is not None
    answer = compare(viewer, 1, "production")
    assertContains(answer, f"{PAGE}?old=1&amp;new={live.tag}")
    assertNotContains(compare(viewer, 1, live.tag), "Link that stays")
    assertContains(answer, f"{PAGE}?old=production&amp;new=1")


def test_the_same_on_both_sides_is_said_to_be_nothing(live: Release, viewer: User) -> None:
    answer = compare(viewer, 1, "production")
    assertContains(answer, "Nothing differs for visitors.")
    assertContains(answer, "No path differs.")


@pytest.mark.parametrize("names", [("1", "99"), ("nowhere", "1"), ("1", "' OR 1=1 --")])
def test_what_cannot_be_found_is_said_and_stays_typed(
    live: Release, viewer: User, names: tuple[str, str]
) -> None:
    answer = compare(viewer, *names)
    assert answer.status_code == 404
    assertContains(answer, "Compare any two", status_code=404)
    assertContains(answer, 'class="error"', status_code=404)


def test_a_manifest_that_is_missing_is_named(moved: Release, viewer: User) -> None:
    assert moved.manifest is not None

    manifest_file(moved.manifest).unlink()
    answer = compare(viewer, 1, 2)
    assertContains(answer, "missing from storage", status_code=409)


def test_what_takes_long_to_count_is_counted_when_asked_for(
    moved: Release, viewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tallies, "QUICK_BUCKETS", 0)
    shutil.rmtree(Path(settings.DATA_DIR) / "compared")  # what the build has counted
    answer = compare(viewer, 1, 2)
    assertContains(answer, "Count it now")
    assertContains(answer, "js/new.js</a>")
    assertNotContains(answer, "moved from")
    assertContains(compare(viewer, 1, 2, count="1"), "1 moved.")
    assertContains(compare(viewer, 1, 2), "1 moved.")


def test_a_draft_is_counted_by_what_it_touches(
    live: Release, make_release: MakeRelease, viewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tallies, "QUICK_BUCKETS", 0)
    draft = make_release(put("js/new.js", "1"), remove("js/old.js"), put("css/site.css", "b {}"))
    for _ in range(2):
        answer = compare(viewer, "production", draft.pk)
        assertContains(answer, "1 changed, 1 moved.")
        assertNotContains(answer, "Count it now")


def test_addresses_whose_headers_change_are_grouped_by_rule(
    live: Release,
    other_rule: None,  # noqa: F811
    publish: Publish,
    viewer: User,
) -> None:
    publish(put("new.txt", "new"))
    answer = compare(viewer, 1, 2)
    assertContains(answer, "2 addresses with other cache rules or headers")
    assertContains(answer, "x-robots-tag: none → noindex")
    assertContains(answer, "rule everything, version 1 → 2")
    page = file_page(viewer, "css/site.css")
    assertContains(page, "The same content with other headers")
    assertContains(page, "x-robots-tag: none → noindex")


def test_redirects_are_compared(live: Release, make_release: MakeRelease, editor: User, viewer: User) -> None:
    draft = make_release(put("a", "a"))
    redirects.put_redirect(release=draft, source="/old", target="/a", status=308, actor=editor)
    answer = compare(viewer, "production", draft.pk)
    assertContains(answer, "1 added, 1 redirect.")
    assertContains(answer, "<code>/old</code>")
    assertContains(answer, "is not built yet")


def test_a_path_is_shown_line_by_line_and_leads_to_the_next(moved: Release, viewer: User) -> None:
    answer = file_page(viewer, "css/site.css")
    assertContains(answer, "a { color: blue }")
    assertContains(answer, "+1 \N{MINUS SIGN}1 lines")
    following = file_page(viewer, "css/site.css", next="1")
    assert following.headers["Location"].startswith(f"{PAGE}file/?")
    assert "path=js%2Fnew.js" in following.headers["Location"]
    assertContains(file_page(viewer, "js/new.js"), "Moved from js/old.js")
    assertContains(file_page(viewer, "js/old.js"), "Moved to js/new.js")
    last = file_page(viewer, "z", next="1")
    assert last.headers["Location"].startswith(f"{PAGE}?")


@pytest.mark.parametrize("path", ["index.html", "nothing", ""])
def test_a_path_that_does_not_differ_has_no_page(moved: Release, viewer: User, path: str) -> None:
    assert file_page(viewer, path).status_code == 404
    assert staff_client(viewer).get(f"{PAGE}file/", {"old": "x", "new": "y"}).status_code == 404


def test_pictures_are_shown_side_by_side_and_come_as_what_they_are(
    live: Release, publish: Publish, viewer: User
) -> None:
    publish(put_bytes("img/a.png", image("PNG")))
    publish(put_bytes("img/a.png", image("PNG", "blue")), put("img/b.svg", "<svg/>"))
    client = staff_client(viewer)
    answer = client.get(f"{PAGE}file/", {"old": "2", "new": "production", "path": "img/a.png"})
    assertContains(answer, "data-compare")
    assertContains(answer, "pictures.js")
    for of in ("2", "production"):
        got = client.get(f"{PAGE}picture/", {"of": of, "path": "img/a.png"})
        assert got.headers["Content-Type"] == "image/png"
        assert got.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    for query in (
        {"of": "3", "path": "img/b.svg"},
        {"of": "3", "path": "no"},
        {"of": "no"},
        {"of": "nothing"},
    ):
        assert client.get(f"{PAGE}picture/", query).status_code == 404


@pytest.mark.parametrize("page", ["", "file/", "picture/"])
def test_only_who_may_see_releases_may_compare(live: Release, page: str, viewer: User) -> None:
    query = urlencode({"old": "1", "new": "nothing", "of": "1", "path": "css/site.css"})
    viewer.groups.clear()
    assert staff_client(viewer).get(f"{PAGE}{page}?{query}").status_code == 403
    assert staff_client().get(f"{PAGE}{page}?{query}").status_code == 302


def test_it_takes_as_many_queries_for_many_paths_as_for_few(
    live: Release, publish: Publish, viewer: User
) -> None:
    few = publish(put("a", "a"))
    many = publish(*(put(f"many/{number}", str(number)) for number in range(40)))
    counts = []
    for release in (few, many):
        compare(viewer, f"{release.pk}/base", release.pk)
        with CaptureQueriesContext(connection) as queries:
            assertContains(compare(viewer, f"{release.pk}/base", release.pk), "added")
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_it_is_linked_to_from_where_one_would_look(
    moved: Release, live: Release, make_release: MakeRelease, manager: User
) -> None:
    client, draft = staff_client(manager), make_release(put("a", "a"))
    live_now = live_publication(moved.channel)
    assert live_now is not None
    channel = f"/admin/releases/channel/{moved.channel_id}/"
    for address, link in (
        ("/admin/releases/release/", f'href="{PAGE}"'),
        (f"/admin/releases/release/{draft.pk}/change/", f"{PAGE}?old=production&amp;new={draft.pk}"),
        (f"{channel}change/", f"&amp;new={live_now.tag}"),
        (f"{channel}roll-back/1/", f"{PAGE}?old={live_now.tag}"),
    ):
        assertContains(client.get(address), link)
