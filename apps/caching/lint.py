"""What is odd about rules that are each in order: they hide, repeat or contradict one another. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from apps.caching.choosing import RuleChooser
from apps.caching.covering import covers, may_meet
from apps.caching.examples import file_of
from apps.caching.headers import compile_headers
from apps.caching.matching import matches
from apps.caching.rules import Combination, Example, Policy, Rule
from apps.texts import listed

_PROBED_TYPES = ("text/css", "text/html")


@dataclass(frozen=True, slots=True)
class LintedRule:
    """A rule that ships, with what its examples expect."""

    rule: Rule
    name: str
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Remark:
    """Something odd about the rule `slug`, and what to do; `other` is the rule that it is about as well."""

    kind: str
    slug: str
    words: str
    next_step: str
    other: str = ""
    other_name: str = ""


@dataclass(frozen=True, slots=True)
class RemarkGroup:
    """The remarks of one kind on a rule, in words: those of the remark where it is the only one."""

    kind: str
    words: str
    next_step: str
    remarks: tuple[Remark, ...]


# What is said at once where there are several of a kind, of which there may be one for each other rule.
_OF_SEVERAL = {
    "overlap": (
        "Some of its files may be those of {others}, which come before it and decide.",
        "Right if it is meant: let an example of such a file hold it. Else narrow or move them.",
    ),
    "contradiction": (
        "Its examples and those of {others} expect different outcomes of the same requests.",
        "One of each two can never hold: change it.",
    ),
    "takes_example": (
        "It decides about paths of examples of {others}, which expect another rule there.",
        "A release does not pass its check so: change those examples, narrow what this rule matches, or"
        " move it.",
    ),
    "circular": (
        "Its examples and those of {others} each expect that the other rule decides.",
        "Only one can: agree on which, and change the other examples.",
    ),
}
_NAMED = 3


@lru_cache(maxsize=16)
def lint(rules: tuple[LintedRule, ...], combination: Combination) -> tuple[Remark, ...]:
    """Return what is odd about `rules`, which are in the order in which they are tried.

    Each remark is right: where a match cannot be compared with another one, nothing is said of it.
    """
    found: list[Remark] = []
    if combination is Combination.FIRST:
        hidden = dict(_hidden(rules))
        found += (_never(rules, place, by) for place, by in hidden.items())
        found += _overlaps(rules, hidden)
        found += _repeated(rules, hidden)
        found += _without_effect(rules, hidden)
    else:
        found += _duplicates(rules)
    contradictions = [*_contradictions(rules)]
    return (*found, *contradictions, *_takes_examples(rules, contradictions))


def _hidden(rules: Sequence[LintedRule]) -> Iterator[tuple[int, int]]:
    """Yield the place of each rule that one before it leaves no file, with that one's place."""
    for place, later in enumerate(rules):
        for earlier_place, earlier in enumerate(rules[:place]):
            if covers(earlier.rule.match, later.rule.match):
                yield place, earlier_place
                break


def _never(rules: Sequence[LintedRule], place: int, by: int) -> Remark:
    later, earlier = rules[place], rules[by]
    is_same = later.rule.match == earlier.rule.match
    words = "is about exactly the same files" if is_same else "takes every file that it is about"
    return Remark(
        "duplicate" if is_same else "shadowed",
        later.rule.slug,
        f"It never decides: “{earlier.name}” comes before it and {words}.",
        f"Move it before “{earlier.name}”, narrow that one, or disable it.",
        earlier.rule.slug,
        earlier.name,
    )


def _duplicates(rules: Sequence[LintedRule]) -> Iterator[Remark]:
    for place, later in enumerate(rules):
        for earlier in rules[:place]:
            if later.rule.match == earlier.rule.match:
                yield Remark(
                    "duplicate",
                    later.rule.slug,
                    f"It is about exactly the same files as “{earlier.name}”.",
                    "Say both in one rule, and disable the other.",
                    earlier.rule.slug,
                    earlier.name,
                )
                break


def _overlaps(rules: Sequence[LintedRule], hidden: dict[int, int]) -> Iterator[Remark]:
    """Yield pairs of which each has files that the other one has not: an exception and its rule are none."""
    for place, later in enumerate(rules):
        for earlier in rules[:place]:
            if place in hidden or _say_the_same(earlier.rule, later.rule):
                continue
            if (
                may_meet(earlier.rule.match, later.rule.match)
                and not covers(later.rule.match, earlier.rule.match)
                and not _is_singled_out(earlier, later)
                and not _is_meant(earlier, later)
            ):
                yield Remark(
                    "overlap",
                    later.rule.slug,
                    f"Some of its files may be those of “{earlier.name}”, which comes before it and decides.",
                    "Right if it is meant: let an example of such a file hold it. Else narrow or move one.",
                    earlier.rule.slug,
                    earlier.name,
                )


def _is_singled_out(earlier: LintedRule, later: LintedRule) -> bool:
    """Say whether somebody has tagged the files of `earlier` one by one, to take them out of wider rules."""
    return bool(earlier.rule.match.tags) and not later.rule.match.tags


def _is_meant(earlier: LintedRule, later: LintedRule) -> bool:
    """Say whether an example of either shows a file that both match: somebody has thought of it."""
    for example in (*earlier.examples, *later.examples):
        file = file_of(example)
        if matches(earlier.rule.match, *file) and matches(later.rule.match, *file):
            return True
    return False


def _repeated(rules: Sequence[LintedRule], hidden: dict[int, int]) -> Iterator[Remark]:
    """Yield rules without which the same would come out, since a later one says it too.

    Of two for the same files only the later one has a remark: nobody is to disable both.
    """
    for place, one in enumerate(rules):
        if place in hidden:
            continue
        for at, other in enumerate(rules[place + 1 :], start=place + 1):
            if _say_the_same(one.rule, other.rule) and covers(other.rule.match, one.rule.match):
                if at not in hidden:
                    yield Remark(
                        "repeated",
                        one.rule.slug,
                        f"Without it the same would come out: “{other.name}” says so of these files too.",
                        "Disable it, or let it say something else.",
                        other.rule.slug,
                        other.name,
                    )
                break
            if may_meet(one.rule.match, other.rule.match):
                break


def _without_effect(rules: Sequence[LintedRule], hidden: dict[int, int]) -> Iterator[Remark]:
    for place, one in enumerate(rules):
        if place in hidden or one.rule.bypass_conditions or _has_headers(one.rule.policy):
            continue
        if not any(may_meet(one.rule.match, other.rule.match) for other in rules[place + 1 :]):
            yield Remark(
                "without_effect",
                one.rule.slug,
                "It says what is said of files that no rule is about: they are checked before each use.",
                "Say for how long they may be kept, or disable it.",
            )


def _contradictions(rules: Sequence[LintedRule]) -> Iterator[Remark]:
    """Yield examples of two rules that ask the same request for different outcomes."""
    names = {each.rule.slug: each.name for each in rules}
    seen: dict[tuple[object, ...], list[tuple[str, Example]]] = {}
    for each in rules:
        for example in each.examples:
            key = (example.url, example.request_headers, example.size_bytes, frozenset(example.tags))
            for slug, earlier in seen.setdefault(key, []):
                if slug != each.rule.slug and not _agree(earlier, example):
                    yield _contradiction(each.rule.slug, example, slug, earlier, names)
            seen[key].append((each.rule.slug, example))


def _contradiction(
    slug: str, example: Example, other: str, earlier: Example, names: dict[str, str]
) -> Remark:
    if example.rule == other and earlier.rule == slug:
        words = f"Its example {example.url} expects that “{names[other]}” decides, one of that expects this."
        next_step = "Only one can: agree on which, and change the other example."
        return Remark("circular", slug, words, next_step, other, names[other])
    words = f"Its example {example.url} and one of “{names[other]}” expect different outcomes of one request."
    next_step = "One of the two can never hold: change it."
    return Remark("contradiction", slug, words, next_step, other, names[other])


def _takes_examples(rules: Sequence[LintedRule], contradictions: Iterable[Remark]) -> Iterator[Remark]:
    """Yield rules that decide where an example of another one expects that one, or a third.

    Of two whose examples contradict each other that is said already.
    """
    told = {frozenset((remark.slug, remark.other)) for remark in contradictions}
    chooser = RuleChooser([each.rule for each in rules], is_first_enough=True)
    for each in rules:
        for example in each.examples:
            for deciding in chooser.chosen(file_of(example)):
                if deciding.slug in {example.rule, each.rule.slug}:
                    continue
                if frozenset((deciding.slug, each.rule.slug)) not in told:
                    yield _taken(deciding.slug, example, each)


def _taken(slug: str, example: Example, by: LintedRule) -> Remark:
    expected = f"that {example.rule} does" if example.rule else "that no rule does"
    return Remark(
        "takes_example",
        slug,
        f"It decides about {example.url}, where an example of “{by.name}” expects {expected}.",
        "A release does not pass its check so: change that example, narrow what this rule matches, or"
        " move it.",
        by.rule.slug,
        by.name,
    )


def _agree(one: Example, other: Example) -> bool:
    if (one.rule, one.is_cached) != (other.rule, other.is_cached):
        return False
    pairs = (
        (one.browser_ttl_seconds, other.browser_ttl_seconds),
        (one.shared_ttl_seconds, other.shared_ttl_seconds),
    )
    return all(first is None or second is None or first == second for first, second in pairs)


def _say_the_same(one: Rule, other: Rule) -> bool:
    return (one.policy, one.bypass_conditions) == (other.policy, other.bypass_conditions)


def _has_headers(policy: Policy) -> bool:
    return any(
        compile_headers(policy, media_type) != compile_headers(Policy(), media_type)
        for media_type in _PROBED_TYPES
    )


def remarks_by_rule(remarks: Iterable[Remark]) -> dict[str, list[Remark]]:
    """Return the remarks on each rule that has some, by slug."""
    found: dict[str, list[Remark]] = {}
    for remark in remarks:
        found.setdefault(remark.slug, []).append(remark)
    return found


def grouped(remarks: Iterable[Remark]) -> list[RemarkGroup]:
    """Return the remarks on one rule, those of a kind together where they can be said at once."""
    kinds: dict[str, list[Remark]] = {}
    for place, remark in enumerate(remarks):
        kinds.setdefault(remark.kind if remark.kind in _OF_SEVERAL else str(place), []).append(remark)
    return [_group(of_kind) for of_kind in kinds.values()]


def _group(remarks: Sequence[Remark]) -> RemarkGroup:
    first = remarks[0]
    if len(remarks) == 1:
        return RemarkGroup(first.kind, first.words, first.next_step, (first,))
    words, next_step = _OF_SEVERAL[first.kind]
    names = {remark.other: f"“{remark.other_name}”" for remark in remarks}
    return RemarkGroup(first.kind, words.format(others=_listed([*names.values()])), next_step, tuple(remarks))


def _listed(names: Sequence[str]) -> str:
    if len(names) > _NAMED + 1:
        return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} other rules"
    return listed(names)
