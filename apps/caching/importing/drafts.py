"""A draft of a rule, complete with an example that shows what it does. Pure."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from apps.caching.addresses import escaped
from apps.caching.covering import may_meet
from apps.caching.evaluation import evaluate
from apps.caching.examples import guess_media_type
from apps.caching.rules import Example, Match, Policy, Rule, RuleContent, RuleState

MOST_NAME = 120
_PAGES = Match(extensions=("htm", "html", "xht", "xhtml"))


@dataclass(frozen=True, slots=True)
class ImportedRule:
    """A rule that is proposed under a slug, and what its source said that it does not say."""

    slug: str
    content: RuleContent
    left_out: tuple[str, ...] = ()


def draft(
    slug: str, name: str, *, order: int, match: Match, policy: Policy, path: str, source: str
) -> RuleContent:
    """Return a content in the state of a draft; `path` is one that `match` holds for."""
    rule = Rule(slug, 1, match, policy)
    url = f"/{escaped(path)}"
    outcome = evaluate([rule], url, media_type=guess_media_type(path), size_bytes=10_000)
    example = Example(
        url=url,
        is_cached=outcome.is_cached,
        rule=slug,
        browser_ttl_seconds=outcome.browser_ttl_seconds if outcome.is_cached else None,
        shared_ttl_seconds=outcome.shared_ttl_seconds if outcome.is_cached else None,
    )
    return RuleContent(
        name=name[:MOST_NAME],
        order=order,
        match=match,
        policy=policy,
        examples=(example,),
        expected_result=f"These files are served as {source} has it.",
        rollback_note="Disable this rule if files are kept longer, or asked for more often, than before.",
        description=f"Imported from {source}.",
        state=RuleState.DRAFT,
    )


def untrusted(match: Match) -> Iterator[str]:
    """Yield a sentence where a rule is about pages, which run no scripts until somebody says so."""
    if may_meet(match, _PAGES):
        yield "Scripts in HTML files do not run under it: trust them on its form, if they are yours."


def slug_for(text: str, taken: Collection[str]) -> str:
    """Return a slug that says what a rule is about and that no other one has."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:48].strip("-")
    slug = base = f"imported-{words}" if words else "imported"
    number = 2
    while slug in taken:
        slug, number = f"{base}-{number}", number + 1
    return slug
