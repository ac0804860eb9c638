from django.http import FileResponse, Http404

from apps.assets import store
from apps.releases.comparing.pictures import MAX_PICTURE_BYTES, examine


def picture_of(digest: str, size_bytes: int) -> FileResponse:
    """Answer with a blob's bytes where they are a raster image; else raise `Http404`.

    The type is the one that the bytes have. Nothing that a browser would execute leaves by this door.
    """
    if size_bytes > MAX_PICTURE_BYTES:
        raise Http404
    try:
        stream = store.open_blob(digest)
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
