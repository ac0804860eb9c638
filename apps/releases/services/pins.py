"""What a release pins of the cache rules: versions, how they combine, and how files are tagged for them."""

from collections.abc import Iterable

from apps.assets.selectors import newest_tagging, tag_differences, taggers_between
from apps.caching.models import CacheRuleVersion
from apps.caching.rules import Combination
from apps.caching.selectors import current_combination, current_versions, tags_asked_for_by
from apps.releases.models import Involvement, Release
from apps.releases.services.involvements import note_involvements


def pin(
    release: Release, versions: Iterable[CacheRuleVersion], combination: Combination, tagging: int | None
) -> None:
    """Let a locked draft ship with these versions, combined like this, and with files tagged as by `tagging`.

    That is the id of an act; versions that ask for no tag pin none. Who tagged files since the base, for tags
    that are asked for, has a part in the release: it is their work that is reviewed.
    """
    pinned = list(versions)
    asked = tags_asked_for_by(pinned)
    release.rules.set(pinned)
    release.rule_combination = combination
    release.tagging_id = tagging if asked else None
    release.save(update_fields=["rule_combination", "tagging", "updated_at"])
    note_involvements(release, _taggers(release, asked), Involvement.Kind.TAGGED)


def _taggers(release: Release, asked: frozenset[str]) -> set[int]:
    """Return the ids of whose tags a release brings; a tag that its base did not ask for is brought whole."""
    base = release.base
    known = tags_asked_for_by(base.rules.all()) if base else frozenset()
    since_base = taggers_between(base.tagging_id if base else None, release.tagging_id, asked & known)
    return since_base | taggers_between(None, release.tagging_id, asked - known)


def pin_todays(release: Release) -> None:
    """Let a locked draft ship with the cache rules of today, and with files tagged as they are."""
    newest = newest_tagging()
    pin(release, current_versions(), current_combination(), newest.pk if newest else None)


def pin_as(release: Release, other: Release) -> None:
    """Let a locked draft ship with the cache rules of another release."""
    pin(release, other.rules.all(), Combination(other.rule_combination), other.tagging_id)


def pins_other_rules(release: Release) -> bool:
    """Say whether `release` pins other rules than its base, combines them otherwise, or has other tags."""
    base = release.base
    if base is None:
        return False
    pinned, before = (set(each.rules.all()) for each in (release, base))
    if pinned != before or release.rule_combination != base.rule_combination:
        return True
    differences = tag_differences([base.tagging_id], release.tagging_id, tags_asked_for_by(pinned))
    return bool(differences[base.tagging_id])
