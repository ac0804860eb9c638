from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse

from apps.accounts.staff_pages import render
from apps.releases.exceptions import ReceiptIncomplete
from apps.releases.models import Channel, Publication, Purge, Receipt
from apps.releases.purging.reports import counted_keys
from apps.releases.rolling_back.receipt_reports import receipt_view, seconds_after
from apps.releases.selectors import history_of, publication_undone_by
from apps.releases.selectors.receipts import listed_urls, receipt_of

_SHOWN_URLS = 20
_SHOWN_KEYS = 20


def receipt_page(request: HttpRequest, channel: Channel, sequence: int) -> HttpResponse:
    """Show what became of a publication or a roll back, as far as it is seen."""
    publication = _publication(channel, sequence)
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
        purges=list(Purge.objects.filter(publication=publication)),
    )


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
