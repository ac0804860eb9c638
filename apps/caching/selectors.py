from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from django.db.models import Exists, OuterRef, QuerySet, prefetch_related_objects

from apps.caching.exceptions import UnknownRule
from apps.caching.models import CacheRuleVersion, RuleCombination
from apps.caching.rules import Combination, Rule, RuleContent, RuleState
from apps.caching.serialisation import (
    parse_bypass_conditions,
    parse_examples,
    parse_match,
    parse_policy,
)


def newest_versions() -> QuerySet[CacheRuleVersion]:
    """Return the newest version of each rule, with rule and owner, in the order they are tried."""
    newer = CacheRuleVersion.objects.filter(rule=OuterRef("rule"), number__gt=OuterRef("number"))
    return (
        CacheRuleVersion.objects.filter(~Exists(newer))
        .select_related("rule", "owner")
        .order_by("order", "rule__slug")
    )


def newest_version_of(slug: str) -> CacheRuleVersion:
    """Return the newest version of one rule, with rule and owner. Raises `UnknownRule`."""
    version = newest_versions().filter(rule__slug=slug).first()
    if version is None:
        raise UnknownRule.named(slug)
    return version


def version_numbered(slug: str, number: int) -> CacheRuleVersion:
    """Return one version of a rule, with its people. Raises `UnknownRule`."""
    found = CacheRuleVersion.objects.select_related("rule", "owner", "created_by")
    version = found.filter(rule__slug=slug, number=number).first()
    if version is None:
        raise UnknownRule(
            f"The cache rule {slug!r} has no version {number}.", next_step="Choose one of its history."
        )
    return version


def current_versions() -> list[CacheRuleVersion]:
    """Return the version of each active rule that ships now, in the order in which they are tried: one query.

    That is the newest which is no draft; a rule whose newest is disabled has none.
    """
    decided = CacheRuleVersion.objects.exclude(state=RuleState.DRAFT)
    newer = decided.filter(rule=OuterRef("rule"), number__gt=OuterRef("number"))
    return list(
        CacheRuleVersion.objects.filter(~Exists(newer), state=RuleState.ACTIVE)
        .select_related("rule", "owner")
        .order_by("order", "rule__slug")
    )


def current_combination() -> Combination:
    """Return what becomes of a file that several rules match, in the releases begun from now on."""
    newest = chosen_combination()
    return Combination(newest.combination) if newest else Combination.FIRST


def chosen_combination() -> RuleCombination | None:
    """Return the decision that counts now, with who took it; None where nobody has: the first decides."""
    return RuleCombination.objects.select_related("chosen_by").order_by("-pk").first()


def content_of(version: CacheRuleVersion) -> RuleContent:
    """Return what a version says. Raises `ShapeFault` where somebody wrote its row by hand."""
    return RuleContent(
        name=version.name,
        order=version.order,
        match=parse_match(version.match),
        policy=parse_policy(version.policy),
        expected_result=version.expected_result,
        rollback_note=version.rollback_note,
        description=version.description,
        bypass_conditions=parse_bypass_conditions(version.bypass_conditions),
        examples=parse_examples(version.examples),
        state=RuleState(version.state),
    )


def restored_content(earlier: CacheRuleVersion, *, newest: CacheRuleVersion) -> RuleContent:
    """Return what a rule says that goes back to a version: active, and at the place that it has now."""
    return replace(content_of(earlier), state=RuleState.ACTIVE, order=newest.order)


def as_rule(version: CacheRuleVersion) -> Rule:
    """Return the version ready to be evaluated. Raises `ShapeFault`."""
    return Rule(
        slug=version.rule.slug,
        version=version.number,
        match=parse_match(version.match),
        policy=parse_policy(version.policy),
        bypass_conditions=parse_bypass_conditions(version.bypass_conditions),
    )


def as_rules(versions: Iterable[CacheRuleVersion]) -> tuple[Rule, ...]:
    """Return the versions ready to be evaluated, by (order, slug): the first that matches decides.

    Asks the database at most once, for rules that did not come with the versions. Raises `ShapeFault`.
    """
    listed: Sequence[CacheRuleVersion] = list(versions)
    prefetch_related_objects(listed, "rule")
    in_order = sorted(listed, key=lambda version: (version.order, version.rule.slug))
    return tuple(as_rule(version) for version in in_order)


def tags_asked_for_by(versions: Iterable[CacheRuleVersion]) -> frozenset[str]:
    """Return the tags that any of these versions matches by. Raises `ShapeFault`."""
    return frozenset(tag for version in versions for tag in parse_match(version.match).tags)


def with_content(
    rules: Iterable[Rule], orders: Mapping[str, int], slug: str, number: int, content: RuleContent
) -> tuple[Rule, ...]:
    """Return `rules`, whose `orders` are given by slug, with `content` in place of `slug`, or added."""
    changed = Rule(slug, number, content.match, content.policy, content.bypass_conditions)
    placed = [(orders[rule.slug], rule.slug, rule) for rule in rules if rule.slug != slug]
    placed.append((content.order, slug, changed))
    return tuple(rule for _, _, rule in sorted(placed, key=lambda place: place[:2]))
