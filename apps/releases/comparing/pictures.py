"""Raster images in uploaded bytes: what they really are, found by reading them, not by their name."""

from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

MAX_PICTURE_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 50_000_000
# Formats that a browser only draws. SVG is not among them: it is a program.
_MEDIA_TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
}
RASTER_TYPES = frozenset(_MEDIA_TYPES.values())


@dataclass(frozen=True, slots=True)
class Picture:
    """A raster image: its size in pixels, and the media type that its bytes have."""

    width: int
    height: int
    media_type: str


def examine(stream: BinaryIO) -> Picture | None:
    """Return what picture the bytes hold, or None where they hold none that may be shown.

    No pixel is decoded. Too many pixels count as no picture.
    """
    try:
        with Image.open(stream, formats=list(_MEDIA_TYPES)) as image:
            picture = Picture(image.width, image.height, _MEDIA_TYPES[image.format or ""])
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError, KeyError):
        return None
    return picture if picture.width * picture.height <= MAX_PIXELS else None
