"""Tagging many files at once: those that were chosen in the list, or all that a search there finds."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse

from apps.accounts.staff_pages import render
from apps.assets.admin.forms import TagForm
from apps.assets.admin.tagging import suggested_tags, tag_by, why_not_tag
from apps.assets.models import Asset
from apps.assets.selectors import found_assets, tags_carried_by, with_contents

MOST_FILES = 50_000  # what is done within one request, in a few seconds
MOST_CHOSEN = 1_000
_SHOWN = 10
_DIGITS = 18  # what the database counts with has no more


@dataclass(frozen=True, slots=True)
class Chosen:
    """Files that are to be tagged: those of some ids, or else all that a search finds."""

    ids: tuple[int, ...]
    prefix: str
    tag: str

    @classmethod
    def of(cls, asked: QueryDict) -> "Chosen":
        """Read it from a query: `files` are ids, `q` and `tag` are the list's search and filter."""
        typed = [
            word for word in asked.get("files", "").split(",") if word.isdecimal() and len(word) <= _DIGITS
        ]
        prefix = asked.get("q", "").strip().removeprefix("/")
        return cls(tuple(map(int, typed[:MOST_CHOSEN])), prefix, asked.get("tag", ""))

    @property
    def assets(self) -> QuerySet[Asset]:
        if self.ids:
            return Asset.objects.filter(pk__in=self.ids).order_by("path")
        return found_assets(tag=self.tag, prefix=self.prefix)

    @property
    def list_address(self) -> str:
        """The list that they were chosen from."""
        return reverse("admin:assets_asset_changelist") + list_query(self.prefix, self.tag)

    @property
    def which(self) -> str:
        """Which files: "whose paths begin with css/ and that carry hero"; "" for those that were chosen."""
        begins = f"whose paths begin with {self.prefix}" if self.prefix else ""
        carry = f"that carry {self.tag}" if self.tag else ""
        return "" if self.ids else " and ".join(filter(None, (begins, carry)))


def list_query(prefix: str, tag: str) -> str:
    """Return the query of the list that searches for these, "" for neither."""
    query = urlencode({name: value for name, value in (("q", prefix), ("tag", tag)) if value})
    return f"?{query}" if query else ""


def tag_page(request: HttpRequest) -> HttpResponse:
    """Say which files are chosen, and ask for the tags; on POST tag them in one act."""
    chosen = Chosen.of(request.GET)
    if why_not := why_not_tag(request):
        messages.error(request, why_not)
        return render(request, "assets/asset/refused.html", title="Tag files", status=403)
    count = chosen.assets.count()
    if not count:
        messages.warning(request, "No file is chosen. Tick some in the list, or search for some.")
        return HttpResponseRedirect(chosen.list_address)
    if count > MOST_FILES:
        return _show(request, chosen, count, None, status=409 if request.method == "POST" else 200)
    if request.method != "POST":
        return _show(request, chosen, count, _form(request, chosen, count))
    return _tag(request, chosen, count)


def _tag(request: HttpRequest, chosen: Chosen, count: int) -> HttpResponse:
    form = _form(request, chosen, count)
    if request.POST.get("count") != str(count):
        messages.error(request, f"Meanwhile these are {count:,} files. Look at them once more.")
        return _show(request, chosen, count, form, status=409)
    if status := tag_by(request, form, list(chosen.assets.values_list("path", flat=True))):
        return _show(request, chosen, count, form, status=status)
    return HttpResponseRedirect(chosen.list_address)


def _form(request: HttpRequest, chosen: Chosen, count: int) -> TagForm:
    carried = [
        (each.name, each.name if each.files == count else f"{each.name} ({each.files:,} of {count:,})")
        for each in tags_carried_by(chosen.assets)
    ]
    return TagForm(request.POST if request.method == "POST" else None, carried=carried)


def _show(
    request: HttpRequest, chosen: Chosen, count: int, form: TagForm | None, *, status: int = 200
) -> HttpResponse:
    return render(
        request,
        "assets/asset/tag.html",
        title="Tag files",
        status=status,
        chosen=chosen,
        count=count,
        more=count - _SHOWN,
        shown=with_contents(chosen.assets)[:_SHOWN],
        form=form,
        suggested=suggested_tags() if form else [],
        most=MOST_FILES,
    )
