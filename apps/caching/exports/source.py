"""What every target is made from: the rules of a release, in order, with what people say of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap

from apps.caching.evaluation import PREVIEW
from apps.caching.exports.addresses import Scope, scope_of
from apps.caching.headers import cache_control, cdn_cache_control
from apps.caching.matching import in_words
from apps.caching.rules import BypassKind, Combination, Rule

_LONGEST_LINE = 1_000  # nginx reads no comment of more than 4096 bytes, and a character has four at most


class Unsayable(ValueError):
    """A place that no configuration can be written for; its words say why."""


@dataclass(frozen=True, slots=True)
class NamedRule:
    """A rule with its name and its owner."""

    rule: Rule
    name: str
    owner: str


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules in the order in which they are tried; `origin` names where they are from, for people."""

    rules: tuple[NamedRule, ...]
    combination: Combination
    preview_domain: str
    origin: str


@dataclass(frozen=True, slots=True)
class Condition:
    """When a cache has to step aside: the kind, the name, and the addresses for which it holds.

    `rules` are the slugs of the rules that say so.
    """

    kind: BypassKind
    name: str
    reason: str
    scope: Scope
    rules: tuple[str, ...]


def conditions(rules: RuleSet) -> list[Condition]:
    """Return what to step aside for, each once an address scope, without previews, which always count."""
    found: dict[tuple[BypassKind, str, str], Condition] = {}
    for named in rules.rules:
        scope = scope_of(named.rule.match)
        for bypass in named.rule.bypass_conditions:
            if bypass.kind is BypassKind.PREVIEW:
                continue
            name = bypass.name.lower() if bypass.kind is BypassKind.HEADER else bypass.name
            key = bypass.kind, name, scope.expression
            known = found.get(key)
            slugs = (*(known.rules if known else ()), named.rule.slug)
            found[key] = Condition(bypass.kind, name, known.reason if known else bypass.reason, scope, slugs)
    return list(found.values())


def description(rules: RuleSet) -> Iterator[str]:
    """Yield what the rules say, as lines for comments."""
    yield f"Cache rules of {rules.origin}."
    how = "all that match are merged" if rules.combination is Combination.MERGE else "the first decides"
    yield f"The origin says with each answer how long it may be kept (several rules for one file: {how}):"
    for place, named in enumerate(rules.rules, start=1):
        yield from _described(place, named)
    yield f"Previews are never kept: {PREVIEW.reason}"


def _described(place: int, named: NamedRule) -> Iterator[str]:
    rule = named.rule
    yield f"{place}. {named.name} ({rule.slug}, version {rule.version}), owned by {named.owner}"
    yield f"   {in_words(rule.match)}: Cache-Control: {cache_control(rule.policy)}"
    if for_cdns := cdn_cache_control(rule.policy):
        yield f"   CDN-Cache-Control: {for_cdns}"
    if rule.policy.surrogate_keys:
        yield f"   Surrogate-Key: {' '.join(rule.policy.surrogate_keys)}"


def words_of(condition: Condition) -> Iterator[str]:
    """Yield why there is a condition, and how much more than its rules it covers, as lines for comments."""
    yield f"{condition.kind} {condition.name}, for {', '.join(condition.rules)}: {condition.reason}"
    if condition.scope.left_out:
        yield f"(For more addresses than the rule matches: {'; '.join(condition.scope.left_out)}.)"


def commented(lines: Iterator[str] | Sequence[str], *, mark: str = "#", indent: str = "") -> list[str]:
    """Return `lines` as comments that end where they end, whatever people wrote into their words."""
    return [f"{indent}{mark} {part}" for line in lines for part in wrap(harmless(line), _LONGEST_LINE)]


def harmless(text: str) -> str:
    """Return `text` on one line, without what a configuration, or a template of one, takes for a mark."""
    line = "".join(one if one.isprintable() else " " for one in text)
    for opening in ("{{", "{%", "{#", "${", "%{", "*/", "/*"):
        while opening in line:
            line = line.replace(opening, " ".join(opening))
    return line
