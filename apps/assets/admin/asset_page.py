"""The page of one file: its tags, who gave them when and why, and what it consisted of."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.accounts.staff_pages import page_of, render
from apps.assets.admin.forms import TagForm
from apps.assets.admin.tagging import suggested_tags, tag_by, why_not_tag
from apps.assets.models import Asset, AssetVersion
from apps.assets.selectors import tag_history, with_contents

VERSIONS_SHOWN = 20
_HISTORY_ROWS = 20


def asset_page(request: HttpRequest, asset: Asset) -> HttpResponse:
    """Show a file."""
    return _show(request, asset)


def asset_tag_step(request: HttpRequest, asset: Asset) -> HttpResponse:
    """Tag one file as its page's form says, and come back to it."""
    form = _form(asset, request)
    if status := tag_by(request, form, [asset.path]):
        return _show(request, asset, form=form, status=status)
    return HttpResponseRedirect(reverse("admin:assets_asset_change", args=[asset.pk]))


def _carried(asset: Asset) -> list[str]:
    return list(asset.tags.filter(until__isnull=True).order_by("name").values_list("name", flat=True))


def _form(asset: Asset, request: HttpRequest | None = None) -> TagForm:
    carried = [(name, name) for name in _carried(asset)]
    return TagForm(request.POST if request else None, carried=carried)


def _show(
    request: HttpRequest, asset: Asset, *, form: TagForm | None = None, status: int = 200
) -> HttpResponse:
    shown = with_contents(Asset.objects.all(), versions=VERSIONS_SHOWN).get(pk=asset.pk)
    versions: list[AssetVersion] = vars(shown)["newest_versions"]
    why_not = why_not_tag(request)
    return render(
        request,
        "assets/asset/page.html",
        title=asset.path,
        status=status,
        asset=shown,
        tags=vars(shown)["carried_tags"],
        versions=versions,
        newest=versions[0] if versions else None,
        page=page_of(request, tag_history(asset), size=_HISTORY_ROWS),
        form=form or (None if why_not else _form(asset)),
        suggested=[] if why_not else suggested_tags(),
        why_not=why_not,
    )
