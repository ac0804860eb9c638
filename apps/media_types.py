"""Which media type a file's name says: one table for what is served and for what is said about it. Pure."""

from whitenoise.media_types import default_types

UNKNOWN = "application/octet-stream"

# What WhiteNoise's table lacks (it is nginx's), or says in a word that has since been superseded.
_TYPES = {
    **default_types(),
    "apple-app-site-association": "application/json",
    ".apng": "image/apng",
    ".bmp": "image/bmp",
    ".cjs": "text/javascript",
    ".csv": "text/csv",
    ".cur": "image/x-icon",
    ".flac": "audio/flac",
    ".geojson": "application/geo+json",
    ".glb": "model/gltf-binary",
    ".gltf": "model/gltf+json",
    ".gz": "application/gzip",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".ics": "text/calendar",
    ".jsonld": "application/ld+json",
    ".jxl": "image/jxl",
    ".m4a": "audio/mp4",
    ".map": "application/json",
    ".mpd": "application/dash+xml",
    ".opus": "audio/ogg",
    ".otf": "font/otf",
    ".sql": "application/sql",
    ".srt": "application/x-subrip",
    ".tar": "application/x-tar",
    ".tgz": "application/gzip",
    ".toml": "application/toml",
    ".ttc": "font/collection",
    ".ttf": "font/ttf",
    ".vtt": "text/vtt",
    ".wav": "audio/wav",
    ".weba": "audio/webm",
    ".webmanifest": "application/manifest+json",
    ".woff": "font/woff",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zst": "application/zstd",
}


def type_by_name(path: str) -> str | None:
    """Return the media type that a path says, in lower case, without charset; None where it says nothing."""
    name = path.rpartition("/")[2].lower()
    return _TYPES.get(name) or _TYPES.get("." + name.rpartition(".")[2])
