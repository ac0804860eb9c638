import argparse
import gzip
import io
import random
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from apps.assets.encoding import encoded, is_compressible, is_worth_keeping
from apps.assets.models import Effort, Representation

CODINGS = [coding.value for coding in Representation.Coding]


def _decoded(coding: str, content: bytes) -> bytes:
    if coding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(content)
    if coding == "br":
        return bytes(brotli.decompress(content))
    return gzip.decompress(content)


def _encoded(coding: str, content: bytes, effort: Effort = Effort.BEST) -> bytes:
    return b"".join(encoded(coding, io.BytesIO(content), size_bytes=len(content), effort=effort))


@pytest.mark.parametrize("effort", [Effort.FAST, Effort.BEST])
@pytest.mark.parametrize("coding", CODINGS)
@given(content=st.binary(max_size=2000))
def test_a_coding_gives_back_what_went_in(coding: str, effort: Effort, content: bytes) -> None:
    assert _decoded(coding, _encoded(coding, content, effort)) == content


@pytest.mark.parametrize("coding", CODINGS)
def test_more_effort_makes_a_text_smaller(coding: str) -> None:
    text = Path(argparse.__file__).read_bytes()

    assert len(_encoded(coding, text)) < len(_encoded(coding, text, Effort.FAST))


@pytest.mark.parametrize("coding", CODINGS)
def test_a_file_of_many_chunks_is_coded_as_one(coding: str) -> None:
    content = random.Random(1).randbytes(1000) * 2500

    made = _encoded(coding, content)

    assert _decoded(coding, made) == content
    assert len(made) < len(content) / 10


@pytest.mark.parametrize("coding", CODINGS)
def test_the_same_bytes_are_always_coded_the_same(coding: str) -> None:
    content = b"body { margin: 0 }\n" * 50

    assert _encoded(coding, content) == _encoded(coding, content)


def test_gzip_carries_no_time() -> None:
    assert _encoded("gzip", b"x" * 100)[4:8] == bytes(4)


def test_zstd_needs_no_window_that_browsers_refuse() -> None:
    noise = random.Random(2).randbytes(9 << 20)

    assert zstandard.get_frame_parameters(_encoded("zstd", noise)).window_size <= 8 << 20


@pytest.mark.parametrize(
    "media_type",
    [
        "text/html",
        "text/css",
        "text/javascript",
        "application/json",
        "image/svg+xml",
        "application/ld+json",
        "application/wasm",
        "font/ttf",
        "application/rss+xml",
        "image/x-icon",
    ],
)
def test_text_and_bare_formats_are_compressible(media_type: str) -> None:
    assert is_compressible(media_type)


@pytest.mark.parametrize(
    "media_type",
    [
        "image/png",
        "image/jpeg",
        "image/avif",
        "font/woff2",
        "video/mp4",
        "application/zip",
        "application/pdf",
        "application/gzip",
        "application/octet-stream",
    ],
)
def test_formats_that_compress_themselves_are_not(media_type: str) -> None:
    assert not is_compressible(media_type)


def test_a_coding_is_kept_from_five_percent_on() -> None:
    assert is_worth_keeping(encoded_bytes=950, size_bytes=1000)
    assert not is_worth_keeping(encoded_bytes=951, size_bytes=1000)
    assert not is_worth_keeping(encoded_bytes=1, size_bytes=0)
