from itertools import islice
from typing import Any

from django.core.management.base import CommandParser

from apps.accounts.command_line import ServiceCommand
from apps.caching.purging.contract import Purger
from apps.releases.models import Publication, Purge, Receipt
from apps.releases.purging.addresses import addresses, amount, caches, hosts_of
from apps.releases.purging.reports import PurgeReport, keys_in_words, purge_report
from apps.releases.purging.services import listed_receipt, purge_again
from apps.releases.selectors import channel_named
from apps.releases.selectors.receipts import publication_named

_SHOWN = 20


class Command(ServiceCommand):
    help = "Let the caches in front forget what a publication changed; the site does so by itself, once."
    reads = "releases.view_publication"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "publication", metavar="PUBLICATION", help="its number on the channel, or its tag"
        )
        parser.add_argument("--channel", default="production", help="(default: %(default)s)")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be told whom")

    def run(self, **options: Any) -> object:
        words = options["publication"]
        channel = channel_named(options["channel"]) if words.isdecimal() else None
        found = publication_named(channel, words)
        if options["dry_run"]:
            return self._would_be(found)
        purges = purge_again(publication=found, actor=self.actor(options))
        return [self._said(purge) for purge in purges]

    def _said(self, purge: Purge) -> PurgeReport:
        report = purge_report(purge)
        self.say(f"{purge.cache}: {report['in_words']}")
        return report

    def _would_be(self, publication: Publication) -> dict[str, object]:
        receipt, hosts = listed_receipt(publication), hosts_of(publication.channel)
        total = (receipt.url_count or 0) * len(hosts)
        self.say(f"{publication.tag}: {receipt.url_count} paths on {', '.join(hosts) or 'no named host'}")
        if keys := keys_in_words(receipt):
            self.say(f"  {receipt.keyed_url_count} of the paths had surrogate keys: {keys}")
        plans = [self._plan(receipt, purger) for purger in caches()]
        if not plans:
            self.say("  PURGE_URLS names no cache: nobody is told.")
        listed = [f"{one.host}{one.path}" for one in islice(addresses(receipt), _SHOWN)]
        for address in listed:
            self.say(f"  {address}")
        if total > _SHOWN:
            self.say(f"  and {total - _SHOWN} more")
        return {
            "publication": publication.tag,
            "hosts": hosts,
            "surrogate_keys": receipt.surrogate_keys,
            "caches": plans,
            "first": listed,
        }

    def _plan(self, receipt: Receipt, purger: Purger) -> dict[str, object]:
        told = amount(receipt, purger)
        batches = -(-told.words // purger.batch_size)
        self.say(f"  {purger.name}: {told}, in batches of {purger.batch_size}: {batches}")
        return {
            "cache": purger.name,
            "keys": told.keys,
            "addresses": told.addresses,
            "batches": batches,
        }
