"""Which examples of a rule can never hold, whatever the other rules say, and which field is why. Pure."""

from collections.abc import Iterator

from apps.caching.evaluation import evaluate, path_of
from apps.caching.examples import MediaTypeOf
from apps.caching.matching import explain
from apps.caching.rules import Example, Policy, Rule, RuleContent, Visibility
from apps.caching.validation import FieldFault


def impossible_examples(
    slug: str, content: RuleContent, media_type_of: MediaTypeOf, preview_domain: str
) -> Iterator[FieldFault]:
    """Yield, at each example that no set of rules can satisfy, which field of the rule stands against it.

    Only examples that the rule `slug` itself is to decide can be judged so; the content's other fields have
    to make sense. Raises `HeaderFault`.
    """
    rule = Rule(slug, 0, content.match, content.policy, content.bypass_conditions)
    for place, example in enumerate(content.examples):
        if why := _why_impossible(rule, example, media_type_of, preview_domain):
            yield FieldFault(f"examples[{place}]", f"{example.url} can never hold: {why}")


def _why_impossible(
    rule: Rule, example: Example, media_type_of: MediaTypeOf, preview_domain: str
) -> str | None:
    if not example.is_cached and (example.browser_ttl_seconds or example.shared_ttl_seconds):
        return "what is not cached has no time. Leave the times out, or say that it is cached."
    if example.rule != rule.slug:
        return None
    path = path_of(example.url)
    media_type = media_type_of(path)
    matched, because = explain(rule.match, path, media_type, example.size_bytes, frozenset(example.tags))
    if not matched:
        mend = "Change what it matches, or the example."
        if rule.match.tags and not set(rule.match.tags) & set(example.tags):
            mend = "Give the example that tag as well."
        return f"this rule is to decide, but does not match. {because} {mend}"
    return _against_policy(rule, example, media_type, preview_domain)


def _against_policy(rule: Rule, example: Example, media_type: str, preview_domain: str) -> str | None:
    if not example.is_cached:
        return None
    outcome = evaluate(
        [rule],
        example.url,
        media_type=media_type,
        request_headers=example.request_headers,
        size_bytes=example.size_bytes,
        tags=frozenset(example.tags),
        preview_domain=preview_domain,
    )
    if outcome.bypass:
        return f"“When not” says that nobody may keep it. {outcome.bypass.reason}"
    if field := _field_against_keeping(rule.policy):
        return f"it is to be cached, but “{field}” leaves no time. Change that, or the example."
    return None


def _field_against_keeping(policy: Policy) -> str:
    """Return the field, in words, because of which nobody can ever keep a copy; "" where none forbids it.

    What the rule leaves open, another one may set that is merged with it.
    """
    if policy.visibility is Visibility.NO_STORE:
        return "who may keep a copy"
    if policy.browser_ttl_seconds != 0 or policy.shared_ttl_seconds:
        return ""
    is_shared_forbidden = policy.visibility is Visibility.PRIVATE or policy.shared_ttl_seconds == 0
    return "how long browsers keep it" if is_shared_forbidden else ""
