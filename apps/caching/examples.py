"""Examples, executed: does each request get what its example says?"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from apps.caching.choosing import RuleChooser
from apps.caching.evaluation import Outcome, evaluate, path_of
from apps.caching.matching import Subject
from apps.caching.rules import Combination, Example, Rule
from apps.caching.wording import short_duration
from apps.media_types import UNKNOWN, type_by_name

type MediaTypeOf = Callable[[str], str]


def guess_media_type(path: str) -> str:
    """Return the type of a file that nobody has seen: what its name says, or that it is not known."""
    return type_by_name(path) or UNKNOWN


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """What became of one example: whether it holds, and that in words."""

    example: Example
    outcome: Outcome
    is_ok: bool
    words: str


def run_examples(
    rules: Sequence[Rule],
    examples: Iterable[Example],
    *,
    media_type_of: MediaTypeOf = guess_media_type,
    preview_domain: str = "",
    combination: Combination = Combination.FIRST,
) -> list[ExampleResult]:
    """Evaluate each example against all of `rules`, which are in the order in which they are tried.

    `media_type_of` tells the type of a file by its path. What rules that do not match say is left out of the
    outcomes. Raises `HeaderFault`.
    """
    chooser = RuleChooser(rules, is_first_enough=combination is Combination.FIRST)
    return [
        judged(
            example,
            evaluate(
                chooser.chosen(file_of(example, media_type_of)),
                example.url,
                media_type=media_type_of(path_of(example.url)),
                request_headers=example.request_headers,
                size_bytes=example.size_bytes,
                tags=frozenset(example.tags),
                preview_domain=preview_domain,
                combination=combination,
            ),
        )
        for example in examples
    ]


def file_of(example: Example, media_type_of: MediaTypeOf = guess_media_type) -> Subject:
    """Return the file that an example is about, where none lies at its address."""
    path = path_of(example.url)
    return Subject(path, media_type_of(path), example.size_bytes, frozenset(example.tags))


def judged(example: Example, outcome: Outcome) -> ExampleResult:
    """Say whether `outcome` is what `example` expects, and what differs."""
    differences = ", ".join(_differences(example, outcome))
    words = f"{differences} (rule: {outcome.rule or 'none'})" if differences else _in_words(outcome)
    return ExampleResult(example, outcome, not differences, words)


def expected_in_words(example: Example) -> str:
    """Say what an example expects: "cached 5 min, by everything"."""
    browser, shared = example.browser_ttl_seconds, example.shared_ttl_seconds
    times = [
        f" {short_duration(seconds)} in {who}"
        for seconds, who in ((browser, "browsers"), (shared, "shared caches"))
        if seconds is not None
    ]
    if browser is not None and browser == shared:
        times = [f" {short_duration(browser)}"]
    kept = _kept(is_cached=example.is_cached) + (",".join(times) if example.is_cached else "")
    return f"{kept}, by {example.rule or 'no rule'}"


def seen_in_words(outcome: Outcome) -> str:
    """Say what became of a request: "cached 1 y, by fingerprinted"."""
    rule = outcome.rule or "no rule"
    if outcome.bypass:
        return f"not cached, by {rule}: {outcome.bypass.reason}"
    return f"{_in_words(outcome)}, by {rule}"


def _differences(example: Example, outcome: Outcome) -> Iterator[str]:
    if example.rule != outcome.rule:
        yield f"expected to be decided by {example.rule or 'no rule'}"
    if example.is_cached != outcome.is_cached:
        yield f"expected {_kept(is_cached=example.is_cached)}, is {_in_words(outcome)}"
        return
    for expected, found, where in (
        (example.browser_ttl_seconds, outcome.browser_ttl_seconds, ""),
        (example.shared_ttl_seconds, outcome.shared_ttl_seconds, " in shared caches"),
    ):
        if expected is not None and expected != found:
            yield f"expected {short_duration(expected)}{where}, is {short_duration(found)}"


def _kept(*, is_cached: bool) -> str:
    return "cached" if is_cached else "not cached"


def _in_words(outcome: Outcome) -> str:
    if outcome.bypass:
        return f"not cached: {outcome.bypass.reason}"
    if not outcome.is_cached:
        return "checked with the origin each time"
    browser, shared = outcome.browser_ttl_seconds, outcome.shared_ttl_seconds
    if browser == shared:
        return f"cached {short_duration(browser)}"
    return f"cached {short_duration(browser)} in browsers, {short_duration(shared)} in shared caches"
