"""A publication's receipt as people read it and as commands print it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import TypedDict

from django.conf import settings

from apps.accounts.models import User
from apps.releases.models import Publication, Receipt, ReceiptStep
from apps.releases.purging.reports import PurgeReport, purges_of
from apps.releases.reports import HistoryReport, history_report
from apps.releases.selectors import live_publication
from apps.releases.selectors.in_front import in_front_waits_for, silence_at
from apps.releases.selectors.receipts import receipt_of

Kind = ReceiptStep.Kind


class StepReport(TypedDict):
    kind: str
    subject: str
    at: str
    good: bool
    words: str


class UrlsReport(TypedDict):
    """How many addresses changed. Caches held `keyed` of them under surrogate keys, by each so many.

    Both are None where they were listed before keys were kept.
    """

    count: int
    file: str
    sha256: str
    keyed: int | None
    surrogate_keys: dict[str, int] | None


class LookReport(TypedDict):
    """What the caches in front showed at `url`: `state` is `holds`, `fails`, `waits`, or `missed` for good.

    `asked_by` is who had it looked again, None where the site did by itself.
    """

    url: str
    state: str
    words: str
    at: str | None
    asked_by: str | None
    steps: list[StepReport]


class InFrontReport(LookReport):
    """What they showed last, and what they showed before, the first look first."""

    earlier: list[LookReport]


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
    in_front: InFrontReport | None


@dataclass(frozen=True, slots=True)
class InFront:
    """What a receipt says of the caches in front of a public address; `state` is as in `LookReport`.

    `earlier` are the looks before this one, the first one first.
    """

    url: str
    state: str
    words: str
    at: datetime | None = None
    steps: tuple[ReceiptStep, ...] = ()
    asked_by: User | None = None
    earlier: tuple["InFront", ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiptView:
    """A receipt with its steps, and what it comes to. `receipt` is None where there was none yet to keep.

    `in_front` is None where it is not known at which address visitors get the channel.
    """

    publication: Publication
    receipt: Receipt | None
    nodes: tuple[ReceiptStep, ...] = ()
    fetched: tuple[ReceiptStep, ...] = ()
    examples: tuple[ReceiptStep, ...] = ()
    in_front: InFront | None = None

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
    """Return a publication's receipt with its steps, and what that of the caches in front waits for."""
    receipt = receipt_of(publication)
    steps = receipt.steps.select_related("asked_by").order_by("kind", "number") if receipt else ()
    view = view_of(publication, receipt, list(steps))
    return view if view.in_front or receipt is None else replace(view, in_front=_waits(publication))


def view_of(publication: Publication, receipt: Receipt | None, steps: Sequence[ReceiptStep]) -> ReceiptView:
    """Return what a receipt says by its steps, which are in their order."""
    nodes, fetched, examples, in_front = (
        tuple(step for step in steps if step.kind == kind)
        for kind in (Kind.NODE, Kind.FETCH, Kind.EXAMPLE, Kind.IN_FRONT)
    )
    return ReceiptView(publication, receipt, nodes, fetched, examples, _in_front(in_front))


def _in_front(steps: tuple[ReceiptStep, ...]) -> InFront | None:
    """Return the last look, with those before it."""
    looks = [
        _look(*of_look) for _, of_look in groupby(steps, lambda step: step.number // step.NUMBERS_OF_A_LOOK)
    ]
    return replace(looks[-1], earlier=tuple(looks[:-1])) if looks else None


def _look(total: ReceiptStep, *others: ReceiptStep) -> InFront:
    state = "holds" if total.is_good else "fails"
    return InFront(total.subject, state, total.words, total.at, others, total.asked_by)


def _waits(publication: Publication) -> InFront | None:
    """Say what the look at the public address waits for, or why it will never be taken."""
    url = settings.PUBLIC_URLS.get(publication.channel.name, "")
    if not url:
        return None
    live = live_publication(publication.channel)
    if live != publication:
        return InFront(url, "missed", f"not asked before {live} took its place")
    if silence := silence_at(publication, url):
        return InFront(url, "waits", silence)
    waits_for = in_front_waits_for(publication) or "the background worker comes to it in a moment"
    return InFront(url, "waits", f"not asked yet: {waits_for}")


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
        "in_front": _in_front_report(view.in_front) if view.in_front else None,
    }


def _in_front_report(seen: InFront) -> InFrontReport:
    return {**_look_report(seen), "earlier": [_look_report(each) for each in seen.earlier]}


def _look_report(seen: InFront) -> LookReport:
    return {
        "url": seen.url,
        "state": seen.state,
        "words": seen.words,
        "at": _iso(seen.at),
        "asked_by": seen.asked_by.username if seen.asked_by else None,
        "steps": [_step_report(step) for step in seen.steps],
    }


def _urls_report(receipt: Receipt) -> UrlsReport | None:
    if receipt.url_count is None:
        return None
    keys = receipt.surrogate_keys
    return {
        "count": receipt.url_count,
        "file": receipt.urls_name,
        "sha256": receipt.urls_sha256,
        "keyed": receipt.keyed_url_count,
        "surrogate_keys": dict(sorted(keys.items())) if keys is not None else None,
    }


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
