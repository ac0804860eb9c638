import hashlib
from collections.abc import Sequence
from datetime import timedelta
from itertools import chain
from unittest import mock

import pytest
from django.db import DataError, connection, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import User
from apps.assets.intake import Content
from apps.assets.models import Asset, AssetVersion, Blob, Effort, Representation
from apps.assets.selectors import media_types_of, path_begins_with, representations_of
from apps.assets.services import contents as content_services
from apps.assets.services import enqueue_encoding, ensure_assets, ensure_versions
from apps.jobs.models import Job


def _content(path: str, text: str = "", media_type: str = "text/css", size_bytes: int = 10) -> Content:
    return Content(path, hashlib.sha256((text or path).encode()).hexdigest(), size_bytes, media_type)


def _made(contents: Sequence[Content], actor: User) -> dict[str, AssetVersion]:
    """Return the versions that `ensure_versions` names, by path."""
    numbers = ensure_versions(contents, actor=actor)
    found = AssetVersion.objects.select_related("asset", "created_by").in_bulk()
    return {path: found[number] for path, number in numbers.items()}


def test_contents_become_blobs_assets_and_versions(editor: User) -> None:
    contents = [_content("a.css"), _content("b.css"), _content("copy-of-a.css", "a.css")]

    versions = _made(contents, editor)

    made = {path: (v.asset.path, v.blob_id, v.media_type) for path, v in versions.items()}
    assert made == {c.path: (c.path, c.digest, "text/css") for c in contents}
    assert {version.created_by for version in versions.values()} == {editor}
    assert all(abs(timezone.now() - v.created_at) < timedelta(minutes=5) for v in versions.values())
    assert all(abs(timezone.now() - v.asset.created_at) < timedelta(minutes=5) for v in versions.values())
    assert Blob.objects.count() == 2
    assert Asset.objects.count() == 3


def test_the_same_contents_again_are_the_same_versions(editor: User, other_editor: User) -> None:
    contents = [_content("a.css"), _content("b.css")]
    first = ensure_versions(contents, actor=editor)
    more = [*contents, _content("c.css")]

    again = ensure_versions(more, actor=other_editor)

    assert {path: again[path] for path in first} == first
    assert _made(more, editor)["a.css"].created_by == editor
    assert _made(more, editor)["c.css"].created_by == other_editor
    assert (Asset.objects.count(), AssetVersion.objects.count()) == (3, 3)


def test_an_earlier_content_comes_back_as_its_earlier_version(editor: User) -> None:
    first, second, third = (
        ensure_versions([_content("a.css", text)], actor=editor)["a.css"] for text in ("one", "two", "one")
    )

    assert first == third != second


def test_the_same_bytes_of_another_type_are_another_version(editor: User) -> None:
    text, data = (
        ensure_versions([_content("a", "x", media_type)], actor=editor)["a"]
        for media_type in ("text/plain", "application/json")
    )

    assert text != data
    assert Blob.objects.count() == 1


def test_of_a_path_named_twice_the_last_counts(editor: User) -> None:
    ensure_versions([_content("a", "one"), _content("a", "two")], actor=editor)

    assert AssetVersion.objects.get().blob_id == _content("a", "two").digest


def test_no_contents_are_no_versions(editor: User) -> None:
    assert ensure_versions([], actor=editor) == {}


@pytest.mark.parametrize("path", ['it\'s "so" 100%s {rows}.css', "ä/中/\U0001f600.css", "null", "7"])
def test_any_path_comes_back_as_it_was(editor: User, path: str) -> None:
    versions = _made([_content("z", "x"), _content(path, "x")], editor)

    assert versions[path].asset.path == path
    assert Asset.objects.filter(path=path).exists()
    assert ensure_assets([path]) == {path: Asset.objects.get(path=path).pk}


def test_a_blob_that_another_writes_at_the_same_moment_is_shared(editor: User, other_editor: User) -> None:
    contents = [_content("a.css"), _content("b.css")]
    first = ensure_versions(contents, actor=editor)

    # What this one saw before the other's commit: nothing.
    with mock.patch.object(content_services, "_known_blobs", return_value=set()):
        assert ensure_versions(contents, actor=other_editor) == first


@pytest.mark.parametrize(
    "content",
    [_content("a" * 1025 + ".css"), _content("a.css", media_type="x" * 128)],
)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="it does not count characters")
def test_what_is_too_long_is_refused_and_not_cut(editor: User, content: Content) -> None:
    with pytest.raises(DataError), transaction.atomic():
        ensure_versions([content], actor=editor)


def test_the_number_of_statements_grows_by_batches_and_not_by_contents(
    editor: User,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    monkeypatch.setattr(content_services, "VALUES_AT_ONCE", 100)
    monkeypatch.setattr(content_services, "_ROWS_AT_ONCE", 100)
    contents = [_content(f"{number}.css") for number in range(300)]

    with django_assert_max_num_queries(20):
        versions = ensure_versions(contents, actor=editor)

    assert len(versions) == 300
    with django_assert_max_num_queries(15):
        assert ensure_versions(contents, actor=editor).keys() == versions.keys()


def test_assets_are_made_once(db: None) -> None:
    first = ensure_assets(["b", "a", "b"])

    assert first == {asset.path: asset.pk for asset in Asset.objects.all()}
    assert first.keys() == {"a", "b"}
    assert ensure_assets(["a", "b"]) == first


def test_representations_come_with_their_encoded_blobs_in_bulk(
    db: None, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    plain, small, bare = (
        Blob.objects.create(digest=c * 64, size_bytes=n) for c, n in (("a", 9), ("b", 4), ("c", 1))
    )
    Representation.objects.create(blob=plain, coding=Representation.Coding.BR, encoded=small)

    with django_assert_max_num_queries(1):
        found = representations_of([plain.digest, bare.digest])
        assert [(r.coding, r.encoded_id, r.encoded.size_bytes) for r in found[plain.digest]] == [
            ("br", "b" * 64, 4)
        ]
        assert found[bare.digest] == []


def test_media_types_are_those_of_all_versions(editor: User) -> None:
    one, two = _content("a", "x", "text/plain"), _content("b", "x", "application/json")
    ensure_versions([one, two], actor=editor)

    assert media_types_of([one.digest, "0" * 64]) == {
        one.digest: {"text/plain", "application/json"},
        "0" * 64: set(),
    }


def test_a_prefix_finds_the_paths_that_begin_with_it_exactly(db: None) -> None:
    ensure_assets(["css/a.css", "css/b.css", "CSS/c.css", "css", "cst", "c%s/x", "css/\U0010fffd"])

    found = Asset.objects.filter(path_begins_with("css/")).values_list("path", flat=True)

    assert set(found) == {"css/a.css", "css/b.css", "css/\U0010fffd"}
    assert list(Asset.objects.filter(path_begins_with("c%"))) == list(Asset.objects.filter(path="c%s/x"))


def test_encoding_is_queued_in_jobs_of_bounded_count_and_size(
    editor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(content_services._JOB_LIMITS, Effort.FAST, (5, 1000))
    monkeypatch.setitem(content_services._JOB_LIMITS, Effort.BEST, (3, 100))
    contents = [_content(f"{n}.css", size_bytes=60 if n < 2 else 1) for n in range(8)]
    ensure_versions(contents, actor=editor)
    sizes = {content.digest: content.size_bytes for content in contents}

    jobs = enqueue_encoding(sizes)

    for kind, blobs, size_bytes in (("assets.encode_fast", 5, 1000), ("assets.encode", 3, 100)):
        groups = [job.payload["digests"] for job in jobs if job.kind == kind]
        assert sorted(chain.from_iterable(groups)) == sorted(sizes)
        assert all(len(g) <= blobs and sum(sizes[digest] for digest in g) <= size_bytes for g in groups)


def test_what_takes_little_effort_is_queued_first(editor: User) -> None:
    ensure_versions([_content("a")], actor=editor)

    assert [job.kind for job in enqueue_encoding([_content("a").digest])] == [
        "assets.encode_fast",
        "assets.encode",
    ]


def test_the_same_digests_are_the_same_jobs_whatever_their_order(editor: User) -> None:
    digests = list({_content(str(n)).digest: None for n in range(5)})
    ensure_versions([_content(str(n)) for n in range(5)], actor=editor)

    first = enqueue_encoding(digests)

    assert enqueue_encoding(reversed(digests)) == first
    assert Job.objects.count() == 2


def test_what_has_been_tried_is_not_queued(editor: User) -> None:
    ensure_versions([_content("a")], actor=editor)
    Blob.objects.update(effort=Effort.BEST)

    assert enqueue_encoding([_content("a").digest]) == []


def test_what_has_been_tried_fast_is_queued_for_the_best(editor: User) -> None:
    ensure_versions([_content("a")], actor=editor)
    Blob.objects.update(effort=Effort.FAST)

    assert [job.kind for job in enqueue_encoding([_content("a").digest])] == ["assets.encode"]
