from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone

from apps.accounts.local_times import moment_of, zone_named
from apps.accounts.staff_pages import refused, render
from apps.refusals import Refusal
from apps.releases.exceptions import UnknownRelease, WrongQuestion
from apps.releases.models import Channel
from apps.releases.tracing.explaining import explained
from apps.releases.tracing.headlines import headline
from apps.releases.tracing.reports import trace_report
from apps.releases.tracing.since import since_when
from apps.releases.tracing.traces import Question, Trace, request_headers_of, trace


def trace_page(request: HttpRequest) -> HttpResponse:
    """Say what an address answers and why; on POST also what headers say that were seen for it."""
    typed = request.GET
    context: dict[str, Any] = {
        "typed": typed,
        "pasted": request.POST.get("seen", ""),
        "channels": Channel.objects.values_list("name", flat=True),
        "without_since": _without_since(request),
    }
    if not typed.get("url", "").strip():
        return render(request, "releases/trace.html", title="Trace", **context)
    status = 200
    try:
        found = trace(_question(typed))
        context |= {"trace": found, "headline": headline(found), **_history(found, typed)}
        if request.method == "POST":
            context["explained"] = explained(found, context["pasted"], now=timezone.now())
    except Refusal as refusal:
        status = refused(request, refusal)
    if typed.get("format") == "json" and status == 200:
        return JsonResponse(trace_report(context["trace"]), json_dumps_params={"indent": 1})
    return render(request, "releases/trace.html", title="Trace", status=status, **context)


def _question(typed: Mapping[str, str]) -> Question:
    number, at = typed.get("release", "").strip(), typed.get("at", "").strip()
    if number and not (number.isascii() and number.isdecimal() and len(number) < 10):
        raise UnknownRelease(f"{number[:50]!r} is no number of a release.", next_step="Write it as 42.")
    return Question(
        pasted=typed.get("url", ""),
        request_headers=request_headers_of(typed.get("headers", "").splitlines()),
        release=int(number) if number else None,
        channel=typed.get("channel", "").strip(),
        at=moment_of(at, zone_named(timezone.get_current_timezone_name())) if at else None,
        with_drafts="drafts" in typed,
    )


def _history(found: Trace, typed: Mapping[str, str]) -> dict[str, Any]:
    """Return since when the address answers so, where that was asked."""
    if "since" not in typed:
        return {}
    up_to = typed["since"]
    if up_to and not (up_to.isascii() and up_to.isdecimal() and len(up_to) < 10):
        raise WrongQuestion(f"{up_to[:50]!r} is no number of a publication.", next_step="Follow a link.")
    place = found.place
    newest = int(up_to) if up_to else place.publication.sequence if place.publication else None
    return {"since": since_when(place.channel, found.asked.target, up_to=newest)}


def _without_since(request: HttpRequest) -> str:
    query = request.GET.copy()
    query.pop("since", None)
    return query.urlencode()
