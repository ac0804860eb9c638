"""Drafts out of a `_headers` file that is pasted: what they would say first, then all of them or none."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.accounts.permissions import require
from apps.accounts.staff_pages import actor_of, refused, render
from apps.caching.admin.outcome import shown_headers
from apps.caching.importing.drafts import ImportedRule
from apps.caching.importing.headers_file import FILE, HeadersFileFault, rules_of_headers_file
from apps.caching.matching import in_words
from apps.caching.rule_imports import in_room, save_imported, taken_slugs
from apps.refusals import Refusal

_MOST_CHARACTERS = 1 << 20
_SHOWN = 100


def import_page(request: HttpRequest) -> HttpResponse:
    """Say which drafts the pasted text makes; save them where that is asked for."""
    actor = actor_of(request)
    try:
        require(actor, "caching.add_cacherule", to="write cache rules")
    except Refusal as refusal:
        return render(
            request, "caching/cacherule/refused.html", title="Cache rules", status=refused(request, refusal)
        )
    text = request.POST.get("text", "")
    if request.method != "POST":
        return _show(request, text)
    try:
        rules = in_room(_read(text))
        is_saved = request.POST.get("step") == "save"
        save_imported(rules, source=f"a {FILE} file", actor=actor, is_dry_run=not is_saved)
        if rules and is_saved:
            messages.success(
                request,
                f"{len(rules)} saved as drafts: they ship with nothing until somebody makes them active.",
            )
            return HttpResponseRedirect(reverse("admin:caching_cacherule_changelist"))
    except HeadersFileFault as fault:
        return _show(request, text, error=str(fault), status=400)
    except Refusal as refusal:
        return _show(request, text, error=str(refusal), status=refused(request, refusal))
    error = "" if rules else "It says nothing that a rule could: paste paths, each with its headers below it."
    return _show(request, text, rules, error=error, status=200 if rules else 400)


def _read(text: str) -> list[ImportedRule]:
    if len(text) > _MOST_CHARACTERS:
        raise HeadersFileFault(f"It has more than {_MOST_CHARACTERS:,} characters. Import it in parts.")
    # Editors of Windows begin a file with a mark.
    return rules_of_headers_file(text.removeprefix("\ufeff"), taken=taken_slugs())


def _show(
    request: HttpRequest,
    text: str,
    rules: list[ImportedRule] | None = None,
    *,
    error: str = "",
    status: int = 200,
) -> HttpResponse:
    found = rules or []
    return render(
        request,
        "caching/cacherule/import.html",
        title=f"Drafts out of a {FILE} file",
        status=status,
        text=text,
        error=error,
        count=len(found),
        more=len(found[_SHOWN:]),
        rules=[
            (rule, in_words(rule.content.match), list(shown_headers(rule.content))) for rule in found[:_SHOWN]
        ],
    )
