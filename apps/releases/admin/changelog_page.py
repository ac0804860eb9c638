from django.http import HttpRequest, HttpResponse, JsonResponse

from apps.accounts.staff_pages import refused, render
from apps.refusals import Refusal
from apps.releases.history.changelog import as_markdown, changelog
from apps.releases.history.reports import log_entry_report
from apps.releases.models import Channel
from apps.releases.selectors import history_of

_SHOWN_AT_FIRST = 50  # publications; whoever wants more names the tag that it begins after


def changelog_page(request: HttpRequest, channel: Channel) -> HttpResponse:
    """Tell what went live on a channel between two tags; with `?format=` give it as a file."""
    since = request.GET.get("from", _first_of_the_last(channel)).strip()
    until = request.GET.get("to", "").strip()
    try:
        entries, status = changelog(channel, since=since, until=until), 200
    except Refusal as refusal:
        entries, status = [], refused(request, refusal)
    form = request.GET.get("format", "") if status == 200 else ""
    if form == "markdown":
        answer = HttpResponse(as_markdown(channel, entries), content_type="text/markdown; charset=utf-8")
    elif form == "json":
        document = {"channel": channel.name, "entries": [log_entry_report(entry) for entry in entries]}
        answer = JsonResponse(document, json_dumps_params={"indent": 1})
    else:
        return render(
            request,
            "releases/channel/changelog.html",
            title=f"Changelog of {channel}",
            status=status,
            channel=channel,
            entries=entries,
            since=since,
            until=until,
        )
    ending = "md" if form == "markdown" else "json"
    answer["Content-Disposition"] = f'attachment; filename="changelog-{channel}.{ending}"'
    return answer


def _first_of_the_last(channel: Channel) -> str:
    """Return the tag after which the last publications come; "" where there are no more than these."""
    before = history_of(channel)[_SHOWN_AT_FIRST : _SHOWN_AT_FIRST + 1]
    return before[0].tag if before else ""
