"""Since when an address has the headers that it has: through which publication, by whom, and why.

A channel's publications are walked backwards, one lookup by path in each; only so many at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from django.utils.timezone import localtime

from apps.assets.models import AssetTag, Tagging
from apps.assets.selectors import is_carried
from apps.caching.models import CacheRuleVersion
from apps.caching.rules import HeaderSet
from apps.releases.channels.expected_answers import MISSING, Answer
from apps.releases.comparing.header_words import header_words, rule_words
from apps.releases.exceptions import ManifestMissing
from apps.releases.models import Approval, Channel, Publication
from apps.releases.selectors import history_of, open_manifest
from apps.releases.tracing.answering import at_target
from apps.releases.tracing.places import Place

LOOKED_AT = 20  # publications at once
_NOTHING = HeaderSet("", 0, (), "")


@dataclass(frozen=True, slots=True)
class Turn:
    """The publication since which an address answers so, until the next turn.

    `answer` is what it answers since then, None where the manifest is gone. `headers` and `rule` say what
    became otherwise than before, `is_new_content` whether the bytes did. The version of the rule that
    decides has who saved it, and when. `tags` say which tags came to the file or left it, by whom and why,
    where the rules of its release ask for any.
    """

    publication: Publication
    answer: Answer | None
    headers: tuple[str, ...]
    rule: str
    is_new_content: bool
    version: CacheRuleVersion | None
    approvers: tuple[str, ...]
    tags: tuple[str, ...]

    @property
    def shown(self) -> str:
        """What it answers, in a word: its Cache-Control, where it leads, or its status."""
        if self.answer is None:
            return "not known: its manifest was removed"
        if self.answer.served:
            return dict(self.answer.served.header_set.headers).get("cache-control", "")
        return f"{self.answer.status} {self.answer.location}".strip()


@dataclass(frozen=True, slots=True)
class Since:
    """The turns of an address, newest first.

    `further_back` is the number of the publication to go on from: the last turn may have come before. It is
    None where the channel has no earlier one.
    """

    channel: Channel
    turns: tuple[Turn, ...]
    further_back: int | None


@dataclass(frozen=True, slots=True)
class _Seen:
    publication: Publication
    answer: Answer | None


def since_when(channel: Channel, sent: str, *, up_to: int | None = None) -> Since:
    """Return what the target `sent` answered on a channel, up to a publication's number, newest first."""
    history = history_of(channel).select_related(
        "channel", "release__owner", "actor", "returns_to", "manifest"
    )
    if up_to is not None:
        history = history.filter(sequence__lte=up_to)
    found = list(history[: LOOKED_AT + 1])
    seen = [_Seen(publication, _answer(channel, publication, sent)) for publication in found]
    turning = list(_turning(seen, is_whole=len(found) <= LOOKED_AT))
    versions = _versions(after.answer for _, after in turning)
    approvers = _approvers(after.publication for _, after in turning)
    tags = _tags(turning)
    turns = [_turn(before, after, versions, approvers, tags) for before, after in turning]
    return Since(channel, tuple(turns), found[-1].sequence if len(found) > LOOKED_AT else None)


def _answer(channel: Channel, publication: Publication, sent: str) -> Answer | None:
    try:
        reader = open_manifest(publication.manifest)
    except ManifestMissing:
        return None
    return at_target(Place(channel, publication.release, reader, publication), sent)


def _turning(seen: Sequence[_Seen], *, is_whole: bool) -> Iterator[tuple[_Seen | None, _Seen]]:
    """Yield (before, since then) where the answer became another; the oldest has nothing before it.

    Of more than is looked at, the last one is only there to be compared with.
    """
    for after, before in pairwise(seen):
        if _told(after.answer) != _told(before.answer):
            yield before, after
    if is_whole and seen:
        yield None, seen[-1]


def _told(answer: Answer | None) -> tuple[object, ...]:
    """Return what an answer is told apart by: its headers and the rule behind them, and its content."""
    if answer is None:
        return ()
    return answer.status, answer.location, answer.headers, answer.blob


def _turn(
    before: _Seen | None,
    after: _Seen,
    versions: dict[tuple[str, int], CacheRuleVersion],
    approvers: dict[tuple[int, str], list[str]],
    tags: Sequence[AssetTag],
) -> Turn:
    publication = after.publication
    old = (before.answer if before else None) or MISSING
    new = after.answer or MISSING
    was, now = _header_set(old), _header_set(new)
    return Turn(
        publication=publication,
        answer=after.answer,
        headers=tuple(header_words(was, now)) if new.served else (),
        rule=rule_words(was, now) if new.served else "",
        is_new_content=old.blob != new.blob,
        version=versions.get((now.rule, now.rule_version)),
        approvers=tuple(approvers.get((publication.release_id, publication.manifest_id), ())),
        tags=tuple(_tag_words(before, after, tags)),
    )


def _header_set(answer: Answer) -> HeaderSet:
    return answer.served.header_set if answer.served else _NOTHING


def _versions(answers: Iterator[Answer | None]) -> dict[tuple[str, int], CacheRuleVersion]:
    """Return the rule versions behind these answers, by slug and number: one query."""
    sets = {_header_set(answer) for answer in answers if answer}
    slugs = {header_set.rule for header_set in sets}
    numbers = {header_set.rule_version for header_set in sets}
    rows = CacheRuleVersion.objects.select_related("rule", "created_by", "owner").filter(
        rule__slug__in=slugs, number__in=numbers
    )
    return {(row.rule.slug, row.number): row for row in rows}


def _approvers(publications: Iterator[Publication]) -> dict[tuple[int, str], list[str]]:
    """Return who approved what went live, by release and digest: one query."""
    releases = {publication.release_id for publication in publications}
    found: dict[tuple[int, str], list[str]] = {}
    for approval in Approval.objects.filter(release__in=releases).select_related("approver"):
        found.setdefault((approval.release_id, approval.manifest_id), []).append(str(approval.approver))
    return found


def _tags(turning: Sequence[tuple[_Seen | None, _Seen]]) -> list[AssetTag]:
    """Return the tags that the files of these answers carry, or have carried: one query, if any may tell."""
    paths = {
        after.answer.served.entry.path
        for before, after in turning
        if after.answer and after.answer.served and _tagging(before) != _tagging(after)
    }
    if not paths:
        return []
    acts = ("asset", "since__created_by", "until__created_by")
    return list(
        AssetTag.objects.filter(asset__path__in=paths).select_related(*acts).order_by("name", "since")
    )


def _tagging(seen: _Seen | None) -> int:
    return (seen.publication.release.tagging_id if seen else None) or 0


def _tag_words(before: _Seen | None, after: _Seen, tags: Sequence[AssetTag]) -> Iterator[str]:
    """Yield how otherwise the file is tagged than at the publication before, through whom and why."""
    was, now = _tagging(before), _tagging(after)
    served = after.answer.served if after.answer else None
    if before is None or served is None or not now:
        return
    for tag in tags:
        if tag.asset.path != served.entry.path:
            continue
        had, has = (is_carried(tag.since_id, tag.until_id, at=act) for act in (was, now))
        if had == has:
            continue
        if now < was:
            yield f"it {'carries' if has else 'does not carry'} the tag {tag.name}, as it did then"
        elif has:
            yield f"the tag {tag.name} was given to it {_act_words(tag.since)}"
        elif tag.until:
            yield f"the tag {tag.name} was taken from it {_act_words(tag.until)}"


def _act_words(act: Tagging) -> str:
    at = f"{localtime(act.created_at):%Y-%m-%d %H:%M %Z}"
    return f"by {act.created_by} at {at}" + (f": “{act.reason}”" if act.reason else "")
