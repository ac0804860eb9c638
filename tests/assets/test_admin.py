import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.assets.models import Asset, AssetVersion
from apps.assets.selectors import path_begins_with
from apps.assets.services import ensure_assets
from tests.assets.conftest import AddFile
from tests.staff import staff_client

ASSETS = "/admin/assets/asset/"
VERSIONS = "/admin/assets/assetversion/"


def _page(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def _queries_of(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        _page(client, address)
    return len(queries)


@pytest.fixture
def reader(viewer: User) -> Client:
    return staff_client(viewer)


def test_the_list_shows_what_each_path_consisted_of_last(reader: Client, add_file: AddFile) -> None:
    old = add_file("css/site.css", b"old")
    new = add_file("css/site.css", b"newer")

    page = _page(reader, ASSETS)

    assert "css/site.css" in page
    assert "text/css" in page
    assert "5\N{NO-BREAK SPACE}bytes" in page
    assert f">{new.digest[:12]}</code>" in page
    assert old.digest not in page
    assert "eva" in page


def test_a_path_without_a_version_is_listed_too(reader: Client) -> None:
    ensure_assets(["removed.css"])

    assert "removed.css" in _page(reader, ASSETS)


def test_a_path_shows_its_newest_versions_and_the_way_to_all(reader: Client, add_file: AddFile) -> None:
    versions = [add_file("css/site.css", b"version %d" % number) for number in range(22)]
    asset = Asset.objects.get()

    page = _page(reader, f"{ASSETS}{asset.pk}/change/")

    assert [version.digest in page for version in versions] == [False] * 2 + [True] * 20
    everything = f"{VERSIONS}?asset__id__exact={asset.pk}"
    assert everything in page
    assert all(version.digest in _page(reader, everything) for version in versions)


def test_a_path_is_escaped_wherever_it_is_shown(reader: Client, add_file: AddFile) -> None:
    add_file("<script>alert(1)</script>.txt", b"x")
    asset, version = Asset.objects.get(), AssetVersion.objects.get()

    for address in (ASSETS, f"{ASSETS}{asset.pk}/change/", VERSIONS, f"{VERSIONS}{version.pk}/change/"):
        assert "<script>alert(1)" not in _page(reader, address)


def test_the_bytes_of_an_asset_are_not_shown(reader: Client, add_file: AddFile) -> None:
    add_file("page.html", b"<h1>uploaded words</h1>")
    asset, version = Asset.objects.get(), AssetVersion.objects.get()

    for address in (f"{ASSETS}{asset.pk}/change/", f"{VERSIONS}{version.pk}/change/"):
        assert "uploaded words" not in _page(reader, address)


@pytest.mark.parametrize("address", [ASSETS, VERSIONS])
@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("css/", {"css/a.css", "css/b.css"}),
        ("/css/a", {"css/a.css"}),
        ("a.css", set()),
        ("CSS", set()),
        ("%25", set()),
        ("", {"css/a.css", "css/b.css", "js/a.js"}),
    ],
)
def test_the_search_is_for_the_beginning_of_a_path(
    reader: Client, add_file: AddFile, address: str, term: str, found: set[str]
) -> None:
    paths = {"css/a.css", "css/b.css", "js/a.js"}
    for path in paths:
        add_file(path, path.encode())

    page = _page(reader, f"{address}?q={term}")

    assert {path for path in paths if path in page} == found


def test_the_search_for_a_path_is_answered_by_its_index(db: None) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL's planner reads a small table as a whole")

    plan = Asset.objects.filter(path_begins_with("css/")).order_by("path").explain()

    assert "SEARCH assets_asset USING INDEX" in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize("address", [ASSETS, VERSIONS])
def test_the_lists_take_as_many_queries_for_many_rows_as_for_one(
    reader: Client, add_file: AddFile, address: str
) -> None:
    add_file("a.css", b"a")
    _page(reader, address)
    for_one = _queries_of(reader, address)
    for number in range(30):
        add_file(f"{number}.css", b"%d" % number)
        add_file(f"{number}.css", b"again %d" % number)

    assert _queries_of(reader, address) == for_one


def test_nobody_adds_changes_or_deletes_assets_here(administrator: User, add_file: AddFile) -> None:
    add_file("a.css", b"a")
    client = staff_client(administrator)

    for address in (f"{ASSETS}{Asset.objects.get().pk}", f"{VERSIONS}{AssetVersion.objects.get().pk}"):
        assert client.post(f"{address}/change/", {"path": "b.css"}).status_code == 403
        assert client.post(f"{address}/delete/", {"post": "yes"}).status_code == 403
    assert client.get(f"{ASSETS}add/").status_code == 403
