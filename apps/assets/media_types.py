"""Which media type a file has: by its name from a fixed table, by its first bytes where that says nothing."""

import codecs
import unicodedata

from apps.media_types import UNKNOWN, type_by_name

HEAD_BYTES = 4096

# WHATWG MIME Sniffing, section 6, and the registrations of the newer formats. Nothing that a browser
# would execute (HTML, SVG, XML) is ever found here: that a file is such a thing, its name has to say.
_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBPVP", "image/webp"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypavis", "image/avif"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypM4A ", "audio/mp4"),
    (4, b"ftypqt  ", "video/quicktime"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (0, b"\0\0\x01\0", "image/x-icon"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"wOFF", "font/woff"),
    (0, b"wOF2", "font/woff2"),
    (0, b"OTTO", "font/otf"),
    (0, b"\0\x01\0\0", "font/ttf"),
    (0, b"ttcf", "font/collection"),
    (0, b"OggS\0", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"ID3", "audio/mpeg"),
    (8, b"WAVE", "audio/wav"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"\0asm", "application/wasm"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"\x1f\x8b\x08", "application/gzip"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
)
_TRANSPORT_STREAM_PACKET_BYTES = 188


def media_type_of(path: str, head: bytes) -> str:
    """Return the media type of a file, lower-case and without a charset.

    `head` is its first bytes, up to `HEAD_BYTES` of them; they decide where the name is silent.
    """
    name = path.rpartition("/")[2].lower()
    if name.endswith(".ts"):
        # A name that TypeScript and MPEG transport streams (ISO 13818-1: a sync byte a packet) share.
        return "video/mp2t" if head[::_TRANSPORT_STREAM_PACKET_BYTES].startswith(b"GG") else "text/plain"
    return type_by_name(name) or sniffed(head)


def sniffed(head: bytes) -> str:
    """Return the media type that a file's first bytes show: `text/plain` for any text."""
    for offset, signature, media_type in _SIGNATURES:
        if head.startswith(signature, offset):
            return media_type
    return "text/plain" if _is_text(head) else UNKNOWN


def _is_text(head: bytes) -> bool:
    """Say whether `head` is UTF-8 without control characters; a character cut off at its end is none."""
    if not head:
        return False
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return not any(
        unicodedata.category(character) == "Cc" and character not in "\t\n\f\r" for character in text
    )
