"""A rule as its page shows it: what it says in words, and its examples executed. For reading only."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from django.conf import settings

from apps.caching.examples import ExampleResult, run_examples
from apps.caching.headers import cache_control
from apps.caching.matching import in_words
from apps.caching.models import CacheRule, CacheRuleVersion
from apps.caching.rules import Combination, Example, Rule, RuleContent, RuleState
from apps.caching.selectors import (
    as_rules,
    content_of,
    current_combination,
    current_versions,
    newest_versions,
    with_content,
)
from apps.caching.wording import bypass_in_words, policy_in_words


@dataclass(frozen=True, slots=True)
class RuleOverview:
    """A rule's newest version, `content` being what it says.

    `place` counts from 1 as rules are tried; None where the rule ships with no release begun now.
    """

    version: CacheRuleVersion
    content: RuleContent
    place: int | None
    results: tuple[ExampleResult, ...]

    @property
    def matches_in_words(self) -> str:
        return in_words(self.content.match)

    @property
    def policy_in_words(self) -> str:
        return policy_in_words(self.content.policy)

    @property
    def cache_control(self) -> str:
        return cache_control(self.content.policy)

    @property
    def bypass_conditions(self) -> list[tuple[str, str]]:
        """The conditions under which a cache must not answer, each with its reason."""
        return [(bypass_in_words(bypass), bypass.reason) for bypass in self.content.bypass_conditions]

    @property
    def failing_count(self) -> int:
        return sum(not result.is_ok for result in self.results)


@dataclass(frozen=True, slots=True)
class PastVersion:
    """One line of a rule's history."""

    version: CacheRuleVersion
    matches_in_words: str
    cache_control: str


def overviews(rule_ids: Iterable[int]) -> dict[int, RuleOverview]:
    """Return an overview of each of these rules by its id; two rules or a hundred take three queries."""
    shipping = current_versions()
    places = {version.rule_id: place for place, version in enumerate(shipping, start=1)}
    rules, combination = as_rules(shipping), current_combination()
    orders = {version.rule.slug: version.order for version in shipping}
    found = [(version, content_of(version)) for version in newest_versions().filter(rule__in=list(rule_ids))]
    examples = (content.examples for _, content in found if content.state is RuleState.ACTIVE)
    results = iter(_run(rules, chain.from_iterable(examples), combination))
    return {
        version.rule_id: RuleOverview(
            version,
            content,
            places.get(version.rule_id),
            _results(version, content, results, rules, orders, combination),
        )
        for version, content in found
    }


def history(rule: CacheRule) -> list[PastVersion]:
    """Return every version of `rule`, newest first."""
    versions = rule.versions.select_related("owner", "created_by").order_by("-number")
    contents = [(version, content_of(version)) for version in versions]
    return [
        PastVersion(version, in_words(content.match), cache_control(content.policy))
        for version, content in contents
    ]


def _results(
    version: CacheRuleVersion,
    content: RuleContent,
    results: Iterator[ExampleResult],
    rules: tuple[Rule, ...],
    orders: dict[str, int],
    combination: Combination,
) -> tuple[ExampleResult, ...]:
    """Take those of an active rule from `results`, where they come one rule after another.

    Those of a draft are executed as if it shipped already; those of a disabled rule say nothing.
    """
    if content.state is RuleState.DISABLED:
        return ()
    if content.state is RuleState.ACTIVE:
        return tuple(islice(results, len(content.examples)))
    after = with_content(rules, orders, version.rule.slug, version.number, content)
    return tuple(_run(after, content.examples, combination))


def _run(rules: Sequence[Rule], examples: Iterable[Example], combination: Combination) -> list[ExampleResult]:
    return run_examples(rules, examples, preview_domain=settings.PREVIEW_DOMAIN, combination=combination)
