"""The rules that ship now as a file for a cache in front, to be saved from the list."""

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse

from apps.caching.exporting import current_rule_set
from apps.caching.exports.placement import Placement
from apps.caching.exports.source import Unsayable
from apps.caching.exports.targets import TARGETS


def export_file(request: HttpRequest, target: str) -> HttpResponse:
    """Answer with the file for a kind of cache, with the places that `rule export` takes by default."""
    if not request.user.has_perm("caching.view_cacherule"):
        raise PermissionDenied
    if target not in TARGETS:
        raise Http404
    kind = TARGETS[target]
    try:
        text = kind.write(current_rule_set(), Placement())
    except Unsayable as error:
        return HttpResponse(f"{error}\n", status=409, content_type="text/plain; charset=utf-8")
    return HttpResponse(
        text,
        content_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{kind.file}"', "Cache-Control": "no-store"},
    )
