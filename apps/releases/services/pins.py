"""What a release pins of the cache rules: versions and how they combine, never one without the other."""

from collections.abc import Iterable

from apps.caching.models import CacheRuleVersion
from apps.caching.rules import Combination
from apps.caching.selectors import current_combination, current_versions
from apps.releases.models import Release


def pin(release: Release, versions: Iterable[CacheRuleVersion], combination: Combination) -> None:
    """Let a locked draft ship with these versions, combined like this."""
    release.rules.set(versions)
    release.rule_combination = combination
    release.save(update_fields=["rule_combination", "updated_at"])


def pin_todays(release: Release) -> None:
    """Let a locked draft ship with the cache rules of today."""
    pin(release, current_versions(), current_combination())


def pin_as(release: Release, other: Release) -> None:
    """Let a locked draft ship with the cache rules of another release."""
    pin(release, other.rules.all(), Combination(other.rule_combination))


def pins_other_rules(release: Release) -> bool:
    """Say whether `release` pins other rules than its base, or combines them otherwise."""
    base = release.base
    if base is None:
        return False
    pinned, before = (set(each.rules.values_list("pk", flat=True)) for each in (release, base))
    return pinned != before or release.rule_combination != base.rule_combination
