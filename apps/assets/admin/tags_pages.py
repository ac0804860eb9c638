"""All tags that there are, and the acts by which they were given and taken away."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.accounts.staff_pages import actor_of, page_of, refused, render
from apps.assets.admin.tagging import done_words, why_not_tag
from apps.assets.exceptions import UnknownTagging
from apps.assets.models import Tagging
from apps.assets.selectors import (
    changed_by,
    counts_of_taggings,
    last_changes_of,
    later_tagging_of,
    newest_taggings,
    tagging_numbered,
    tags_ever,
)
from apps.assets.services import undo_tagging
from apps.refusals import Refusal

_TAGS_A_PAGE = 50
_ACTS_SHOWN = 10


def tags_page(request: HttpRequest) -> HttpResponse:
    """Show each tag with how many files carry it, and the newest acts."""
    page = page_of(request, tags_ever(), size=_TAGS_A_PAGE)
    acts = list(newest_taggings()[:_ACTS_SHOWN])
    counts = counts_of_taggings([act.pk for act in acts])
    return render(
        request,
        "assets/asset/tags.html",
        title="Tags",
        page=page,
        tags=last_changes_of(list(page)),
        acts=[(act, counts[act.pk].words) for act in acts],
        why_not=why_not_tag(request),
    )


def tagging_page(request: HttpRequest, number: int) -> HttpResponse:
    """Show what an act of tagging changed; on POST take it back."""
    try:
        tagging = tagging_numbered(number)
    except UnknownTagging as error:
        raise Http404(str(error)) from error
    if request.method != "POST":
        return _show(request, tagging)
    try:
        undone = undo_tagging(tagging=tagging, actor=actor_of(request))
    except Refusal as refusal:
        return _show(request, tagging, status=refused(request, refusal))
    messages.success(request, done_words(undone))
    return HttpResponseRedirect(reverse("admin:assets_asset_tagging", args=[undone.pk]))


def _show(request: HttpRequest, tagging: Tagging, *, status: int = 200) -> HttpResponse:
    return render(
        request,
        "assets/asset/tagging.html",
        title=str(tagging).capitalize(),
        status=status,
        tagging=tagging,
        counts=counts_of_taggings([tagging.pk])[tagging.pk],
        page=page_of(request, changed_by(tagging)),
        later=later_tagging_of(tagging),
        why_not=why_not_tag(request),
    )
