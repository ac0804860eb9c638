"""What comes of a content that was not saved: headers, words, examples, and what breaks elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass

from apps.caching.admin.editor import RuleEditor
from apps.caching.checking import RuleCheck, check_content
from apps.caching.evaluation import path_of
from apps.caching.examples import guess_media_type
from apps.caching.headers import compile_headers
from apps.caching.matching import in_words
from apps.caching.rules import RuleContent
from apps.caching.serialisation import ShapeFault, parse_content
from apps.caching.validation import FieldFault
from apps.caching.wording import bypass_in_words, mending_in_words, policy_in_words

_EVALUATED = ("match", "policy")
_NOT_OF_THE_RULE = ("content-type", "x-content-type-options")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a page shows beside the form. `headers` are those of the first example's file.

    Nothing but the faults can be told where the match or the policy makes no sense.
    """

    check: RuleCheck
    matches_in_words: str = ""
    policy_in_words: str = ""
    mending: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    bypass_conditions: tuple[str, ...] = ()

    @property
    def failing_count(self) -> int:
        return sum(not result.is_ok for result in self.check.results)


def outcome_of_typed(editor: RuleEditor, number: int) -> Outcome:
    """Return what comes of what was typed, and put its faults at their fields."""
    editor.is_valid()
    try:
        content = parse_content(editor.content())
    except ShapeFault as fault:
        found = FieldFault(fault.field, f"It {fault.problem}.")
        editor.place([found])
        return Outcome(RuleCheck((found,)))
    outcome = outcome_of(editor.typed_slug or "this-rule", number, content)
    editor.place(outcome.check.faults)
    return outcome


def outcome_of(slug: str, number: int, content: RuleContent) -> Outcome:
    """Return what comes of `content` as version `number` of the rule `slug`."""
    check = check_content(slug, number, content)
    if any(fault.field.startswith(_EVALUATED) for fault in check.faults):
        return Outcome(check)
    return Outcome(
        check,
        in_words(content.match),
        policy_in_words(content.policy),
        mending_in_words(content.state),
        tuple(shown_headers(content)),
        tuple(bypass_in_words(bypass) for bypass in content.bypass_conditions),
    )


def shown_headers(content: RuleContent) -> Iterator[tuple[str, str]]:
    """Yield the headers that a rule gives its files, but for what every file has."""
    example = next((each.url for each in content.examples if each.url), "/app.css")
    for name, value in compile_headers(content.policy, guess_media_type(path_of(example))):
        if name not in _NOT_OF_THE_RULE:
            yield name.title().replace("Cdn", "CDN"), value
