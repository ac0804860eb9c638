from django.contrib import messages
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.urls import reverse

from apps.accounts.staff_pages import actor_of, refused, render
from apps.refusals import Refusal
from apps.releases.exceptions import ReceiptIncomplete
from apps.releases.models import Channel, Publication, Purge, Receipt
from apps.releases.purging.reports import counted_keys
from apps.releases.rolling_back.receipt_reports import receipt_view, seconds_after
from apps.releases.selectors import history_of, publication_undone_by
from apps.releases.selectors.receipts import listed_urls, receipt_of
from apps.releases.services.looking_again import ask_to_look_again, is_asked_for, refuse_unless_possible

_SHOWN_URLS = 20
_SHOWN_KEYS = 20


def receipt_page(request: HttpRequest, channel: Channel, sequence: int) -> HttpResponse:
    """Show what became of a publication or a roll back, as far as it is seen."""
    publication = _publication(channel, sequence)
    if request.method == "POST":
        return _look_again(request, publication)
    view = receipt_view(publication)
    receipt = view.receipt
    keys = counted_keys(receipt) if receipt else []
    return render(
        request,
        "releases/channel/receipt.html",
        title=f"Receipt of {publication.tag}",
        channel=channel,
        publication=publication,
        view=view,
        receipt=receipt,
        seconds_to_pointer=seconds_after(publication, receipt.pointer_at) if receipt else None,
        first_urls=_first_urls(receipt),
        shown_urls=_SHOWN_URLS,
        first_keys=keys[:_SHOWN_KEYS],
        keys_left=len(keys[_SHOWN_KEYS:]),
        undone=publication_undone_by(publication),
        can_be_looked_at_again=bool(view.in_front and view.in_front.at),
        is_asked_for=bool(view.in_front and view.in_front.at) and is_asked_for(publication),
        why_not=_why_not(request, publication) if view.in_front and view.in_front.at else "",
        purges=list(Purge.objects.filter(publication=publication)),
    )


def _look_again(request: HttpRequest, publication: Publication) -> HttpResponse:
    try:
        ask_to_look_again(publication=publication, actor=actor_of(request))
    except Refusal as refusal:
        refused(request, refusal)
    else:
        messages.success(request, "The background worker looks again in a moment. Both looks are kept.")
    page = reverse("admin:releases_channel_receipt", args=[publication.channel_id, publication.sequence])
    return HttpResponseRedirect(f"{page}#in-front")


def _why_not(request: HttpRequest, publication: Publication) -> str:
    try:
        refuse_unless_possible(publication, actor_of(request))
    except Refusal as refusal:
        return str(refusal)
    return ""


def changed_urls_file(request: HttpRequest, channel: Channel, sequence: int, ending: str) -> HttpResponse:
    """Send the list of addresses that changed, as a line each or as a JSON document."""
    publication = _publication(channel, sequence)
    receipt = receipt_of(publication)
    if receipt is None or receipt.url_count is None:
        raise Http404(f"Which addresses {publication} changed is not listed.")
    response: HttpResponse | StreamingHttpResponse
    if ending == "json":
        document = {"publication": publication.tag, "urls": list(listed_urls(receipt))}
        response = JsonResponse(document, json_dumps_params={"indent": 1})
    else:
        lines = (f"{url}\n" for url in listed_urls(receipt))
        response = StreamingHttpResponse(lines, content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{publication.tag}-urls.{ending}"'
    return response  # type: ignore[return-value]


def _publication(channel: Channel, sequence: int) -> Publication:
    publication = history_of(channel).filter(sequence=sequence).first()
    if publication is None:
        raise Http404(f"{channel} has no publication {sequence}.")
    return publication


def _first_urls(receipt: Receipt | None) -> list[str]:
    if receipt is None or receipt.url_count is None:
        return []
    try:
        return [url for url, _ in zip(listed_urls(receipt), range(_SHOWN_URLS), strict=False)]
    except ReceiptIncomplete:
        return []
