"""What two versions of a rule differ in: in words, field by field, and in the headers that come out. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from apps.caching.headers import compile_headers
from apps.caching.matching import in_words
from apps.caching.rules import Bypass, Example, Policy, RuleContent
from apps.caching.wording import bypass_in_words, policy_in_words, short_duration

_WORDS = {
    "name": "Name",
    "description": "Description",
    "state": "State",
    "order": "Tried as number",
    "expected_result": "What should happen",
    "rollback_note": "How to undo",
}
_NONE = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field in which two versions differ."""

    label: str
    before: str
    after: str


def field_changes(before: RuleContent, after: RuleContent) -> list[FieldChange]:
    """Return what differs, in the order of the form."""
    found = [
        FieldChange(label, str(getattr(before, name)) or _NONE, str(getattr(after, name)) or _NONE)
        for name, label in _WORDS.items()
        if getattr(before, name) != getattr(after, name)
    ]
    if before.match != after.match:
        found.append(FieldChange("What it matches", in_words(before.match), in_words(after.match)))
    found += _policy_changes(before.policy, after.policy)
    found += _list_changes(
        "When not", map(_bypass, before.bypass_conditions), map(_bypass, after.bypass_conditions)
    )
    found += _list_changes("Example", map(_example, before.examples), map(_example, after.examples))
    return found


def header_changes(before: RuleContent, after: RuleContent, media_type: str) -> list[FieldChange]:
    """Return the headers that a file of this type is served with otherwise. Raises `HeaderFault`."""
    old, new = (dict(compile_headers(each.policy, media_type)) for each in (before, after))
    return [
        FieldChange(name, old.get(name, _NONE), new.get(name, _NONE))
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    ]


def _policy_changes(before: Policy, after: Policy) -> Iterator[FieldChange]:
    if before == after:
        return
    old, new = policy_in_words(before), policy_in_words(after)
    if old != new:
        yield FieldChange("What caches may do", old, new)
        return
    # Not everything has words of its own: what else differs is told by the names of its fields.
    for field in fields(Policy):
        values = getattr(before, field.name), getattr(after, field.name)
        if values[0] != values[1]:
            yield FieldChange(field.name.replace("_", " ").capitalize(), str(values[0]), str(values[1]))


def _list_changes(label: str, before: Iterator[str], after: Iterator[str]) -> Iterator[FieldChange]:
    old, new = list(before), list(after)
    yield from (FieldChange(label, each, _NONE) for each in old if each not in new)
    yield from (FieldChange(label, _NONE, each) for each in new if each not in old)


def _bypass(bypass: Bypass) -> str:
    return f"{bypass_in_words(bypass)}: {bypass.reason}"


def _example(example: Example) -> str:
    kept = "cached" if example.is_cached else "not cached"
    if example.browser_ttl_seconds is not None:
        kept += f" {short_duration(example.browser_ttl_seconds)}"
    return f"{example.url} {kept}, by {example.rule or 'no rule'}"
