from django.http import FileResponse, Http404, HttpRequest, HttpResponse

from apps.accounts.staff_pages import actor_of, render
from apps.assets.models import Blob
from apps.releases.admin.blob_pictures import picture_of
from apps.releases.admin.review_section import why_no_comment
from apps.releases.comparing.change_rows import row_of
from apps.releases.models import Change, Release
from apps.releases.selectors import built_manifest_of, changes_of, neighbours_of, threads_by_path


def comparison_page(request: HttpRequest, release: Release, change_number: int) -> HttpResponse:
    """Show one change with as much of it as is ever shown, and the ways to those before and after."""
    change = _change(release, change_number)
    before, after = neighbours_of(change)
    return render(
        request,
        "releases/release/comparison.html",
        title=f"{change.asset.path} · release {release.pk}",
        release=release,
        row=row_of(change, built_manifest_of(release)),
        threads=threads_by_path(release, [change.asset.path]).get(change.asset.path, []),
        why_no_comment=why_no_comment(release, actor_of(request)),
        before=before,
        after=after,
    )


def picture(request: HttpRequest, release: Release, change_number: int, side: str) -> FileResponse:
    """Answer with the old or new bytes of a change where they are a raster image; else 404."""
    blob = _blob(_change(release, change_number), side)
    if blob is None:
        raise Http404
    return picture_of(blob.digest, blob.size_bytes)


def _change(release: Release, number: int) -> Change:
    change = changes_of(release).filter(pk=number).first()
    if change is None:
        raise Http404
    return change


def _blob(change: Change, side: str) -> Blob | None:
    if side == "old":
        return change.replaced_blob
    return change.version.blob if change.version else None
