"""Bodies: opened before anything is sent, exact, and closed."""

import pytest

from apps.delivery.bodies import PIECE_BYTES, FileParts, FileSlice, open_body
from apps.delivery.files import FileFault
from apps.delivery.respond import BlobPart, Response
from tests.delivery.conftest import LARGE, TEN
from tests.serving import Published, sha256

LARGE_DIGEST = sha256(LARGE)


def large_part(start: int, length: int) -> BlobPart:
    return BlobPart(LARGE_DIGEST, len(LARGE), start, length)


def test_no_parts_are_no_body() -> None:
    assert open_body(Response(204, ())) is None


def test_a_large_range_begins_where_sendfile_will(published: Published) -> None:
    body = open_body(Response(206, (), (large_part(1000, 100_000),)))
    assert isinstance(body, FileSlice)
    assert body.fileno() > 0
    assert not hasattr(body, "seek")
    assert body.read(10) == LARGE[1000:1010]
    assert b"".join(iter(body.read, b"")) == LARGE[1010:101_000]
    body.close()


def test_a_piece_is_never_larger_than_a_piece(published: Published) -> None:
    content = b"x" * (PIECE_BYTES + 1)
    published.blob(content)
    body = open_body(Response(200, (), (BlobPart(sha256(content), len(content), 0, len(content)),)))
    assert body
    assert [len(piece) for piece in iter(body.read, b"")] == [PIECE_BYTES, 1]
    body.close()


def test_parts_of_a_large_answer_come_one_after_the_other(published: Published) -> None:
    body = open_body(Response(206, (), (b"a", large_part(5, 80_000), b"b", large_part(0, 5), b"c")))
    assert isinstance(body, FileParts)
    assert b"".join(iter(body.read, b"")) == b"a" + LARGE[5:80_005] + b"b" + LARGE[:5] + b"c"
    body.close()


@pytest.mark.parametrize("length", [10, 100_000])
def test_a_blob_of_another_size_is_refused_before_anything_is_sent(published: Published, length: int) -> None:
    published.blob(LARGE).write_bytes(LARGE + b"!")
    with pytest.raises(FileFault, match=LARGE_DIGEST):
        open_body(Response(206, (), (large_part(0, length),)))


def test_a_file_that_shrinks_while_it_is_sent_ends_the_answer_with_an_error(published: Published) -> None:
    body = open_body(Response(200, (), (large_part(0, len(LARGE)),)))
    assert body
    published.blob(LARGE).write_bytes(LARGE[:1000])
    with pytest.raises(FileFault, match="ended before its size"):
        list(iter(body.read, b""))
    body.close()


def test_a_small_answer_holds_no_file_open(published: Published) -> None:
    body = open_body(Response(200, (), (BlobPart(sha256(TEN), len(TEN), 0, len(TEN)),)))
    assert body
    assert not isinstance(body, FileSlice)
    assert body.read() == TEN
