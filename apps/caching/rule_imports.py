"""Rules that were imported are saved as drafts, all of them or none."""

from collections.abc import Sequence
from dataclasses import replace

from django.db import transaction
from django.db.models import Min

from apps.accounts.models import User
from apps.caching.importing.drafts import ImportedRule
from apps.caching.models import CacheRule, CacheRuleVersion
from apps.caching.selectors import newest_versions
from apps.caching.serialisation import as_json
from apps.caching.services import add_rule

_USUAL_STEP = 10
_FIRST_ORDER = 1  # before every rule that a site has, so that each draft shows what it would do by itself


@transaction.atomic
def save_imported(
    rules: Sequence[ImportedRule],
    *,
    source: str,
    actor: User,
    owner: User | None = None,
    is_dry_run: bool = False,
) -> list[CacheRuleVersion]:
    """Save each as a new rule in the state of a draft: it ships with nothing before somebody makes it active.

    Raises what `add_rule` does; nothing is saved then, nor where it is only tried.
    """
    saved = [
        add_rule(
            slug=rule.slug,
            actor=actor,
            owner=owner,
            content=as_json(rule.content),
            reason=f"Imported from {source}.",
        )
        for rule in rules
    ]
    transaction.set_rollback(is_dry_run)
    return saved


def in_room(rules: Sequence[ImportedRule]) -> list[ImportedRule]:
    """Return `rules` with numbers so close together that they come before those of a site, if that can be."""
    first_own = newest_versions().aggregate(order=Min("order"))["order"] or _FIRST_ORDER
    step = max(1, min(_USUAL_STEP, (first_own - _FIRST_ORDER) // max(len(rules), 1)))
    return [
        replace(rule, content=replace(rule.content, order=_FIRST_ORDER + place * step))
        for place, rule in enumerate(rules)
    ]


def taken_slugs() -> set[str]:
    """Return the slugs that rules of this site have."""
    return set(CacheRule.objects.values_list("slug", flat=True))
