"""What headers say that were seen in the wild: from which release and rule, how old, and still right?"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from apps.assets.models import Representation
from apps.caching.wording import short_duration
from apps.releases.exceptions import ManifestMissing, WrongQuestion
from apps.releases.models import Publication
from apps.releases.selectors import history_of, open_manifest
from apps.releases.tracing.answering import Answered, answered, at_target
from apps.releases.tracing.keeping import Keeping, directives, keepings
from apps.releases.tracing.places import Place, place_of
from apps.releases.tracing.seen import PasteFault, SeenAnswer, seen_answer
from apps.releases.tracing.traces import Trace

LOOKED_AT = 50  # publications, besides those of the release that the answer names
_A_YEAR_OR_SO = 30 * 86_400
# What says which bytes and when, rather than what caches may do with them; compared in other ways.
_NOT_COMPARED = frozenset(
    {
        "accept-ranges", "assetsite-release", "assetsite-rule", "content-length", "etag", "last-modified",
        "repr-digest",
    }
)  # fmt: skip
_OF_A_FILE = (206, 304, 412, 416)  # that were asked for in part, or on a condition
_FOR_CDNS_ONLY = frozenset({"cache-tag", "cdn-cache-control", "surrogate-control", "surrogate-key"})
_DIRECTIVES = frozenset({"cache-control", "cdn-cache-control", "surrogate-control"})


class Verdict(StrEnum):
    RIGHT = "right"
    OUTDATED = "outdated"
    CHANGED = "changed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Difference:
    """A header that is not what this origin sends; "" stands for one that is not there."""

    header: str
    seen: str
    expected: str


@dataclass(frozen=True, slots=True)
class Left:
    """What one kind of cache may do, and for how many seconds more; negative: for so long it should not."""

    kept: Keeping
    seconds: int

    @property
    def words(self) -> str:
        if self.seconds < 0:
            return f"should have asked {short_duration(-self.seconds)} ago"
        return (
            f"may go on with it for {short_duration(self.seconds)}"
            if self.seconds
            else "asks before each use"
        )


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was seen, explained.

    `source` is the publication that it most likely comes from, `rule` and `rule_version` whose headers it
    had. `differences` are those from what this origin sent then; `age_seconds` is None where nothing tells.
    """

    seen: SeenAnswer
    verdict: Verdict
    headline: str
    source: Publication | None
    publications: tuple[Publication, ...]
    rule: str
    rule_version: int
    age_seconds: int | None
    left: tuple[Left, ...]
    differences: tuple[Difference, ...]
    advice: tuple[str, ...]

    @property
    def age_words(self) -> str:
        if self.age_seconds is None:
            return ""
        return f"the origin answered so {short_duration(self.age_seconds)} ago"


def explained(trace: Trace, pasted: str, *, now: datetime) -> Explanation:
    """Explain headers that were seen for the address that was traced, wherever that was looked up.

    Raises `WrongQuestion` where nothing that was pasted is a header, and what `place_of` raises.
    """
    try:
        seen = seen_answer(pasted)
    except PasteFault as fault:
        raise WrongQuestion(
            str(fault),
            next_step="Paste what `curl -sI` prints, or what a browser's tools show of the answer.",
        ) from fault
    place = trace.place
    if not place.is_live:
        place = place_of("", {}, channel=place.channel.name)
    return explain(place, trace.asked.target, seen, now=now)


def explain(place: Place, sent: str, seen: SeenAnswer, *, now: datetime) -> Explanation:
    """Explain headers that were seen for the target `sent`; `place` is what answers it now."""
    if seen.preview_digest:
        return _unknown(seen, "It is the answer of a preview, which nobody may keep.", ())
    blobs = _blobs(seen.digest)
    fitting = [
        publication
        for publication in _candidates(place, seen)
        if _fits(place, publication, sent, blobs, seen)
    ]
    source = _likeliest(fitting, seen)
    if source is None:
        return _unknown(seen, *_why_unknown(seen))
    then = answered(_as_published(place, source), sent)
    today = answered(place, sent)
    return _explained(place, seen, fitting, source, then, today, now)


def _candidates(place: Place, seen: SeenAnswer) -> list[Publication]:
    history = history_of(place.channel).select_related(
        "channel", "release__owner", "actor", "returns_to", "manifest"
    )
    found = list(history[:LOOKED_AT])
    if seen.release and all(publication.release_id != seen.release for publication in found):
        found += history.filter(release=seen.release)[:1]
    return found


def _blobs(digest: str) -> frozenset[str]:
    """Return the blobs that bytes with this digest may stand for: themselves, or what they are coded from."""
    if not digest:
        return frozenset()
    plain = Representation.objects.filter(encoded=digest).values_list("blob", flat=True)
    return frozenset({digest, *plain})


def _fits(place: Place, publication: Publication, sent: str, blobs: frozenset[str], seen: SeenAnswer) -> bool:
    try:
        answer = at_target(_as_published(place, publication), sent)
    except ManifestMissing:
        return False
    if blobs:
        return answer.blob in blobs
    is_named = seen.release == publication.release_id
    return is_named and seen.status in (None, answer.status)


def _as_published(place: Place, publication: Publication) -> Place:
    if publication == place.publication:
        return place
    return Place(place.channel, publication.release, open_manifest(publication.manifest), publication)


def _likeliest(fitting: list[Publication], seen: SeenAnswer) -> Publication | None:
    """Return the publication that an answer comes from: the release it names, live when it was sent."""
    named = [each for each in fitting if each.release_id == seen.release] or fitting
    date = seen.date
    before = [each for each in named if date is None or each.published_at <= date]
    return next(iter(before or named), None)


def _explained(
    place: Place,
    seen: SeenAnswer,
    fitting: list[Publication],
    source: Publication,
    then: Answered,
    today: Answered,
    now: datetime,
) -> Explanation:
    differences = tuple(_differences(seen, then))
    is_current = _essence(then) == _essence(today)
    verdict = Verdict.CHANGED if differences else Verdict.RIGHT if is_current else Verdict.OUTDATED
    age = _age(seen, now)
    left = tuple(_left(kept, age or 0) for kept in keepings(seen.headers) if kept.may_keep)
    served = then.served
    return Explanation(
        seen=seen,
        verdict=verdict,
        headline=_headline(verdict, place, source, is_current=is_current),
        source=source,
        publications=tuple(fitting),
        rule=served.header_set.rule if served else "",
        rule_version=served.header_set.rule_version if served else 0,
        age_seconds=age,
        left=left,
        differences=differences,
        advice=tuple(_advice(place, seen, left, is_changed=bool(differences), is_current=is_current)),
    )


def _left(kept: Keeping, age: int) -> Left:
    return Left(kept, kept.seconds - age if kept.seconds else 0)


def _essence(answer: Answered) -> tuple[object, ...]:
    """Return what makes two answers the same to a visitor: content, and what a rule says of it."""
    if answer.served is None:
        return answer.status, answer.location
    return answer.status, answer.served.entry.blob, answer.served.header_set.headers


def _headline(verdict: Verdict, place: Place, source: Publication, *, is_current: bool) -> str:
    what = f"release {source.release_id} as {source.tag}"
    if verdict is Verdict.RIGHT:
        return f"It is still right: it comes from {what}, and the address answers the same now."
    now = f"now release {place.release.pk} answers otherwise" if not is_current else "which is still live"
    if verdict is Verdict.OUTDATED:
        return f"It is out of date: it comes from {what}, and {now}."
    return f"It was changed on its way: it comes from {what}, {now if is_current else f'and {now}'}."


def _differences(seen: SeenAnswer, then: Answered) -> Iterator[Difference]:
    expected = {name.lower(): value for name, value in then.headers}
    if seen.status not in (None, then.status) and not (then.status == 200 and seen.status in _OF_A_FILE):
        yield Difference("status", str(seen.status), str(then.status))
    for name, value in expected.items():
        found = seen.headers.get(name, "")
        if name in _NOT_COMPARED or (not found and (name in _FOR_CDNS_ONLY or seen.status == 304)):
            continue
        if not _is_same(name, found, value):
            yield Difference(name, found, value)
    for name in ("cache-control", "cdn-cache-control", "expires", "pragma"):
        if name in seen.headers and name not in expected:
            yield Difference(name, seen.headers[name], "")


def _is_same(name: str, seen: str, expected: str) -> bool:
    if name in _DIRECTIVES:
        return directives(seen) == directives(expected)
    if name == "vary":  # whoever compresses on the way adds to it
        return _fields(expected) <= _fields(seen)
    return " ".join(seen.lower().split()) == " ".join(expected.lower().split())


def _fields(value: str) -> set[str]:
    return {field.strip().lower() for field in value.split(",")}


def _age(seen: SeenAnswer, now: datetime) -> int | None:
    """Return how many seconds ago the origin answered: as Age says, or Date where that is longer ago."""
    since = max(0, int((now - seen.date).total_seconds())) if seen.date else None
    known = [seconds for seconds in (seen.age_seconds, since) if seconds is not None]
    return max(known) if known else None


def _advice(
    place: Place, seen: SeenAnswer, left: tuple[Left, ...], *, is_changed: bool, is_current: bool
) -> Iterator[str]:
    if is_changed:
        names = ", ".join(dict.fromkeys(hop.header for hop in seen.hops))
        where = f"What names itself there: {names}." if names else "Nothing on the way names itself."
        yield (
            "Look for a rule or a default in whatever stands between this site and where it was seen, which"
            f" sets what differs. {where}"
        )
    if not is_current:
        yield (
            "Purge this address in the caches in front of the site: the receipt of"
            f" {place.publication.tag if place.publication else 'the publication'} lists what they have to"
            " forget."
        )
        browser = next((each for each in left if each.kept.cache == "browser"), None)
        if browser and browser.seconds > _A_YEAR_OR_SO:
            yield (
                "No purge reaches browsers, and they may keep it for"
                f" {short_duration(browser.seconds)} more: publish the file under another name."
            )
    if any(each.seconds < 0 and each.kept.cache != "browser" for each in left) and seen.age_seconds:
        yield "It is older than a cache may keep it: one on the way serves stale, or has times of its own."


def _why_unknown(seen: SeenAnswer) -> tuple[str, tuple[str, ...]]:
    if not (seen.digest or seen.release):
        return (
            "Nothing in it says that it comes from this site: there is neither an ETag or Repr-Digest of ours"
            " nor Assetsite-Release.",
            ("Paste all the headers, or ask whether the name still leads to this site (DNS).",),
        )
    return (
        f"These bytes were not what this address answered in the last {LOOKED_AT} publications.",
        ("Check that the address is the one that the headers were seen at, with its channel.",),
    )


def _unknown(seen: SeenAnswer, headline: str, advice: tuple[str, ...]) -> Explanation:
    return Explanation(seen, Verdict.UNKNOWN, headline, None, (), seen.rule, 0, None, (), (), advice)
