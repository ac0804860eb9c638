"""Several rules that match one file, as one rule: the earlier one's word counts, and the stricter. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

from apps.caching.lists import SEPARATORS, added_up
from apps.caching.rules import Policy, Rule, Visibility

_STRICTEST_FIRST = (Visibility.NO_STORE, Visibility.PRIVATE, Visibility.PUBLIC)


def combined(rules: Sequence[Rule]) -> Rule | None:
    """Return `rules`, in the order in which they are tried, as one that has the first one's name.

    A duration, an origin or an extra header is that of the first rule that sets it; what one rule forbids
    or demands, all do; names in `vary`, surrogate keys and bypass conditions add up. None for no rules.
    """
    if len(rules) < 2:
        return rules[0] if rules else None
    policy = _consistent(reduce(_merged, (rule.policy for rule in rules)))
    bypass_conditions = dict.fromkeys(bypass for rule in rules for bypass in rule.bypass_conditions)
    return replace(rules[0], policy=policy, bypass_conditions=tuple(bypass_conditions))


def _merged(first: Policy, second: Policy) -> Policy:
    return Policy(
        visibility=min(first.visibility, second.visibility, key=_STRICTEST_FIRST.index),
        browser_ttl_seconds=_first_set(first.browser_ttl_seconds, second.browser_ttl_seconds),
        shared_ttl_seconds=_first_set(first.shared_ttl_seconds, second.shared_ttl_seconds),
        must_revalidate=first.must_revalidate or second.must_revalidate,
        is_immutable=first.is_immutable or second.is_immutable,
        stale_while_revalidate_seconds=_first_set(
            first.stale_while_revalidate_seconds, second.stale_while_revalidate_seconds
        ),
        stale_if_error_seconds=_first_set(first.stale_if_error_seconds, second.stale_if_error_seconds),
        is_trusted_active_content=first.is_trusted_active_content or second.is_trusted_active_content,
        extra_headers=_first_named(first.extra_headers, second.extra_headers),
        forbids_transform=first.forbids_transform or second.forbids_transform,
        cdn_ttl_seconds=_first_set(first.cdn_ttl_seconds, second.cdn_ttl_seconds),
        vary=tuple(dict.fromkeys((*first.vary, *second.vary))),
        surrogate_keys=tuple(dict.fromkeys((*first.surrogate_keys, *second.surrogate_keys))),
        allowed_origin=first.allowed_origin or second.allowed_origin,
    )


def _consistent(policy: Policy) -> Policy:
    """Return `policy` without what a stricter word in it has taken back."""
    if policy.visibility is Visibility.NO_STORE:
        return replace(
            policy,
            browser_ttl_seconds=None,
            shared_ttl_seconds=None,
            cdn_ttl_seconds=None,
            stale_while_revalidate_seconds=None,
            stale_if_error_seconds=None,
            is_immutable=False,
        )
    if policy.visibility is Visibility.PRIVATE:
        policy = replace(policy, shared_ttl_seconds=None, cdn_ttl_seconds=None)
    if policy.must_revalidate:
        policy = replace(policy, stale_while_revalidate_seconds=None, stale_if_error_seconds=None)
    return replace(policy, is_immutable=policy.is_immutable and bool(policy.browser_ttl_seconds))


def _first_set(first: int | None, second: int | None) -> int | None:
    return second if first is None else first


def _first_named(
    first: tuple[tuple[str, str], ...], second: tuple[tuple[str, str], ...]
) -> tuple[tuple[str, str], ...]:
    named = {name.lower(): (name, value) for name, value in first}
    for name, value in second:
        key = name.lower()
        spelled, said = named.setdefault(key, (name, value))
        if key in SEPARATORS:
            named[key] = spelled, added_up(key, said, value)
    return tuple(named.values())
