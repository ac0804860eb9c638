from apps.caching.examples import expected_in_words, judged, seen_in_words
from apps.caching.headers import HeaderFault
from apps.releases.checks.examples import ExamplesOf, OwnedExample
from apps.releases.checks.registry import Candidate, Finding, Found, release_check
from apps.releases.headlines import counted
from apps.releases.tracing.asked import AddressFault
from apps.releases.tracing.places import Place

NAME = "rule-examples"
MAX_EXAMPLES = 10_000


@release_check(NAME, title="Examples of cache rules")
def rule_examples(candidate: Candidate) -> Found:
    """Execute every example of every rule that the release pins on what it would serve."""
    release = candidate.release
    examples = ExamplesOf(Place(release.channel, release, candidate.reader))
    found: list[Finding] = []
    count = 0
    for count, owned in enumerate(examples, start=1):
        if count <= MAX_EXAMPLES and (finding := _finding(examples, owned)):
            found.append(finding)
    if count > MAX_EXAMPLES:
        seen = f"{count:,}: those after that were not executed"
        found.append(Finding("All examples", f"at most {MAX_EXAMPLES:,}", seen))
    if not count:
        return Found("It ships with no example")
    if not found:
        return Found(f"{counted(count, 'example')} executed, and each holds".capitalize())
    verb = "does" if len(found) == 1 else "do"
    return Found(f"{len(found):,} of {counted(count, 'example')} {verb} not hold", tuple(found))


def _finding(examples: ExamplesOf, owned: OwnedExample) -> Finding | None:
    example = owned.example
    try:
        outcome = examples.located(example).outcome
    except (AddressFault, HeaderFault) as fault:
        seen = f"it cannot be asked: {fault}"
    else:
        if judged(example, outcome).is_ok:
            return None
        seen = seen_in_words(outcome)
    return Finding(
        owned.subject, expected_in_words(example), seen, rule=owned.version.rule.slug, address=example.url
    )
