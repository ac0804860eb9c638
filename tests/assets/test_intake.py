import hashlib
from collections.abc import Iterator
from itertools import pairwise
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.assets import intake, store
from apps.assets.exceptions import StorageFull
from apps.assets.intake import Content, take_in, take_in_many
from apps.refusals import Refusal

pytestmark = pytest.mark.usefixtures("no_collector")


class Changed(Refusal):
    code = "changed"


def _changing() -> Iterator[bytes]:
    yield b"begins well"
    raise Changed("The file changed while it was read.")


def _content(path: str, content: bytes, media_type: str) -> Content:
    return Content(path, hashlib.sha256(content).hexdigest(), len(content), media_type)


def test_a_file_is_stored_with_its_digest_size_and_type() -> None:
    content = take_in([b"body { ", b"margin: 0 }"], path="css/site.css")

    assert content == _content("css/site.css", b"body { margin: 0 }", "text/css")
    assert store.read_blob(content.digest) == b"body { margin: 0 }"


@given(st.lists(st.integers(1, 7), max_size=6))
def test_the_type_does_not_depend_on_how_the_bytes_arrive(sizes: list[int]) -> None:
    png = b"\x89PNG\r\n\x1a\n" + bytes(40)
    cuts = [0, *[sum(sizes[: n + 1]) for n in range(len(sizes))], len(png)]

    content = take_in([png[a:b] for a, b in pairwise(cuts)], path="picture")

    assert content == _content("picture", png, "image/png")


def test_many_files_come_in_batches_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "_FILES_AT_ONCE", 3)
    files = [(f"{number}.txt", [b"%d" % (number % 5)]) for number in range(10)]

    contents = list(take_in_many(files))

    assert contents == [_content(path, chunks[0], "text/plain") for path, chunks in files]
    assert all(store.read_blob(content.digest) for content in contents)


def test_a_batch_ends_early_where_files_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "_BYTES_AT_ONCE", 10)
    asked: list[int] = []

    def files() -> Iterator[intake.Source]:
        for number in range(4):
            asked.append(number)
            yield f"{number}.txt", [b"%d" % number * 6]

    next(take_in_many(files()))

    assert asked == [0, 1]


def test_no_files_are_no_contents() -> None:
    assert list(take_in_many([])) == []


def test_a_file_that_fails_while_it_is_read_is_reported_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake, "_FILES_AT_ONCE", 1)
    refused: list[tuple[str, str]] = []
    files: list[intake.Source] = [("a", [b"a"]), ("b", _changing()), ("c", [b"c"])]

    contents = list(
        take_in_many(files, on_refusal=lambda path, refusal: refused.append((path, refusal.message)))
    )

    assert [content.path for content in contents] == ["a", "c"]
    assert refused == [("b", "The file changed while it was read.")]


def test_without_anybody_to_tell_the_refusal_is_raised() -> None:
    with pytest.raises(Changed):
        list(take_in_many([("a", [b"a"]), ("b", _changing())]))

    assert not store.is_stored(store.blob_name(hashlib.sha256(b"a").hexdigest()), size_bytes=1)


def test_a_full_disk_concerns_every_file() -> None:
    refused: list[str] = []

    with (
        mock.patch.object(store, "_new_temporary_file", side_effect=StorageFull("full")),
        pytest.raises(StorageFull),
    ):
        list(take_in_many([("a", [b"a"])], on_refusal=lambda path, refusal: refused.append(path)))

    assert refused == []
