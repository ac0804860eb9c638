"""Content codings: which files are worth one, and their bytes. The same bytes in give the same bytes out."""

import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

import brotli  # type: ignore[import-untyped]
import zstandard

from apps.assets.models import Effort, Representation
from apps.assets.store import chunks_of

# Past this a coding costs more time than visitors get back: such files are downloads.
MAX_ENCODED_BYTES = 64 << 20
_LARGEST_SHARE = 0.95

_COMPRESSIBLE = {
    "application/dash+xml",
    "application/ecmascript",
    "application/geo+json",
    "application/javascript",
    "application/json",
    "application/ld+json",
    "application/manifest+json",
    "application/postscript",
    "application/rtf",
    "application/sql",
    "application/toml",
    "application/vnd.apple.mpegurl",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/x-javascript",
    "application/x-subrip",
    "application/x-tar",
    "application/xml",
    "application/yaml",
    "font/collection",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/x-icon",
    "image/x-ms-bmp",
    "model/gltf+json",
    "model/gltf-binary",
}

# Brotli's best quality takes over a second for a megabyte, its ninth a twentieth of that.
_SLOW_BROTLI_BYTES = 1 << 20
# What a core makes in a second: 140 MB of zstd 3, 50 MB of brotli 5 or gzip 6; 4, 1 and 20 MB of the best.
_FAST_ZSTD, _BEST_ZSTD = 3, 19
_FAST_BROTLI, _GOOD_BROTLI, _BEST_BROTLI = 5, 9, 11
_FAST_GZIP, _BEST_GZIP = 6, 9
# RFC 9659: a zstd content coding needs a window of at most 8 MB, else browsers refuse it.
_ZSTD_WINDOW_LOG = 23


def is_compressible(media_type: str) -> bool:
    """Say whether files of this media type usually get smaller; those compressed by themselves do not."""
    return (
        media_type in _COMPRESSIBLE
        or media_type.startswith("text/")
        or media_type.endswith(("+json", "+xml"))
    )


def is_worth_keeping(*, encoded_bytes: int, size_bytes: int) -> bool:
    """Say whether a coding saves at least 5 %."""
    return encoded_bytes <= size_bytes * _LARGEST_SHARE


def encoded(
    coding: str, source: BinaryIO, *, size_bytes: int, effort: Effort = Effort.BEST
) -> Iterator[bytes]:
    """Yield `source`, which has `size_bytes`, in a content coding of `Representation.Coding`.

    It takes memory for a window of the source, never for all of it.
    """
    compressor = _COMPRESSORS[Representation.Coding(coding)](size_bytes, effort)
    for chunk in chunks_of(source):
        if piece := compressor.compress(chunk):
            yield piece
    yield compressor.flush()


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class _Brotli:
    """Brotli's compressor, whose methods have names of their own."""

    def __init__(self, size_bytes: int, effort: Effort) -> None:
        best = _BEST_BROTLI if size_bytes <= _SLOW_BROTLI_BYTES else _GOOD_BROTLI
        self._compressor = brotli.Compressor(quality=_FAST_BROTLI if effort == Effort.FAST else best)
        self.compress = self._compressor.process
        self.flush = self._compressor.finish


def _zstd(size_bytes: int, effort: Effort) -> _Compressor:
    level = _FAST_ZSTD if effort == Effort.FAST else _BEST_ZSTD
    fitting = zstandard.ZstdCompressionParameters.from_level(level, source_size=size_bytes)
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level, source_size=size_bytes, window_log=min(fitting.window_log, _ZSTD_WINDOW_LOG)
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compressobj(size=size_bytes)


def _gzip(size_bytes: int, effort: Effort) -> _Compressor:
    # 31: a gzip header of zlib's own, without a time (RFC 1952 MTIME 0).
    return zlib.compressobj(level=_FAST_GZIP if effort == Effort.FAST else _BEST_GZIP, wbits=31)


_COMPRESSORS: dict[Representation.Coding, Callable[[int, Effort], _Compressor]] = {
    Representation.Coding.ZSTD: _zstd,
    Representation.Coding.BR: _Brotli,
    Representation.Coding.GZIP: _gzip,
}
