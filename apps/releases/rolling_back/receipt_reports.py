"""A publication's receipt as people read it and as commands print it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from apps.releases.models import Publication, Receipt, ReceiptStep
from apps.releases.purging.reports import PurgeReport, purges_of
from apps.releases.reports import HistoryReport, history_report
from apps.releases.selectors.receipts import receipt_of


class StepReport(TypedDict):
    kind: str
    subject: str
    at: str
    good: bool
    words: str


class UrlsReport(TypedDict):
    count: int
    file: str
    sha256: str


class ReceiptReport(HistoryReport):
    state: str
    words: str
    pointer_at: str | None
    followed_at: str | None
    finished_at: str | None
    elapsed_seconds: float | None
    nodes: list[StepReport]
    changed_urls: UrlsReport | None
    purges: list[PurgeReport]
    fetched: list[StepReport]
    examples: list[StepReport]


@dataclass(frozen=True, slots=True)
class ReceiptView:
    """A receipt with its steps, and what it comes to. `receipt` is None where there was none yet to keep."""

    publication: Publication
    receipt: Receipt | None
    nodes: tuple[ReceiptStep, ...] = ()
    fetched: tuple[ReceiptStep, ...] = ()
    examples: tuple[ReceiptStep, ...] = ()

    @property
    def state(self) -> str:
        """`verified`, `failed`, `unknown`; `open` while it is not finished; `none` where there is none."""
        return (self.receipt.verdict or "open") if self.receipt else "none"

    @property
    def has_followed(self) -> bool:
        return bool(self.nodes) and all(step.is_good for step in self.nodes)

    @property
    def elapsed_seconds(self) -> float | None:
        """Seconds from the publication until the last node followed; None where one did not."""
        if not (self.receipt and self.has_followed):
            return None
        return seconds_after(self.publication, self.receipt.followed_at)

    @property
    def waits_for(self) -> str:
        """What an open receipt waits for."""
        if self.receipt is None or self.receipt.finished_at:
            return ""
        if self.receipt.pointer_at is None:
            return "storage has to take the pointer"
        if self.receipt.followed_at is None:
            return "the delivery nodes have to follow"
        return "the background worker lists and fetches what changed"


def receipt_view(publication: Publication) -> ReceiptView:
    """Return a publication's receipt with its steps: two queries."""
    receipt = receipt_of(publication)
    steps = list(receipt.steps.order_by("kind", "number")) if receipt else []
    return ReceiptView(publication, receipt, *steps_by_kind(steps))


def steps_by_kind(steps: Sequence[ReceiptStep]) -> Iterator[tuple[ReceiptStep, ...]]:
    """Yield the steps of nodes, of what was fetched, and of examples, each in their order."""
    for kind in (ReceiptStep.Kind.NODE, ReceiptStep.Kind.FETCH, ReceiptStep.Kind.EXAMPLE):
        yield tuple(step for step in steps if step.kind == kind)


def seconds_after(publication: Publication, at: datetime | None) -> float | None:
    """Return the seconds from a publication to a moment; the clock of another machine may be behind."""
    return max(0.0, (at - publication.published_at).total_seconds()) if at else None


def receipt_report(view: ReceiptView) -> ReceiptReport:
    """Describe a publication and its receipt."""
    receipt = view.receipt
    return {
        **history_report(view.publication),
        "state": view.state,
        "words": receipt.words if receipt else "",
        "pointer_at": _iso(receipt.pointer_at if receipt else None),
        "followed_at": _iso(receipt.followed_at if receipt else None),
        "finished_at": _iso(receipt.finished_at if receipt else None),
        "elapsed_seconds": view.elapsed_seconds,
        "nodes": [_step_report(step) for step in view.nodes],
        "changed_urls": _urls_report(receipt) if receipt else None,
        "purges": purges_of(view.publication),
        "fetched": [_step_report(step) for step in view.fetched],
        "examples": [_step_report(step) for step in view.examples],
    }


def _urls_report(receipt: Receipt) -> UrlsReport | None:
    if receipt.url_count is None:
        return None
    return {"count": receipt.url_count, "file": receipt.urls_name, "sha256": receipt.urls_sha256}


def _step_report(step: ReceiptStep) -> StepReport:
    return {
        "kind": step.kind,
        "subject": step.subject,
        "at": step.at.isoformat(),
        "good": step.is_good,
        "words": step.words,
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
