"""The rules that ship now, or that a release pins, as the configuration of a cache in front."""

from collections.abc import Iterable

from django.conf import settings

from apps.caching.exports.source import NamedRule, RuleSet
from apps.caching.models import CacheRuleVersion
from apps.caching.rules import Combination
from apps.caching.selectors import as_rule, current_combination, current_versions


def rule_set(versions: Iterable[CacheRuleVersion], combination: Combination, *, origin: str) -> RuleSet:
    """Return versions, which come with their rule and owner, as exports take them. Raises `ShapeFault`."""
    in_order = sorted(versions, key=lambda version: (version.order, version.rule.slug))
    return RuleSet(
        rules=tuple(NamedRule(as_rule(version), version.name, str(version.owner)) for version in in_order),
        combination=combination,
        preview_domain=settings.PREVIEW_DOMAIN,
        origin=origin,
    )


def current_rule_set() -> RuleSet:
    """Return the rules with which releases are begun now: two queries."""
    return rule_set(current_versions(), current_combination(), origin="the releases begun from now on")
