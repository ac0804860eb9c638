"""Bringing the cache rules of today into a draft: into one that is there, or into one for that alone."""

from collections.abc import Mapping, Sequence

from django.db import transaction
from django.db.models import prefetch_related_objects

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.assets.selectors import TagDifference, newest_tagging
from apps.audit.services import record
from apps.caching.models import CacheRuleVersion
from apps.caching.rules import Combination
from apps.caching.selectors import current_combination, current_versions, tags_asked_for_by
from apps.releases.comparing.rules import RulesDifference, combination_change, differing_tags, rule_changes
from apps.releases.conflicts.standing import rule_combination_of
from apps.releases.exceptions import NothingChanges
from apps.releases.models import Channel, Involvement, Release
from apps.releases.selectors import live_publication
from apps.releases.services.drafts import create_release
from apps.releases.services.involvements import note_involvement
from apps.releases.services.pins import pin_todays
from apps.releases.transitions import lock_content


def rules_to_take(release: Release | None) -> RulesDifference:
    """Return what today's rules differ in from those of `release`; None has none. Three to five queries."""
    return differences_today([release])[0]


def differences_today(releases: Sequence[Release | None]) -> list[RulesDifference]:
    """Return what today's rules differ in from those of each release: three queries for any number.

    Two more say how files are tagged, where rules ask for that.
    """
    prefetch_related_objects([release for release in releases if release], "rules")
    versions, combination = current_versions(), current_combination()
    asked = tags_asked_for_by(versions)
    newest = newest_tagging() if asked else None
    befores = [
        (release.tagging_id, tags_asked_for_by(release.rules.all())) if release else (None, frozenset[str]())
        for release in releases
    ]
    tags = differing_tags(befores, newest.pk if newest else None, asked)
    return [
        _difference(release, versions, combination, differing)
        for release, differing in zip(releases, tags, strict=True)
    ]


def _difference(
    release: Release | None,
    versions: Sequence[CacheRuleVersion],
    today: Combination,
    tags: Mapping[str, TagDifference],
) -> RulesDifference:
    return RulesDifference(
        tuple(rule_changes(release.rules.all() if release else (), versions)),
        combination_change(rule_combination_of(release), today),
        tags,
    )


@transaction.atomic
def take_rules(*, release: Release, actor: User) -> RulesDifference:
    """Pin the rules of today to a draft, and how they combine; return what that has changed.

    Nothing to change is no entry in the log. Raises `Forbidden`, `ReleaseClosed`, `PromotedContent`.
    """
    require(actor, "releases.change_release", to=f"change release {release.pk}")
    lock_content(release)
    difference = rules_to_take(release)
    if not difference:
        return difference
    pin_todays(release)
    note_involvement(release, actor, Involvement.Kind.CHANGED)
    record(
        actor=actor,
        action="release.take_rules",
        target=f"release {release.pk}",
        summary=f"Release {release.pk} ships with the cache rules of today: {'; '.join(difference.words)}.",
        details={"rules": difference.words},
    )
    return difference


@transaction.atomic
def begin_with_rules(*, channel: Channel, title: str, actor: User) -> Release:
    """Begin a draft that changes no file and ships with the rules of today; return it.

    Raises `Forbidden`, and `NothingChanges` where what is live has these rules.
    """
    require(actor, "releases.add_release", to="make a release")
    live = live_publication(channel)
    difference = rules_to_take(live.release if live else None)
    if live is None or not difference:
        raise NothingChanges(
            f"{channel} serves {'nothing yet' if live is None else 'with the cache rules of today already'}.",
            next_step="Publish files on it first." if live is None else "Save a version of a rule first.",
        )
    return create_release(title=title.strip() or "Cache rules", channel=channel, changes=(), actor=actor)
