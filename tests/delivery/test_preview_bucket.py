"""Previews out of a bucket: found, followed and ended as out of a folder."""

import itertools
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from apps.assets import store
from apps.assets.listing import names_in
from apps.delivery.files import current_files
from apps.delivery.previews.shown import current_previews
from apps.releases.services.preview_pointers import pointer_name
from assetsite.environment import storage_backend
from tests.bucket import BUCKET, S3Server
from tests.delivery.conftest import SITE, TEN
from tests.delivery.previews import SECRET, ask_in_process, show, until
from tests.serving import Published

pytestmark = pytest.mark.s3

_numbers = itertools.count(1)


def test_a_preview_in_a_bucket_is_shown_until_it_is_revoked_or_the_bucket_is_away(
    s3: S3Server, tmp_path: Path, settings: Settings
) -> None:
    prefix, folder = f"previews-{next(_numbers)}", tmp_path / "published"
    site = Published(folder)
    site.publish(1, SITE)
    made = show(site, 1)
    s3.upload(folder, prefix)
    settings.SECRET_KEY = SECRET
    settings.STORAGES = {
        **settings.STORAGES,
        "blobs": storage_backend(s3.url(prefix), default_folder=folder),
    }
    current_files.cache_clear()
    current_previews.cache_clear()

    shown = ask_in_process("/ten.txt", made.host)
    assert (shown.status, shown.body) == (200, TEN)

    s3.stop()
    assert (
        until(lambda: ask_in_process("/ten.txt", made.host), lambda answer: answer.status != 200).status
        == 503
    )
    s3.start()
    until(lambda: ask_in_process("/ten.txt", made.host), lambda answer: answer.status == 200)

    name = made.file.name
    assert names_in("previews") == [name]
    store.remove(pointer_name(name.removesuffix(".json")))
    assert (
        until(lambda: ask_in_process("/ten.txt", made.host), lambda answer: answer.status != 200).status
        == 404
    )
    assert names_in("previews") == []
    store.remove("previews/none.json")
    assert s3.client().list_objects_v2(Bucket=BUCKET, Prefix=f"{prefix}/previews/").get("KeyCount") == 0
