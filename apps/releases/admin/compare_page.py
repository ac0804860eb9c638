"""Any two things that are served, were, or would be: what differs, by path, at an address to be shared."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.accounts.staff_pages import refused, render
from apps.refusals import Refusal
from apps.releases.admin.blob_pictures import picture_of
from apps.releases.comparing.comparables import HOW, Comparable, comparable_named
from apps.releases.comparing.differences import KIND_CHOICES, Comparison, Filter, Row, look_of
from apps.releases.comparing.header_words import header_words, rule_words
from apps.releases.comparing.impact import SIGNS
from apps.releases.comparing.looks import ON_ITS_OWN, Look
from apps.releases.comparing.tallies import quick_tally, tally_of
from apps.releases.comparing.texts import visible
from apps.releases.exceptions import UnknownComparable, UnknownRelease
from apps.releases.manifest import Reach
from apps.releases.manifest.tally import HeaderChange, Tally

ROWS_A_PAGE = 50
HEADER_CHANGES_SHOWN = 25
REDIRECTS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Said:
    """A change of headers in words: which addresses, by which rule, and what changes."""

    change: HeaderChange
    rule: str
    headers: list[str]


@dataclass(frozen=True, slots=True)
class LookedAt:
    """One path as the parts of a page show it, whichever comparison it comes from."""

    path: str
    kind: str
    media_type: str
    look: Look

    @property
    def sign(self) -> str:
        return SIGNS[self.kind]


def compare_page(request: HttpRequest) -> HttpResponse:
    """Show what differs between `old` and `new` of the address; without them, ask for them."""
    names = _names(request)
    if not all(names):
        return _ask(request, *names)
    choice = _filter(request)
    try:
        with _comparison(*names, is_counted="count" in request.GET) as comparison:
            reach = Reach()
            rows = list(islice(comparison.rows(choice, reach), ROWS_A_PAGE + 1))
            return _show(request, comparison, choice, rows, reach.stopped_at)
    except (UnknownComparable, UnknownRelease) as refusal:
        refused(request, refusal)
        return _ask(request, *names, status=404)
    except Refusal as refusal:
        return _ask(request, *names, status=refused(request, refusal))


def compare_file_page(request: HttpRequest) -> HttpResponse:
    """Show one path with as much of it as is ever shown; with `next`, go on to the one after it."""
    names, path = _names(request), request.GET.get("path", "")
    choice = _filter(request)
    try:
        with _comparison(*names) as comparison:
            if "next" in request.GET:
                return _go_on(request, comparison, replace(choice, after=path))
            row = comparison.at(path)
            if row is None:
                raise Http404(f"{path} is the same on both sides.")
            return _show_file(request, comparison, choice, row)
    except Refusal as refusal:
        raise Http404(str(refusal)) from refusal


def compared_picture(request: HttpRequest) -> FileResponse:
    """Answer with what a path serves on one side, where that is a raster image; else 404."""
    try:
        side = comparable_named(request.GET.get("of", ""))
    except Refusal as refusal:
        raise Http404(str(refusal)) from refusal
    entry = side.reader.lookup(request.GET.get("path", "")) if side.reader else None
    if entry is None:
        raise Http404
    return picture_of(entry.blob, entry.size)


def compare_address(old: str, new: str, **more: str) -> str:
    """Return the address of a comparison, to be linked to."""
    return _address("admin:releases_release_compare", old, new, **more)


def _address(view: str, old: str, new: str, **more: str) -> str:
    chosen = {name: value for name, value in more.items() if value}
    return f"{reverse(view)}?{urlencode({'old': old, 'new': new, **chosen})}"


def _names(request: HttpRequest) -> tuple[str, str]:
    return request.GET.get("old", "").strip(), request.GET.get("new", "").strip()


def _filter(request: HttpRequest) -> Filter:
    kind = request.GET.get("kind", "")
    return Filter(
        kind if kind in KIND_CHOICES else "",
        request.GET.get("below", "").strip().removeprefix("/"),
        request.GET.get("type", "").strip(),
        request.GET.get("after", ""),
        request.GET.get("start", ""),
    )


def _typed(choice: Filter) -> dict[str, str]:
    return {"kind": choice.kind, "below": choice.below, "type": choice.media_type}


@contextmanager
def _comparison(old: str, new: str, *, is_counted: bool = False) -> Iterator[Comparison]:
    """Open a comparison; what takes long to count is counted only where that was asked for."""
    before, after = comparable_named(old), comparable_named(new)
    tally = (tally_of if is_counted else quick_tally)(before.reader, after.reader)
    with Comparison(before, after, tally) as comparison:
        yield comparison


def _ask(request: HttpRequest, old: str, new: str, *, status: int = 200) -> HttpResponse:
    """Ask what to compare: what was typed stays."""
    return render(
        request,
        "releases/compare/page.html",
        title="Compare",
        status=status,
        typed_old=old,
        typed_new=new,
        choice=Filter(),
        how=HOW,
    )


def _show(
    request: HttpRequest, comparison: Comparison, choice: Filter, rows: list[Row], stopped_at: str
) -> HttpResponse:
    old, new, tally = comparison.old, comparison.new, comparison.tally
    shown, typed, redirects = rows[:ROWS_A_PAGE], _typed(choice), comparison.redirects()
    view = "admin:releases_release_compare_file"
    addresses = {row.path: _address(view, old.name, new.name, path=row.path, **typed) for row in shown}
    return render(
        request,
        "releases/compare/page.html",
        title=f"Compare {old.name} with {new.name}",
        typed_old=old.name,
        typed_new=new.name,
        how=HOW,
        comparison=comparison,
        choice=choice,
        rows=[(row, addresses[row.path]) for row in shown],
        following=_following(old, new, typed, rows, stopped_at),
        stopped_at=stopped_at,
        kinds=_kinds(tally),
        is_counted=tally is not None,
        permanent=compare_address(old.permanent, new.permanent, **typed),
        is_permanent=(old.name, new.name) == (old.permanent, new.permanent),
        turned=compare_address(new.name, old.name, **typed),
        counting=compare_address(old.name, new.name, **typed, count="1"),
        redirects=redirects[:REDIRECTS_SHOWN],
        redirect_count=len(redirects),
        **_header_changes(tally),
    )


def _following(
    old: Comparable, new: Comparable, typed: dict[str, str], rows: list[Row], stopped_at: str
) -> str:
    """Return where it goes on: behind the last row that is shown, or where nobody has looked yet."""
    if len(rows) <= ROWS_A_PAGE:
        return compare_address(old.name, new.name, **typed, start=stopped_at) if stopped_at else ""
    return compare_address(old.name, new.name, **typed, after=rows[ROWS_A_PAGE - 1].path)


def _kinds(tally: Tally | None) -> list[tuple[str, int | None]]:
    """Return the kinds that rows can be narrowed down to, with how many there are, where that is known."""
    if tally is None:
        return [(kind, None) for kind in KIND_CHOICES]
    counts, moved = tally.counts(), tally.move_count()
    numbers = {kind: each.paths for kind, each in counts.items()} | {"moved": moved}
    for kind in ("added", "removed"):
        numbers[kind] -= moved
    return [(kind, numbers[kind]) for kind in KIND_CHOICES if numbers[kind]]


def _header_changes(tally: Tally | None) -> dict[str, Any]:
    if tally is None:
        return {"header_changes": [], "header_paths": 0, "more_header_changes": 0}
    changes, (count, paths) = tally.header_changes(limit=HEADER_CHANGES_SHOWN), tally.header_change_count()
    return {
        "header_changes": [
            Said(each, rule_words(each.old, each.new), header_words(each.old, each.new)) for each in changes
        ],
        "header_paths": paths,
        "more_header_changes": count - len(changes),
    }


def _go_on(request: HttpRequest, comparison: Comparison, choice: Filter) -> HttpResponse:
    old, new, typed = comparison.old.name, comparison.new.name, _typed(choice)
    following = next(comparison.rows(choice), None)
    if following is None:
        messages.info(request, "That was the last path.")
        return HttpResponseRedirect(compare_address(old, new, **typed))
    view = "admin:releases_release_compare_file"
    return HttpResponseRedirect(_address(view, old, new, path=following.path, **typed))


def _show_file(request: HttpRequest, comparison: Comparison, choice: Filter, row: Row) -> HttpResponse:
    old, new, typed = comparison.old, comparison.new, _typed(choice)
    looked_at = LookedAt(visible(row.path), row.kind, row.media_type, look_of(row, ON_ITS_OWN))
    view = "admin:releases_release_compare_file"
    return render(
        request,
        "releases/compare/file.html",
        title=f"{row.path} · {old.name} and {new.name}",
        comparison=comparison,
        row=looked_at,
        moved=row,
        headers=_headers_of(comparison, row),
        all_rows=compare_address(old.name, new.name, **typed),
        following=_address(view, old.name, new.name, path=row.path, **typed, next="1"),
        old_url=_picture_address(old, row.path, looked_at.look.old.digest if looked_at.look.old else ""),
        new_url=_picture_address(new, row.path, looked_at.look.new.digest if looked_at.look.new else ""),
    )


def _picture_address(side: Comparable, path: str, digest: str) -> str:
    """Return the address of a picture; the digest in it tells a browser's old copy from another content."""
    query = urlencode({"of": side.permanent, "path": path, "digest": digest[:12]})
    return f"{reverse('admin:releases_release_compare_picture')}?{query}"


def _headers_of(comparison: Comparison, row: Row) -> Said | None:
    old, new = row.difference.old, row.difference.new
    if not (old and new and comparison.old.reader and comparison.new.reader):
        return None
    before = comparison.old.reader.header_sets[old.header_set]
    after = comparison.new.reader.header_sets[new.header_set]
    if before.digest == after.digest:
        return None
    return Said(
        HeaderChange(before, after, 1, row.path), rule_words(before, after), header_words(before, after)
    )
