import time
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser
from django.utils.timezone import localtime

from apps.releases.command_line.release_subcommands import ReleaseSubcommands
from apps.releases.comparing.texts import visible
from apps.releases.models import Publication, Receipt
from apps.releases.purging.reports import keys_in_words
from apps.releases.rolling_back.receipt_reports import (
    InFront,
    ReceiptView,
    receipt_report,
    receipt_view,
    seconds_after,
)
from apps.releases.selectors import channel_named
from apps.releases.selectors.receipts import listed_urls, publication_named
from apps.releases.services import looking_again

_LOOK_AGAIN_SECONDS = 0.2
_STATES = {
    "verified": "✓ Verified: what was asked for is what was published.",
    "failed": "✕ Not verified:",
    "unknown": "◔ It could not be verified:",
    "none": "It was published before receipts were kept.",
}
_IN_FRONT = {"holds": "✓", "fails": "✕", "waits": "…", "missed": "·"}


class ReceiptSubcommands(ReleaseSubcommands):
    """What became of a publication."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        receipt = add("receipt", self.receipt, help="show what became of a publication or roll back")
        receipt.add_argument("publication", help="its number on the channel, or its tag")
        receipt.add_argument("--channel", help="default: production, or what the tag says")
        receipt.add_argument("--wait", action="store_true", help="wait until it is finished")
        receipt.add_argument(
            "--wait-seconds", type=float, default=120, help="for at most so long (default: %(default)s)"
        )
        receipt.add_argument(
            "--look-again", action="store_true", help="look again what caches in front show, and keep both"
        )
        receipt.add_argument("--urls", action="store_true", help="print the addresses that changed instead")
        super().add_subcommands(add)

    def receipt(
        self,
        *,
        publication: str,
        channel: str | None,
        wait: bool,
        wait_seconds: float,
        urls: bool,
        look_again: bool,
        **options: Any,
    ) -> object:
        is_number = publication.isdecimal()
        place = channel_named(channel or "production") if channel or is_number else None
        found = publication_named(place, publication)
        if wait:
            _wait_for(found, wait_seconds)
        if look_again:
            looking_again.look_again(publication=found, actor=self.actor(options))
        view = receipt_view(found)
        if urls and view.receipt:
            return self._say_urls(view.receipt)
        self._say_receipt(view)
        return receipt_report(view)

    def _say_urls(self, receipt: Receipt) -> list[str]:
        found = list(listed_urls(receipt))
        for url in found:
            self.say(url)
        return found

    def _say_receipt(self, view: ReceiptView) -> None:
        publication, receipt = view.publication, view.receipt
        what = "rolled back" if publication.kind == Publication.Kind.ROLLBACK else "published"
        at = f"{localtime(publication.published_at):%Y-%m-%d %H:%M:%S %Z}"
        self.say(
            f"{publication.tag}: release {publication.release_id}, {what} by {publication.actor} at {at}"
        )
        if publication.reason:
            self.say(f"  Reason: {publication.reason}")
        if receipt is None:
            self.say(f"  {_STATES['none']}")
            return
        self.say(f"  Pointer in storage after {_seconds(publication, receipt.pointer_at)}")
        for step in view.nodes:
            self.say(f"  {_mark(step.is_good)} node {step.subject}: {step.words}, "
                     f"after {_seconds(publication, step.at)}")  # fmt: skip
        if receipt.url_count is not None:
            addresses = "one address" if receipt.url_count == 1 else f"{receipt.url_count} addresses"
            self.say(f"  {addresses} changed (--urls lists them)")
            if keys := keys_in_words(receipt):
                self.say(f"  Caches held {receipt.keyed_url_count} of them under surrogate keys: {keys}")
        for step in view.fetched:
            self.say(f"  {_mark(step.is_good)} {step.subject}: {step.words}")
        for step in view.examples:
            self.say(f"  {_mark(step.is_good)} {visible(step.subject)}: {visible(step.words)}")
        self.say(
            f"  {_STATES.get(view.state, f'… Not finished: {view.waits_for}.')} {receipt.words}".rstrip()
        )
        if view.in_front:
            self._say_in_front(view.in_front)

    def _say_in_front(self, seen: InFront) -> None:
        who = f"; {seen.asked_by} had it looked again" if seen.asked_by else ""
        self.say(f"  {_IN_FRONT[seen.state]} Examples at {visible(seen.url)}: {visible(seen.words)}{who}")
        for step in seen.steps:
            self.say(f"    {_mark(step.is_good)} {visible(step.subject)}: {visible(step.words)}")
        for look in reversed(seen.earlier):
            at = f"{localtime(look.at):%Y-%m-%d %H:%M:%S %Z}" if look.at else ""
            self.say(f"    {_IN_FRONT[look.state]} before that, at {at}: {visible(look.words)}")


def _wait_for(publication: Publication, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not Receipt.objects.filter(publication=publication, finished_at=None).exists():
            return
        time.sleep(_LOOK_AGAIN_SECONDS)


def _seconds(publication: Publication, at: Any) -> str:
    seconds = seconds_after(publication, at)
    return "\N{EN DASH}" if seconds is None else f"{seconds:.2f} s"


def _mark(is_good: bool) -> str:  # noqa: FBT001 - a mark says it
    return "✓" if is_good else "✕"
