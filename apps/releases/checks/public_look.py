"""The examples of what is live, asked where visitors get it: what differs there, and what they come to.

An answer is compared with what was sent, header by header, and, where that is asked for, examples are judged
by it as through any cache in front (`live_examples`): one asking serves both.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TypedDict
from urllib.parse import urlsplit

from django.utils import timezone

from apps.releases.channels.probing import UnaskableRequest, ask, hosts_of
from apps.releases.checks.live_examples import (
    OF_THE_FILE,
    Asking,
    LiveResult,
    Question,
    Standing,
    judge_answer,
    questions,
    sent_headers,
)
from apps.releases.tracing.explaining import Explanation, Verdict, explain
from apps.releases.tracing.places import Place
from apps.releases.tracing.seen import SeenAnswer

LOOK_SECONDS = 60.0  # and no longer, however slow the answers are
MOST_ADDRESSES = 100

type _Request = tuple[str, tuple[tuple[str, str], ...]]


class CacheWords(TypedDict):
    """Addresses of a rule: that were asked for, for which a cache said what it did, and had a copy."""

    asked: int
    said: int
    hit: int


@dataclass(frozen=True, slots=True)
class DriftFinding:
    """A header that visitors get otherwise than it was sent; `where` is what the answer tells of its way."""

    address: str
    header: str
    expected: str
    seen: str
    where: str


@dataclass(slots=True)
class PublicLook:
    """What came of it: how many addresses with a file were asked for, what differs, what caches said by rule.

    `results` are those of examples, where they were to be judged; `is_whole` is False where time was up, or
    there were too many, before each had its turn.
    """

    asked: int = 0
    findings: list[DriftFinding] = field(default_factory=list)
    caches: dict[str, CacheWords] = field(default_factory=dict)
    results: list[LiveResult] = field(default_factory=list)
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class _Heard:
    """The answers to a request, one or two, what the last of them is, and why none came, in words."""

    answers: tuple[SeenAnswer, ...] = ()
    explanation: Explanation | None = None
    why_not: str = ""


def look_at(place: Place, url: str, *, is_judged: bool) -> PublicLook:
    """Ask for what is live at `place` at its public address, each request once, twice where it is judged.

    Only `url` is connected to. Raises `NoAnswer` where nobody answers, within seconds.
    """
    look, until = PublicLook(), monotonic() + LOOK_SECONDS
    asking = Asking(url, urlsplit(url).netloc, hosts_of(place.channel), is_cache=True)
    heard: dict[_Request, _Heard] = {}
    for question in questions(place, asking):
        request = _request(question) if _is_asked(question, is_judged=is_judged) else None
        if request and request not in heard:
            if heard and (len(heard) == MOST_ADDRESSES or monotonic() > until):
                look.is_whole = False
                break
            heard[request] = _ask(request, asking, times=2 if is_judged else 1)
            if _is_compared(question) and heard[request].answers:
                heard[request] = _explained(heard[request], place, request)
                _take(look, question, heard[request])
        if is_judged:
            look.results.append(_result(place, asking, question, heard[request] if request else _Heard()))
    return look


def _is_compared(question: Question) -> bool:
    """Say whether visitors get a file of this site there, which caches may have an opinion on."""
    located = question.located
    return bool(located and question.host and located.served and not located.outcome.bypass)


def _is_asked(question: Question, *, is_judged: bool) -> bool:
    return _is_compared(question) or (is_judged and not question.why_not)


def _request(question: Question) -> _Request | None:
    if question.located is None:
        return None
    return question.located.asked.target, tuple(sent_headers(question.owned.example).items())


def _ask(request: _Request, asking: Asking, *, times: int) -> _Heard:
    target, headers = request
    try:
        answers = tuple(
            ask(target, host=asking.host, headers=dict(headers), where=asking.where) for _ in range(times)
        )
    except UnaskableRequest as fault:
        return _Heard(why_not=f"no request can be made of it: {fault}")
    return _Heard(answers)


def _explained(heard: _Heard, place: Place, request: _Request) -> _Heard:
    last = heard.answers[-1]
    if last.status not in OF_THE_FILE:
        return heard
    return replace(heard, explanation=explain(place, request[0], last, now=timezone.now()))


def _take(look: PublicLook, question: Question, heard: _Heard) -> None:
    located = question.located
    if located is None:
        return
    look.asked += 1
    look.findings += _findings(located.asked.target, heard)
    words = look.caches.setdefault(located.outcome.rule, CacheWords(asked=0, said=0, hit=0))
    # What a cache had before it was asked: a second answer is its own in any case.
    said = [hop.was_hit for hop in heard.answers[0].hops if hop.was_hit is not None]
    words["asked"] += 1
    words["said"] += bool(said)
    words["hit"] += any(said)


def _result(place: Place, asking: Asking, question: Question, heard: _Heard) -> LiveResult:
    why_not = question.why_not or heard.why_not
    found = heard.explanation
    if not why_not and found and found.source and found.verdict is Verdict.OUTDATED:
        why_not = f"a copy of before is shown, as {found.source.tag} sent it"
    if why_not:
        return LiveResult(question.owned, Standing.NOT_ASKED, why_not)
    return LiveResult(question.owned, *judge_answer(question, heard.answers[-1], asking, place))


def _findings(target: str, heard: _Heard) -> Iterator[DriftFinding]:
    answer, found = heard.answers[-1], heard.explanation
    if found is None:
        yield DriftFinding(target, "status", "200", str(answer.status), _where(answer))
        return
    if found.verdict is Verdict.UNKNOWN:
        yield DriftFinding(target, "", "an answer of this site", found.headline, _where(answer))
    for difference in found.differences:
        expected = difference.expected or "not there"
        yield DriftFinding(
            target, difference.header, expected, difference.seen or "not there", _where(answer)
        )
    if _is_too_old(found):
        seen = f"{found.age_words}, from {found.source.tag if found.source else 'before'}"
        yield DriftFinding(target, "age", "as long as its headers allow", seen, _where(answer))


def _is_too_old(found: Explanation) -> bool:
    is_old = found.verdict is not Verdict.RIGHT
    return is_old and any(each.seconds < 0 and each.kept.cache != "browser" for each in found.left)


def _where(answer: SeenAnswer) -> str:
    """Say which hops name themselves, the nearest to the origin first, and whether one had a copy."""
    hops = [f"{hop.header}: {hop.words}" for hop in answer.hops]
    if answer.age_seconds:
        hops.append(f"Age: {answer.age_seconds}")
    return "; ".join(hops) or "nothing on the way names itself"
