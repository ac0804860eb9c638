"""What is odd about the rules as they ship now, with who answers for them."""

from collections.abc import Sequence

from apps.caching.lint import LintedRule, Remark, lint, remarks_by_rule
from apps.caching.models import CacheRuleVersion
from apps.caching.selectors import as_rule, current_combination, current_versions, newest_versions
from apps.caching.serialisation import parse_examples


def remarks() -> dict[str, list[Remark]]:
    """Return the remarks on each rule that has some, by slug: three queries, however many rules there are."""
    rules = tuple(
        LintedRule(as_rule(version), version.name, parse_examples(version.examples))
        for version in current_versions()
    )
    found = remarks_by_rule(lint(rules, current_combination()))
    newest = list(newest_versions())
    for remark in _of_people_and_names(newest):
        found.setdefault(remark.slug, []).insert(0, remark)
    return found


def _of_people_and_names(versions: Sequence[CacheRuleVersion]) -> list[Remark]:
    found: list[Remark] = []
    named: dict[str, str] = {}
    for version in versions:
        slug, name = version.rule.slug, version.name.strip().casefold()
        if not version.owner.is_active:
            found.append(
                Remark(
                    "owner_left",
                    slug,
                    f"{version.owner}, who owns it, has left.",
                    "Choose somebody who answers for it, with its next version.",
                )
            )
        if name in named:
            found.append(
                Remark(
                    "same_name",
                    slug,
                    f"The rule {named[name]} has the same name.",
                    "Rename one.",
                    named[name],
                )
            )
        named.setdefault(name, slug)
    return found
