from pathlib import Path

from pytest_django import DjangoDbBlocker

from tests.migrating import migrating


def test_what_was_encoded_counts_as_the_best_and_back(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock(), migrating(tmp_path) as database:
        database.to("assets", "0001_initial")
        tried = database.rows("assets.Blob").create(digest="a" * 64, size_bytes=9, is_encoded=True)
        database.rows("assets.Blob").create(digest="b" * 64, size_bytes=9)
        database.rows("assets.Representation").create(blob=tried, coding="br", encoded=tried)

        database.to("assets", "0002_effort")
        efforts = database.rows("assets.Blob").values_list("digest", "effort")
        assert dict(efforts) == {"a" * 64: 2, "b" * 64: 0}
        assert database.rows("assets.Representation").get().effort == 2
        database.rows("assets.Blob").create(digest="c" * 64, size_bytes=9, effort=1)

        database.to("assets", "0001_initial")
        tried_before = database.rows("assets.Blob").filter(is_encoded=True)
        assert [blob.digest for blob in tried_before] == ["a" * 64]
        assert database.rows("assets.Blob").count() == 3


def test_tags_come_and_go_beside_assets_that_stay(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> None:
    with django_db_blocker.unblock(), migrating(tmp_path) as database:
        database.to("assets", "0003_leftovers")
        asset = database.rows("assets.Asset").create(path="a.css")

        database.to("assets", "0004_tags")
        person = database.rows("accounts.User").create(username="eva")
        tagging = database.rows("assets.Tagging").create(created_by=person)
        database.rows("assets.AssetTag").create(asset_id=asset.pk, name="sale", since=tagging)

        database.to("assets", "0003_leftovers")
        assert database.rows("assets.Asset").get().path == "a.css"
        database.to("assets", "0004_tags")
        assert not database.rows("assets.AssetTag").exists()
