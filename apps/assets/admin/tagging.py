"""One act of tagging by a form: its fields, what is said of it, and the way back."""

from collections.abc import Iterable

from django.contrib import messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.accounts.staff_pages import actor_of, refused, why_not
from apps.assets.admin.forms import TagForm
from apps.assets.exceptions import WrongTag
from apps.assets.models import Tagging
from apps.assets.selectors import counts_of_taggings, tag_counts
from apps.assets.services import tag_assets
from apps.refusals import Refusal

_SUGGESTED = 200


def why_not_tag(request: HttpRequest) -> str:
    """Return why the reader may not tag files, "" where they may."""
    return why_not(request, "assets.change_asset", to="tag files")


def suggested_tags() -> list[str]:
    """Return what is offered while somebody types: the tags that most files carry."""
    return [count.name for count in tag_counts()[:_SUGGESTED]]


def tag_by(request: HttpRequest, form: TagForm, paths: Iterable[str]) -> int:
    """Tag as `form` says, and say in messages and in the form what came of it.

    Return the status of the page that shows the form again, 0 where it was done.
    """
    if not form.is_valid():
        messages.error(request, "No file was tagged: see what has to be corrected.")
        return 400
    try:
        made = tag_assets(paths=paths, actor=actor_of(request), **form.cleaned_data)
    except WrongTag as refusal:
        form.add_error("add", str(refusal))
        messages.error(request, "No file was tagged: see what has to be corrected.")
        return 400
    except Refusal as refusal:
        return refused(request, refusal)
    if made:
        messages.success(request, done_words(made))
    else:
        messages.info(request, "Nothing to do: the tags are like that already.")
    return 0


def done_words(tagging: Tagging) -> SafeString:
    """Say what an act did, what it does not do yet, and where it is taken back."""
    return format_html(
        "{} Nothing has changed for visitors yet: a release ships it with its cache rules."
        ' <a class="button" href="{}">Undo…</a>',
        counts_of_taggings([tagging.pk])[tagging.pk].words,
        reverse("admin:assets_asset_tagging", args=[tagging.pk]),
    )
