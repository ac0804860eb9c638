from django.http import FileResponse, Http404, HttpRequest, HttpResponse

from apps.assets import store
from apps.assets.models import Blob
from apps.releases.admin.pages import render
from apps.releases.change_rows import row_of
from apps.releases.models import Change, Release
from apps.releases.pictures import MAX_PICTURE_BYTES, examine
from apps.releases.selectors import built_manifest_of, changes_of, neighbours_of


def comparison_page(request: HttpRequest, release: Release, change_number: int) -> HttpResponse:
    """Show one change with as much of it as is ever shown, and the ways to those before and after."""
    change = _change(release, change_number)
    before, after = neighbours_of(change)
    return render(
        request,
        "release/comparison.html",
        title=f"{change.asset.path} · release {release.pk}",
        release=release,
        row=row_of(change, built_manifest_of(release)),
        before=before,
        after=after,
    )


def picture(request: HttpRequest, release: Release, change_number: int, side: str) -> FileResponse:
    """Answer with the old or new bytes of a change where they are a raster image; else 404.

    The type is the one that the bytes have. Nothing that a browser would execute leaves by this door.
    """
    blob = _blob(_change(release, change_number), side)
    if blob is None or blob.size_bytes > MAX_PICTURE_BYTES:
        raise Http404
    try:
        stream = store.open_blob(blob.digest)
    except FileNotFoundError as error:
        raise Http404 from error
    found = examine(stream)
    if found is None:
        stream.close()
        raise Http404
    stream.seek(0)
    return FileResponse(
        stream,
        content_type=found.media_type,
        headers={
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "private, max-age=3600",
        },
    )


def _change(release: Release, number: int) -> Change:
    change = changes_of(release).filter(pk=number).first()
    if change is None:
        raise Http404
    return change


def _blob(change: Change, side: str) -> Blob | None:
    if side == "old":
        return change.replaced_blob
    return change.version.blob if change.version else None
