"""The examples of the rules of a release, and what becomes of each at a place that answers it.

Where an example's address has a file in the manifest, its headers are what counts, as visitors would get
them. Where it has none, the rules are asked about a file that would lie there: examples may speak of files
that only some releases have (docs/adr/0144).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from django.conf import settings

from apps.assets.selectors import tagged_paths
from apps.caching.choosing import RuleChooser
from apps.caching.evaluation import Outcome, evaluate, path_of
from apps.caching.examples import guess_media_type
from apps.caching.matching import NO_TAGS, Subject
from apps.caching.models import CacheRuleVersion
from apps.caching.rules import Combination, Example, HeaderSet
from apps.caching.selectors import as_rule, tags_asked_for_by
from apps.caching.serialisation import parse_examples
from apps.releases.channels.expected_answers import Served, url_of
from apps.releases.channels.targets import BadTarget, Target, parse_target
from apps.releases.models import Release
from apps.releases.tracing.answering import answer_to
from apps.releases.tracing.asked import AskedAddress, asked_address
from apps.releases.tracing.keeping import keepings
from apps.releases.tracing.places import Place

_NOTHING = Outcome(
    path="",
    rule="",
    rule_version=0,
    bypass=None,
    is_cached=False,
    browser_ttl_seconds=0,
    shared_ttl_seconds=0,
    headers=(),
    considered=(),
)


@dataclass(frozen=True, slots=True)
class OwnedExample:
    """An example, the version of the rule that it belongs to, and its place in that, from 1."""

    version: CacheRuleVersion
    number: int
    example: Example

    @property
    def subject(self) -> str:
        return f"{self.version.rule.slug}, example {self.number}: {self.example.url}"


@dataclass(frozen=True, slots=True)
class Located:
    """What a place makes of an example.

    `is_readable` is False for an address that is answered with 400, `served` None where no file lies there.
    """

    asked: AskedAddress
    outcome: Outcome
    served: Served | None = None
    is_readable: bool = True


class ExamplesOf:
    """The examples of the release at a place, each with what becomes of it there."""

    def __init__(self, place: Place) -> None:
        """One query, or two where rules ask for tags.

        Raises `ShapeFault` where somebody wrote a rule's row by hand.
        """
        self._place = place
        self._versions = pinned_versions(place.release)
        self._combination = Combination(place.release.rule_combination)
        asked = tags_asked_for_by(self._versions)
        self._tagged = tagged_paths(asked, at=place.release.tagging_id)
        self._chooser = RuleChooser(
            [as_rule(version) for version in self._versions],
            is_first_enough=self._combination is Combination.FIRST,
        )

    def __iter__(self) -> Iterator[OwnedExample]:
        for version in self._versions:
            for number, example in enumerate(parse_examples(version.examples), start=1):
                yield OwnedExample(version, number, example)

    def located(self, example: Example) -> Located:
        """Return what becomes of the request. Raises `AddressFault`, `HeaderFault`."""
        asked = asked_address(example.url)
        try:
            target = parse_target(asked.target)
        except BadTarget:
            return Located(asked, _NOTHING, is_readable=False)  # nobody keeps a 400
        served = answer_to(self._place, target).served
        outcome = self._evaluated(asked, target, served, example)
        return Located(asked, _as_served(outcome, served.header_set) if served else outcome, served)

    def _evaluated(
        self, asked: AskedAddress, target: Target, served: Served | None, example: Example
    ) -> Outcome:
        path = served.name if served else target.path
        url = f"http://{asked.host}{url_of(path)}" if asked.host else url_of(path)
        path = path_of(url)
        media_type = served.entry.media_type if served else guess_media_type(path)
        size_bytes = served.entry.size if served else example.size_bytes
        tags = self._tagged.get(served.entry.path, NO_TAGS) if served else frozenset(example.tags)
        return evaluate(
            self._chooser.chosen(Subject(path, media_type, size_bytes, tags)),
            f"{url}?{target.query}" if target.query else url,
            media_type=media_type,
            request_headers=example.request_headers,
            size_bytes=size_bytes,
            tags=tags,
            preview_domain=settings.PREVIEW_DOMAIN,
            combination=self._combination,
        )


def pinned_versions(release: Release) -> list[CacheRuleVersion]:
    """Return the versions of rules that a release ships with, in the order in which they are tried."""
    return list(release.rules.select_related("rule").order_by("order", "rule__slug"))


def _as_served(outcome: Outcome, header_set: HeaderSet) -> Outcome:
    """Return `outcome` with what the manifest says; when a cache steps aside is said by the rules alone."""
    browser, shared, _ = keepings({name.lower(): value for name, value in header_set.headers})
    ttls = (0, 0) if outcome.bypass else (browser.seconds, shared.seconds)
    return replace(
        outcome,
        rule=header_set.rule,
        rule_version=header_set.rule_version,
        is_cached=any(ttls),
        browser_ttl_seconds=ttls[0],
        shared_ttl_seconds=ttls[1],
        headers=header_set.headers,
    )
