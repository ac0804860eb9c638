"""The examples of the rules that are live, asked over HTTP: at the origin, and through a cache in front.

Nobody but the origin or the cache that was named is ever connected to, whatever an example's URL says.
An origin answers a request that caches step aside for as any other, so only a cache shows that; and a cache
shows what it keeps when it is asked twice (docs/adr/0145).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice

from apps.caching.evaluation import Outcome
from apps.caching.examples import expected_in_words, judged, seen_in_words
from apps.caching.headers import HeaderFault
from apps.caching.rules import Example
from apps.releases.channels.probing import UnaskableRequest, ask
from apps.releases.checks.examples import ExamplesOf, Located, OwnedExample
from apps.releases.tracing.asked import AddressFault
from apps.releases.tracing.keeping import keepings
from apps.releases.tracing.places import Place
from apps.releases.tracing.seen import SeenAnswer

OF_THE_FILE = (200, 206, 304)
# What belongs to the connection, or would make another request of it (RFC 9110 section 7.6.1).
_NOT_SENT = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


_NO_CACHE_SAYS = "no cache on the way says what it did (Cache-Status, X-Cache)"


class Standing(StrEnum):
    HOLDS = "holds"
    FAILS = "fails"
    NOT_ASKED = "not asked"


@dataclass(frozen=True, slots=True)
class LiveResult:
    """What became of an example, in words: what was expected and seen, or why that cannot be seen here."""

    owned: OwnedExample
    standing: Standing
    words: str


@dataclass(frozen=True, slots=True)
class Asking:
    """Where examples are asked: at `where`, as a visitor of `host`, one of the `hosts` of the channel.

    `is_cache` says that it is a cache in front, which is asked twice.
    """

    where: str
    host: str
    hosts: frozenset[str] = frozenset()
    is_cache: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """An example as it is to be asked: which host for, or why it is not.

    `host` is "" where that is none of the channel, `located` None where the address cannot be read.
    """

    owned: OwnedExample
    located: Located | None
    host: str
    why_not: str


def live_results(place: Place, asking: Asking, *, most: int | None = None) -> Iterator[LiveResult]:
    """Yield what becomes of each example of what is live at `place`, or of the first `most`.

    Raises `NoAnswer` where nobody answers, and `ShapeFault` where somebody wrote a rule's row by hand.
    """
    for question in questions(place, asking, most=most):
        yield LiveResult(question.owned, *_became(question, asking, place))


def questions(place: Place, asking: Asking, *, most: int | None = None) -> Iterator[Question]:
    """Yield how each example of what is live at `place`, or of the first `most`, is to be asked.

    Raises `ShapeFault` where somebody wrote a rule's row by hand.
    """
    examples = ExamplesOf(place)
    for owned in islice(examples, most):
        try:
            located = examples.located(owned.example)
        except (AddressFault, HeaderFault) as fault:
            yield Question(owned, None, "", f"it cannot be asked: {fault}")
            continue
        host = _host(owned.example, located, asking)
        is_own = host == asking.host or host in asking.hosts
        why_not = _why_not(owned.example, located, asking) if is_own else f"{host} is no host of this channel"
        yield Question(owned, located, host if is_own else "", why_not)


def sent_headers(example: Example) -> dict[str, str]:
    """Return the headers that a request for an example has beside its host."""
    return {name: value for name, value in example.request_headers if name.lower() not in _NOT_SENT}


def counts_in_words(results: Sequence[LiveResult]) -> str:
    """Say what examples come to: "12 hold, 1 fail, 2 not asked"."""
    mute = sum(result.words == _NO_CACHE_SAYS for result in results)
    counted = Counter(result.standing for result in results)
    counted[Standing.NOT_ASKED] -= mute
    words = {Standing.HOLDS: "hold", Standing.FAILS: "fail", Standing.NOT_ASKED: "not asked"}
    said = [f"{counted[standing]} {word}" for standing, word in words.items() if counted[standing]]
    said += [f"{mute} asked in vain, since {_NO_CACHE_SAYS}"] if mute else []
    return ", ".join(said) or "there are none"


def _became(question: Question, asking: Asking, place: Place) -> tuple[Standing, str]:
    if question.why_not or question.located is None:
        return Standing.NOT_ASKED, question.why_not
    target, headers = question.located.asked.target, sent_headers(question.owned.example)
    try:
        answers = [
            ask(target, host=question.host, headers=headers, where=asking.where)
            for _ in range(2 if asking.is_cache else 1)
        ]
    except UnaskableRequest as fault:
        return Standing.NOT_ASKED, f"no request can be made of it: {fault}"
    return judge_answer(question, answers[-1], asking, place)


def _host(example: Example, located: Located, asking: Asking) -> str:
    named = next((value for name, value in example.request_headers if name.lower() == "host"), "")
    return located.asked.host or named.partition(":")[0].lower() or asking.host


def _why_not(example: Example, located: Located, asking: Asking) -> str:
    if located.is_readable and located.served is None:
        return "no file lies there in what is live"
    if located.outcome.bypass and not asking.is_cache:
        return "caches step aside for it, which only a cache in front shows"
    if not judged(example, located.outcome).is_ok:
        return f"it does not hold in what is live either: {seen_in_words(located.outcome)}"
    return ""


def judge_answer(
    question: Question, answer: SeenAnswer, asking: Asking, place: Place
) -> tuple[Standing, str]:
    """Return how an example stands by the answer to it, of a cache by its second one, and in which words."""
    example, located = question.owned.example, question.located
    if located is None:
        return Standing.NOT_ASKED, question.why_not
    wanted = OF_THE_FILE if located.is_readable else (400,)
    if answer.status not in wanted:
        return Standing.FAILS, f"answered {answer.status}, expected {expected_in_words(example)}"
    seen = located.outcome if located.outcome.bypass else _seen(located.outcome, answer)
    if place.channel.names_release and answer.status != 304:
        seen = replace(seen, rule=answer.rule)
    if not judged(example, seen).is_ok:
        return Standing.FAILS, f"expected {expected_in_words(example)}, seen {seen_in_words(seen)}"
    if asking.is_cache and located.is_readable:
        return _kept(located.outcome, answer)
    return Standing.HOLDS, seen_in_words(seen)


def _seen(outcome: Outcome, answer: SeenAnswer) -> Outcome:
    browser, shared, _ = keepings(answer.headers)
    return replace(
        outcome,
        is_cached=bool(browser.seconds or shared.seconds),
        browser_ttl_seconds=browser.seconds,
        shared_ttl_seconds=shared.seconds,
    )


def _kept(outcome: Outcome, answer: SeenAnswer) -> tuple[Standing, str]:
    """Judge what a cache says that it did, when it was asked for the same a second time."""
    said = [hop for hop in answer.hops if hop.was_hit is not None]
    if not said:
        return Standing.NOT_ASKED, _NO_CACHE_SAYS
    was_hit = any(hop.was_hit for hop in said)
    words = f"{said[-1].header}: {said[-1].words}"
    if was_hit == bool(outcome.shared_ttl_seconds):
        return Standing.HOLDS, words
    wanted = "an answer of the cache's own" if outcome.shared_ttl_seconds else "that it asks the origin"
    return Standing.FAILS, f"expected {wanted}, seen {words}"
