import gzip
import io

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from apps.assets.media_types import HEAD_BYTES, media_type_of, sniffed

ACTIVE = ("html", "svg", "xml", "javascript")


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("index.html", "text/html"),
        ("css/SITE.CSS", "text/css"),
        ("js/app.mjs", "text/javascript"),
        ("js/app.js.map", "application/json"),
        ("site.webmanifest", "application/manifest+json"),
        ("font.ttf", "font/ttf"),
        ("font.woff", "font/woff"),
        ("favicon.ico", "image/x-icon"),
        (".well-known/apple-app-site-association", "application/json"),
        ("archive.tar.gz", "application/gzip"),
        ("photo.jpg", "image/jpeg"),
        ("sound.wav", "audio/wav"),
    ],
)
def test_the_name_decides_where_it_is_known(path: str, media_type: str) -> None:
    assert media_type_of(path, b"\x89PNG\r\n\x1a\n") == media_type


def _image(form: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (16, 16)).save(stream, form)
    return stream.getvalue()[:HEAD_BYTES]


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (_image("PNG"), "image/png"),
        (_image("JPEG"), "image/jpeg"),
        (_image("GIF"), "image/gif"),
        (_image("WEBP"), "image/webp"),
        (_image("AVIF"), "image/avif"),
        (_image("ICO"), "image/x-icon"),
        (b"%PDF-1.7\n%\xe2\xe3", "application/pdf"),
        (b"wOF2\0\1\0\0", "font/woff2"),
        (b"\0\0\0\x20ftypisom\0\0\2\0", "video/mp4"),
        (b"\0asm\1\0\0\0", "application/wasm"),
        (gzip.compress(b"x", mtime=0), "application/gzip"),
        (zstandard.compress(b"x"), "application/zstd"),
        (b"BSD 3-Clause License\n", "text/plain"),
        ("grüße\t日本\r\n".encode(), "text/plain"),
        (b"\x80\x81\x82", "application/octet-stream"),
        (b"text\0with nul", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_the_first_bytes_decide_where_the_name_is_silent(head: bytes, media_type: str) -> None:
    assert media_type_of("LICENSE", head) == media_type
    assert media_type_of("file.unheard-of", head) == media_type


def test_a_character_cut_off_by_the_end_of_the_head_is_no_sign_of_binary() -> None:
    assert sniffed("a日".encode()[:-1]) == "text/plain"


def test_typescript_and_transport_streams_share_a_name_and_not_a_type() -> None:
    packet = b"G" + bytes(187)

    assert media_type_of("main.ts", b"export const answer = 42") == "text/plain"
    assert media_type_of("segment.ts", packet * 3) == "video/mp2t"


@given(
    st.binary(max_size=200)
    | st.sampled_from([b"<!doctype html>", b"<svg xmlns='x'>", b"<?xml version='1'?>"])
)
def test_bytes_alone_never_make_a_file_active(head: bytes) -> None:
    assert not any(word in sniffed(head) for word in ACTIVE)
