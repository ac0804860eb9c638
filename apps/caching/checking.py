"""What would come of a rule's content if it were saved: faults, examples, and what it breaks elsewhere."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from django.conf import settings

from apps.accounts.models import User
from apps.caching.choosing import RuleChooser
from apps.caching.examples import ExampleResult, MediaTypeOf, file_of, guess_media_type, run_examples
from apps.caching.models import CacheRuleVersion
from apps.caching.rules import Combination, Example, Rule, RuleContent, RuleState
from apps.caching.satisfiability import impossible_examples
from apps.caching.selectors import (
    as_rules,
    current_combination,
    current_versions,
    newest_versions,
    with_content,
)
from apps.caching.serialisation import ShapeFault, parse_content, parse_examples
from apps.caching.validation import FieldFault, content_faults

# Faults in these keep the rule from being evaluated, so that its examples say nothing.
_EVALUATED = ("match", "policy")


@dataclass(frozen=True, slots=True)
class BrokenExample:
    """An example of another rule that holds now, and would not any more."""

    rule_id: int
    slug: str
    name: str
    result: ExampleResult


@dataclass(frozen=True, slots=True)
class RuleCheck:
    """What would come of saving a content. `results` are those of its examples, none if they were not run."""

    faults: tuple[FieldFault, ...]
    results: tuple[ExampleResult, ...] = ()
    broken: tuple[BrokenExample, ...] = ()


def check_content(
    slug: str, number: int, content: RuleContent, *, media_type_of: MediaTypeOf = guess_media_type
) -> RuleCheck:
    """Say what speaks against saving `content` as version `number` of the rule `slug`, and what it would do.

    A draft is looked at as if it shipped. Nothing is written: three queries, however many rules there are.
    """
    names = dict(newest_versions().values_list("rule__slug", "name"))
    faults = [*content_faults(slug, content), *_name_faults(slug, content, names)]
    if any(fault.field.startswith(_EVALUATED) for fault in faults):
        return RuleCheck(tuple(faults))
    shipping, combination = current_versions(), current_combination()
    before = as_rules(shipping)
    after = _with(before, shipping, slug, number, content)
    broken = tuple(_broken(shipping, before, after, slug, combination, media_type_of))
    if content.state is RuleState.DISABLED:
        return RuleCheck(tuple(faults), (), broken)
    if any(fault.field.startswith("examples[") for fault in faults):
        return RuleCheck(tuple(faults), (), broken)
    results = _run(after, content.examples, combination, media_type_of)
    faults += _example_faults(slug, content, results, {*names, slug}, shipping, media_type_of)
    return RuleCheck(tuple(faults), tuple(results), broken)


def check_given(
    slug: str,
    number: int,
    content: object,
    owner: User,
    *,
    media_type_of: MediaTypeOf = guess_media_type,
) -> tuple[RuleContent | None, RuleCheck]:
    """Return what somebody has given, None where it has not the shape of a rule, with what comes of it."""
    try:
        parsed = parse_content(content)
    except ShapeFault as fault:
        return None, RuleCheck((FieldFault(fault.field, f"It {fault.problem}."),))
    check = check_content(slug, number, parsed, media_type_of=media_type_of)
    return parsed, replace(check, faults=(*owner_faults(owner), *check.faults))


def owner_faults(owner: User) -> list[FieldFault]:
    """Return why nobody could ask `owner` about a rule: none for somebody who is still here."""
    if owner.is_active:
        return []
    return [FieldFault("owner", f"{owner} has left and cannot answer for it. Choose somebody who is here.")]


def broken_by(
    before: Sequence[Rule], after: Sequence[Rule], shipping: Iterable[CacheRuleVersion]
) -> list[BrokenExample]:
    """Return the examples of `shipping` versions that hold under the rules `before` and not under `after`."""
    return list(_broken(shipping, before, after, None, current_combination(), guess_media_type))


def broken_by_saving(version: CacheRuleVersion) -> list[BrokenExample]:
    """Return the examples of other rules that held until `version`, the newest of its rule, was saved.

    Of a draft that is none: nothing ships with it. Three queries, however many rules there are.
    """
    if version.state == RuleState.DRAFT:
        return []
    decided = CacheRuleVersion.objects.exclude(state=RuleState.DRAFT).select_related("rule")
    earlier = decided.filter(rule=version.rule_id, number__lt=version.number).order_by("-number").first()
    replaced = [earlier] if earlier and earlier.state == RuleState.ACTIVE else []
    shipping = current_versions()
    others = [each for each in shipping if each.rule_id != version.rule_id]
    return broken_by(as_rules([*others, *replaced]), as_rules(shipping), others)


def _with(
    rules: tuple[Rule, ...],
    shipping: Sequence[CacheRuleVersion],
    slug: str,
    number: int,
    content: RuleContent,
) -> tuple[Rule, ...]:
    if content.state is RuleState.DISABLED:
        return tuple(rule for rule in rules if rule.slug != slug)
    return with_content(rules, {each.rule.slug: each.order for each in shipping}, slug, number, content)


def _name_faults(slug: str, content: RuleContent, names: dict[str, str]) -> Iterator[FieldFault]:
    wanted = content.name.strip().casefold()
    for other, name in names.items():
        if wanted and other != slug and name.strip().casefold() == wanted:
            yield FieldFault("name", f"The rule {other} has this name. Choose one that tells the two apart.")


def _example_faults(
    slug: str,
    content: RuleContent,
    results: Sequence[ExampleResult],
    known: set[str],
    shipping: Iterable[CacheRuleVersion],
    media_type_of: MediaTypeOf,
) -> Iterator[FieldFault]:
    orders = {version.rule.slug: version.order for version in shipping}
    impossible = {
        fault.field: fault
        for fault in impossible_examples(slug, content, media_type_of, settings.PREVIEW_DOMAIN)
    }
    for place, result in enumerate(results):
        field, example = f"examples[{place}]", result.example
        if field in impossible:
            yield impossible[field]
        elif example.rule and example.rule not in known:
            yield FieldFault(f"{field}.rule", f"There is no rule {example.rule!r}; choose one of the list.")
        elif not result.is_ok:
            way_out = _way_out(slug, example, result.outcome.rule, orders)
            yield FieldFault(field, f"{example.url} {result.words}.{way_out}")


def _way_out(slug: str, example: Example, decided_by: str, orders: Mapping[str, int]) -> str:
    """Say what to do where another rule decides than the example of `slug` expects; "" where none is to."""
    if example.rule == slug and decided_by in orders and decided_by != slug:
        return (
            f" The rule {decided_by} has number {orders[decided_by]} and comes first: give this one a"
            " smaller number, or change what either matches."
        )
    if decided_by == slug and example.rule != slug:
        return " This rule takes it: narrow what it matches, give it a larger number, or expect this rule."
    return ""


def _broken(
    shipping: Iterable[CacheRuleVersion],
    before: Sequence[Rule],
    after: Sequence[Rule],
    changed: str | None,
    combination: Combination,
    media_type_of: MediaTypeOf,
) -> Iterator[BrokenExample]:
    """Yield what breaks. An example can only change where other rules are chosen for its path than before."""
    is_first_enough = combination is Combination.FIRST
    choosers = [RuleChooser(_unnumbered(rules), is_first_enough=is_first_enough) for rules in (before, after)]
    touched = [
        (version, example)
        for version in shipping
        if version.rule.slug != changed
        for example in parse_examples(version.examples)
        if _is_chosen_otherwise(choosers, example, media_type_of)
    ]
    examples = [example for _, example in touched]
    were, are = (_run(rules, examples, combination, media_type_of) for rules in (before, after))
    for (version, _), was, result in zip(touched, were, are, strict=True):
        if was.is_ok and not result.is_ok:
            yield BrokenExample(version.rule_id, version.rule.slug, version.name, result)


def _unnumbered(rules: Iterable[Rule]) -> list[Rule]:
    """Return the rules without their versions' numbers: one that says the same as before is the same."""
    return [replace(rule, version=0) for rule in rules]


def _is_chosen_otherwise(
    choosers: Sequence[RuleChooser], example: Example, media_type_of: MediaTypeOf
) -> bool:
    subject = file_of(example, media_type_of)
    return choosers[0].chosen(subject) != choosers[1].chosen(subject)


def _run(
    rules: Sequence[Rule],
    examples: Iterable[Example],
    combination: Combination,
    media_type_of: MediaTypeOf,
) -> list[ExampleResult]:
    return run_examples(
        rules,
        examples,
        media_type_of=media_type_of,
        preview_domain=settings.PREVIEW_DOMAIN,
        combination=combination,
    )
