"""Pointers of previews: what storage says that a preview shows. The services write them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.delivery.pointer import BrokenPointer, StoredManifest

FORMAT = 1


@dataclass(frozen=True, slots=True)
class PreviewPointer:
    """The words of a preview's pointer; moments count seconds since 1970.

    `password` is hashed, "" where none is asked for.
    """

    key: str
    release: int
    digest: str
    manifest: StoredManifest
    is_of_draft: bool
    built_at: int
    expires_at: int
    has_banner: bool
    password: str
    clean_urls: bool
    not_found_page: str


def read_pointer(words: Mapping[str, Any]) -> PreviewPointer:
    """Read a pointer whose signature was found to be good. Raises `BrokenPointer`."""
    try:
        if words["format"] != FORMAT:
            raise BrokenPointer(f"its format is {words['format']}, this program reads {FORMAT}")
        manifest, options = words["manifest"], words["options"]
        return PreviewPointer(
            key=str(words["preview"]),
            release=int(words["release"]),
            digest=str(words["digest"]),
            manifest=StoredManifest(str(manifest["name"]), str(manifest["sha256"]), int(manifest["size"])),
            is_of_draft=bool(words["is_of_draft"]),
            built_at=int(words["built_at"]),
            expires_at=int(words["expires_at"]),
            has_banner=bool(words["has_banner"]),
            password=str(words["password"]),
            clean_urls=bool(options["clean_urls"]),
            not_found_page=str(options["not_found_page"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, BrokenPointer):
            raise
        raise BrokenPointer(f"it is no pointer of a preview: {error!r}") from error
