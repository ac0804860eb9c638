"""What is changed in the list of rules: the order, and what becomes of a file that several rules match."""

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.urls import reverse

from apps.accounts.staff_pages import actor_of, refused
from apps.caching.models import CacheRule
from apps.caching.rules import Combination
from apps.caching.selectors import newest_versions
from apps.caching.services import choose_combination, move_rule
from apps.refusals import Refusal


def move_step(request: HttpRequest) -> HttpResponse:
    """Move a rule: `move` is its short name and, behind a colon, that of the rule it is to come before."""
    slug, _, before = request.POST.get("move", "").partition(":")
    place = ""
    try:
        made = move_rule(rule_slug=slug, before=before, actor=actor_of(request))
    except Refusal as refusal:
        refused(request, refusal)
    else:
        messages.success(request, _moved_words(slug, before, len(made)))
        place = f"#rule-{slug}"  # where the keyboard goes on: the next press moves it further
    return HttpResponseRedirect(f"{reverse('admin:caching_cacherule_changelist')}{_page_of(slug)}{place}")


def combine_step(request: HttpRequest) -> HttpResponse:
    """Choose what becomes of a file that several rules match."""
    try:
        combination = Combination(request.POST.get("combination", ""))
    except ValueError:
        return HttpResponseBadRequest("Rules do not combine so.", content_type="text/plain")
    try:
        choose_combination(
            combination=combination, reason=request.POST.get("reason", ""), actor=actor_of(request)
        )
    except Refusal as refusal:
        refused(request, refusal)
    else:
        messages.success(
            request,
            "It counts for releases begun from now on. What is live stays as it is; choose again below.",
        )
    return HttpResponseRedirect(reverse("admin:caching_cacherule_changelist"))


def _moved_words(slug: str, before: str, count: int) -> str:
    if not count:
        return f"{slug} is there already."
    where = f"before {before}" if before else "last"
    versions = "one new version" if count == 1 else f"{count} new versions"
    return f"{slug} is tried {where} in releases begun from now on: {versions}. To undo it, move it back."


def _page_of(slug: str) -> str:
    """Return the query of the page of the list where the rule stands now."""
    in_order = list(newest_versions().values_list("rule__slug", flat=True))
    if slug not in in_order:
        return ""
    page = in_order.index(slug) // admin.site.get_model_admin(CacheRule).list_per_page + 1
    return f"?p={page}" if page > 1 else ""
