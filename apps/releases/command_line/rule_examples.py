from collections.abc import Callable
from typing import Any, TypedDict

from django.conf import settings
from django.core.management.base import CommandParser

from apps.caching.command_line.rule_subcommands import RuleSubcommands
from apps.origins import origin_of
from apps.releases.channels.probing import NoAnswer, host_of, hosts_of
from apps.releases.checks.live_examples import Asking, LiveResult, Standing, counts_in_words, live_results
from apps.releases.comparing.texts import visible
from apps.releases.exceptions import NowhereToFetch, WrongAddress
from apps.releases.selectors import channel_named
from apps.releases.tracing.places import Place, place_of

_MARKS = {Standing.HOLDS: "✓", Standing.FAILS: "✕", Standing.NOT_ASKED: "·"}


class ExampleReport(TypedDict):
    rule: str
    version: int
    example: int
    url: str
    asked: str
    standing: str
    words: str


class ExamplesSubcommands(RuleSubcommands):
    """Ask for the examples of the rules that are live, as visitors do."""

    def add_subcommands(self, add: Callable[..., CommandParser]) -> None:
        examples = add("examples", self.examples, help="ask for every example of the rules that are live")
        examples.add_argument("--channel", default="production", help="default: %(default)s")
        examples.add_argument(
            "--origin", default="", metavar="URL", help="where this site answers (default: PUBLIC_BIND)"
        )
        examples.add_argument(
            "--through", default="", metavar="URL", help="a cache in front, which is asked as well"
        )
        super().add_subcommands(add)

    def examples(self, *, channel: str, origin: str, through: str, **options: Any) -> list[ExampleReport]:
        place, host = place_of("", {}, channel=channel), _host_of(channel)
        hosts = hosts_of(place.channel)
        found: list[ExampleReport] = []
        for name, where, is_cache in (("origin", origin, False), ("cache", through, True)):
            if is_cache and not where:
                continue
            asking = Asking(_place_named(where), host, hosts, is_cache=is_cache)
            found += self._asked(name, place, asking)
        self.has_failed = any(report["standing"] == Standing.FAILS for report in found)
        return found

    def _asked(self, name: str, place: Place, asking: Asking) -> list[ExampleReport]:
        where = asking.where or settings.PUBLIC_BIND
        self.say(f"{place.channel}, release {place.release.pk}, at the {name} ({where}) as {asking.host}:")
        results: list[LiveResult] = []
        try:
            for result in live_results(place, asking):
                mark, subject = _MARKS[result.standing], visible(result.owned.subject)
                self.say(f"  {mark} {subject}: {visible(result.words)}")
                results.append(result)
        except NoAnswer as fault:
            raise NowhereToFetch(f"{fault}.", next_step="Start it, or name another place.") from fault
        self.say(f"  {counts_in_words(results)}")
        return [_report(name, result) for result in results]


def _host_of(name: str) -> str:
    channel = channel_named(name)
    host = host_of(channel)
    if host is None:
        raise NowhereToFetch(
            f"{channel} has no host, so no visitor could ask for anything.",
            next_step=f"`scripts/manage channel host {channel} {channel}.localhost` gives it one.",
        )
    return host


def _place_named(where: str) -> str:
    """Return where to connect to, as it was named: a URL without a path, or HOST:PORT."""
    if not where or where.startswith("unix:/"):
        return where
    origin = origin_of(where if "://" in where else f"http://{where}")
    if not origin:
        raise WrongAddress(
            f"{where[:200]!r} names no place to connect to.", next_step="Write it as http://127.0.0.1:6081."
        )
    return origin


def _report(asked: str, result: LiveResult) -> ExampleReport:
    version = result.owned.version
    return {
        "rule": version.rule.slug,
        "version": version.number,
        "example": result.owned.number,
        "url": result.owned.example.url,
        "asked": asked,
        "standing": result.standing.value,
        "words": result.words,
    }
