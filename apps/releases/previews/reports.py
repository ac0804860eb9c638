"""Previews as the JSON documents that commands print."""

from typing import TypedDict

from apps.releases.models import Preview
from apps.releases.reports import prefixed
from apps.releases.selectors.previews import address_of, changes_since, open_previews_of


class PreviewReport(TypedDict):
    """A preview; `digest` is null until a large draft was built, `open` false once it has ended."""

    preview: int
    release: int
    url: str
    digest: str | None
    draft: bool
    built_at: str | None
    changes_since: int
    expires_at: str
    banner: bool
    password: bool
    made_by: str
    open: bool


def preview_report(preview: Preview) -> PreviewReport:
    """Describe a preview, with the address that opens it."""
    return {
        "preview": preview.pk,
        "release": preview.release_id,
        "url": address_of(preview),
        "digest": prefixed(preview.manifest_id) if preview.manifest_id else None,
        "draft": preview.is_of_draft,
        "built_at": preview.built_at.isoformat() if preview.built_at else None,
        "changes_since": changes_since(preview.release, [preview]).get(preview.pk, 0),
        "expires_at": preview.expires_at.isoformat(),
        "banner": preview.has_banner,
        "password": bool(preview.password),
        "made_by": preview.created_by.get_username(),
        "open": open_previews_of(preview.release).filter(pk=preview.pk).exists(),
    }
