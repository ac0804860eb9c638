"""Rules that were imported are saved as drafts, all of them or none."""

from collections.abc import Sequence

from django.db import transaction

from apps.accounts.models import User
from apps.caching.importing.drafts import ImportedRule
from apps.caching.models import CacheRule, CacheRuleVersion
from apps.caching.serialisation import as_json
from apps.caching.services import add_rule

FIRST_ORDER = 1  # before every rule that a site has, so that each draft shows what it would do by itself


@transaction.atomic
def save_imported(
    rules: Sequence[ImportedRule], *, source: str, actor: User, owner: User | None = None
) -> list[CacheRuleVersion]:
    """Save each as a new rule in the state of a draft: it ships with nothing before somebody makes it active.

    Raises what `add_rule` does; nothing is saved then.
    """
    return [
        add_rule(
            slug=rule.slug,
            actor=actor,
            owner=owner,
            content=as_json(rule.content),
            reason=f"Imported from {source}.",
        )
        for rule in rules
    ]


def taken_slugs() -> set[str]:
    """Return the slugs that rules of this site have."""
    return set(CacheRule.objects.values_list("slug", flat=True))
