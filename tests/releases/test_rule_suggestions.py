"""The form of a cache rule suggests what files have that are live, and tags: some, however many there are."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.assets.models import AssetTag
from apps.assets.selectors import some_tags
from apps.assets.services import ensure_assets, tag_assets
from apps.releases.models import Manifest, Release
from apps.releases.selectors import manifest_reader_of
from tests.releases.conftest import Publish, put
from tests.staff import staff_client

pytestmark = pytest.mark.django_db


def form(user: User) -> tuple[str, int]:
    """Return the page, and how many queries it took."""
    client = staff_client(user)
    with CaptureQueriesContext(connection) as queries:
        page = client.get("/admin/caching/cacherule/add/")
    return page.content.decode(), len(queries)


def in_use(page: str, field: str) -> list[str]:
    found = re.search(f'data-for="id_{field}">In use: (.*)</p>', page)
    return re.findall("<code>(.*?)</code>", found[1]) if found else []


def test_a_field_says_what_is_in_use_the_most_frequent_first(
    live: Release, publish: Publish, manager: User, editor: User
) -> None:
    publish(
        put("img/icons/a.svg", "<svg/>"), put("img/b b.svg", "<svg/>"), put("docs/index.html", "<p>Docs</p>")
    )
    ensure_assets(["a.png"])
    tag_assets(paths=["img/b b.svg"], add=["sale", "hero"], actor=editor)
    tag_assets(paths=["img/b b.svg"], remove=["hero"], actor=editor)
    page, _ = form(manager)
    assert in_use(page, "tags") == ["sale"], "nothing carries the other one any more"
    assert in_use(page, "folders")[0] == "img"
    assert {"docs", "img/icons"} < set(in_use(page, "folders"))
    assert {"svg", "html", "css"} <= set(in_use(page, "extensions"))
    assert "image/svg+xml" in in_use(page, "media_types")
    for address in ("/docs/", "/img/b%20b.svg"):
        assert f'<option value="{address}"></option>' in page


def test_it_takes_as_many_queries_and_says_as_much_for_any_number_of_files_and_tags(
    live: Release, publish: Publish, manager: User, editor: User
) -> None:
    ensure_assets(["a.png"])
    tag_assets(paths=["a.png"], add=["tag-1"], actor=editor)
    few, count = form(manager)
    paths = [f"folder-{number}/a.ext{number}" for number in range(120)]
    publish(*(put(path, path) for path in paths))
    tag_assets(paths=paths, add=[f"tag-{number}" for number in range(20)], actor=editor)
    tag_assets(paths=paths[:2], add=[f"rare-{number}" for number in range(10)], actor=editor)
    page, again = form(manager)
    assert again == count
    assert len(in_use(few, "tags")) == 1
    assert {len(in_use(page, name)) for name in ("tags", "folders", "extensions")} == {24}
    assert 50 < page.count('<option value="/') <= 100


def test_tags_are_found_by_going_through_the_index(editor: User) -> None:
    assert some_tags(5) == []
    ensure_assets([f"{number}.png" for number in range(9)])
    tag_assets(paths=[f"{number}.png" for number in range(9)], add=["b", "a", "c"], actor=editor)
    assert AssetTag.objects.count() == 27
    assert some_tags(2) == ["a", "b"]
    assert some_tags(9) == ["a", "b", "c"]


def test_of_a_large_manifest_some_files_here_and_there_are_looked_at(live: Release, publish: Publish) -> None:
    made = publish(*(put(f"{number:04}.txt", "same") for number in range(1500)))
    reader = manifest_reader_of(made)
    assert len(reader.spread(10_000)) == reader.path_count
    some = [path for path, _ in reader.spread(20)]
    assert 5 < len(some) <= 20
    assert some == sorted(set(some))
    assert min(some) < "0400.txt"
    assert max(some) > "0900.txt"


def test_a_manifest_that_is_not_here_is_not_waited_for(
    live: Release, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert in_use(form(manager)[0], "extensions")
    Manifest.objects.filter(pk=live.manifest_id).update(file_size_bytes=1)
    page, _ = form(manager)
    assert in_use(page, "extensions") == []
    assert "known-addresses" in page
