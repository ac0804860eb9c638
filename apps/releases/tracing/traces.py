"""A trace: what an address answers, and which of its release's rules says so, condition by condition."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from apps.assets.selectors import newest_tagging, tags_of
from apps.caching.evaluation import Considered, Headers, Outcome, consider, evaluate
from apps.caching.examples import guess_media_type
from apps.caching.matching import NO_TAGS, Subject
from apps.caching.models import CacheRuleVersion
from apps.caching.rules import Bypass, Combination, Rule, RuleState
from apps.caching.selectors import as_rule, newest_versions, tags_asked_for_by
from apps.releases.channels.expected_answers import url_of
from apps.releases.channels.targets import DJANGOS_FOLDERS
from apps.releases.exceptions import WrongAddress, WrongQuestion
from apps.releases.services.hosts import all_hosts
from apps.releases.tracing.answering import Answered, answered
from apps.releases.tracing.asked import AddressFault, AskedAddress, asked_address
from apps.releases.tracing.keeping import Keeping, keepings
from apps.releases.tracing.places import Place, place_of

MAX_REQUEST_HEADERS = 100
FEW_RULES = 20
_PREVIEWS_HOST = "preview"  # stands for any preview where rules are evaluated
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\t\x80-\U0010ffff]*)")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: the address as it was pasted, and what narrows it down."""

    pasted: str
    request_headers: Headers = ()
    release: int | None = None
    channel: str = ""
    at: datetime | None = None
    with_drafts: bool = False


@dataclass(frozen=True, slots=True)
class Tried:
    """A rule's version, in the order in which rules are tried, and what it says to the file.

    `standing` is "ships" for those that the release pins, else why it takes no part: "draft", "disabled",
    or "newer" for a version that was saved after the release was begun.
    """

    version: CacheRuleVersion
    considered: Considered
    standing: str

    @property
    def takes_part(self) -> bool:
        return self.standing == "ships"


@dataclass(frozen=True, slots=True)
class Trace:
    """What comes out for one address.

    `subject` is the file that the rules were asked about; where there is none (`is_assumed`) it is the one
    that would lie there. `rule` is "" where none decides. `differs` says how the manifest, which is what is
    served, differs from what the release's rules make of the file today. `if_all_shipped` is the outcome
    with drafts and newer versions in their places, where that was asked.
    """

    asked: AskedAddress
    place: Place
    answer: Answered
    subject: Subject
    is_assumed: bool
    rule: str
    rule_version: int
    bypass: Bypass | None
    tried: tuple[Tried, ...]
    kept: tuple[Keeping, Keeping, Keeping]
    combination: Combination
    differs: str = ""
    if_all_shipped: Outcome | None = None

    @property
    def deciding(self) -> Tried | None:
        """The rule that decides, where the release still has it."""
        return next((one for one in self.tried if one.takes_part and one.considered.rule == self.rule), None)

    @property
    def telling(self) -> tuple[Tried, ...]:
        """The rules that match, or all but do, where there are many; all of them where they are few."""
        if len(self.tried) <= FEW_RULES:
            return self.tried
        return tuple(one for one in self.tried if one.considered.matched or one.considered.near_miss)

    @property
    def tags(self) -> list[str]:
        """The tags that the file carries, where any of the rules asks for some."""
        return sorted(self.subject.tags)


def trace(question: Question) -> Trace:
    """Say what the address in `question` answers, and why.

    Raises `WrongAddress`, and what `place_of` raises.
    """
    hosts = all_hosts()
    asked = asked_for(question, hosts)
    place = place_of(asked.host, hosts, release=question.release, channel=question.channel, at=question.at)
    return trace_at(place, asked, question)


def asked_for(question: Question, hosts: Mapping[str, str]) -> AskedAddress:
    """Return the address that was pasted, with the host of the request's headers where it has none.

    Raises `WrongAddress`.
    """
    domain = f".{settings.PREVIEW_DOMAIN}"
    try:
        asked = asked_address(question.pasted, is_host=lambda name: name in hosts or name.endswith(domain))
        if not asked.host and (named := _named_host(question.request_headers)):
            asked = asked_address(f"//{named}{asked.target}")
    except AddressFault as fault:
        raise WrongAddress(
            str(fault), next_step="Copy it from the address bar, or give a path such as /css/app.css."
        ) from fault
    if asked.target.startswith(DJANGOS_FOLDERS):
        raise WrongAddress(
            f"{asked.target[:200]} is a page of this program at the public door, in no release.",
            next_step="No cache rule speaks of it; it is never to be kept.",
        )
    return asked


def trace_at(place: Place, asked: AskedAddress, question: Question) -> Trace:
    """Say what an address answers from a place that is known."""
    answer = answered(place, asked.target)
    pinned = _pinned(place)
    others = _others(pinned) if question.with_drafts else []
    subject = _subject(place, answer, [*pinned, *others])
    combination = Combination(place.release.rule_combination)
    rules = [as_rule(version) for version in pinned]
    url = _url(asked, place, subject)
    told = _Told(url, subject, question.request_headers, combination)
    outcome = told.outcome(rules)
    tried = [Tried(version, said, "ships") for version, said in zip(pinned, outcome.considered, strict=True)]
    header_set = answer.served.header_set if answer.served else None
    return Trace(
        asked=asked,
        place=place,
        answer=answer,
        subject=subject,
        is_assumed=answer.served is None,
        rule=header_set.rule if header_set else "",
        rule_version=header_set.rule_version if header_set else 0,
        bypass=outcome.bypass if answer.served or place.preview else None,
        tried=tuple(sorted([*tried, *map(told.aside, others)], key=_order)),
        kept=keepings({name.lower(): value for name, value in answer.headers}),
        combination=combination,
        differs=_difference(answer, told.unbypassed(rules)),
        if_all_shipped=told.outcome(_all_shipped(pinned, others)) if question.with_drafts else None,
    )


def request_headers_of(lines: Sequence[str]) -> Headers:
    """Read `Name: value` lines. Raises `WrongQuestion` for one that is no header."""
    given = [line.strip() for line in lines if line.strip()]
    if len(given) > MAX_REQUEST_HEADERS:
        raise WrongQuestion(
            f"{len(given)} headers are more than a request has.", next_step="Give those that matter."
        )
    found = [(line, _HEADER.fullmatch(line)) for line in given]
    for line, match in found:
        if match is None:
            raise WrongQuestion(
                f"{line[:100]!r} is no header of a request.", next_step="Write it as Name: value, one a line."
            )
    return tuple((match[1], match[2].strip()) for _, match in found if match)


@dataclass(frozen=True, slots=True)
class _Told:
    """A request for a file, to be told to rules."""

    url: str
    subject: Subject
    request_headers: Headers
    combination: Combination

    def outcome(self, rules: Sequence[Rule]) -> Outcome:
        return self._outcome(rules, self.url, self.request_headers)

    def unbypassed(self, rules: Sequence[Rule]) -> Outcome:
        """Return what a build would have made of the file."""
        return self._outcome(rules, url_of(self.subject.path), ())

    def _outcome(self, rules: Sequence[Rule], url: str, request_headers: Headers) -> Outcome:
        return evaluate(
            rules,
            url,
            media_type=self.subject.media_type,
            request_headers=request_headers,
            size_bytes=self.subject.size_bytes,
            tags=self.subject.tags,
            combination=self.combination,
        )

    def aside(self, version: CacheRuleVersion) -> Tried:
        """Return what a version that takes no part would say."""
        (said,) = consider([as_rule(version)], self.subject)
        standing = "newer" if version.state == RuleState.ACTIVE else version.state
        return Tried(version, said, standing)


def _named_host(request_headers: Headers) -> str:
    return next((value for name, value in request_headers if name.lower() == "host"), "")


def _subject(place: Place, answer: Answered, versions: Sequence[CacheRuleVersion]) -> Subject:
    """Return the file that rules speak of: by the name that it is served under, with its tags if any asks."""
    if answer.served:
        entry = answer.served.entry
        tags = NO_TAGS
        if tags_asked_for_by(versions):
            tags = tags_of([entry.path], at=_tagging(place))[entry.path]
        return Subject(answer.served.name, entry.media_type, entry.size, tags)
    path = f"{answer.path}index.html" if not answer.path or answer.path.endswith("/") else answer.path
    return Subject(path, guess_media_type(path), 0)


def _tagging(place: Place) -> int | None:
    """Return the act that says how files are tagged; where a release's own rules do not ask, the newest."""
    if place.release.tagging_id is not None:
        return place.release.tagging_id
    newest = newest_tagging()
    return newest.pk if newest else None


def _url(asked: AskedAddress, place: Place, subject: Subject) -> str:
    host = _PREVIEWS_HOST if place.preview else asked.host or "localhost"
    _, question_mark, query = asked.target.partition("?")
    return f"http://{host}{url_of(subject.path)}{question_mark}{query}"


def _pinned(place: Place) -> list[CacheRuleVersion]:
    return sorted(place.release.rules.select_related("rule", "owner", "created_by"), key=_place_of_version)


def _others(pinned: list[CacheRuleVersion]) -> list[CacheRuleVersion]:
    """Return the newest version of each rule, where the release does not pin it."""
    known = {version.pk for version in pinned}
    newest = newest_versions().select_related("rule", "owner", "created_by")
    return [version for version in newest if version.pk not in known]


def _all_shipped(pinned: list[CacheRuleVersion], others: list[CacheRuleVersion]) -> list[Rule]:
    """Return the rules as they would be with every newest version in its place."""
    newest = {version.rule_id: version for version in (*pinned, *others)}
    kept = [version for version in newest.values() if version.state != RuleState.DISABLED]
    return [as_rule(version) for version in sorted(kept, key=_place_of_version)]


def _place_of_version(version: CacheRuleVersion) -> tuple[int, str]:
    return version.order, version.rule.slug


def _order(tried: Tried) -> tuple[int, str, bool]:
    return *_place_of_version(tried.version), not tried.takes_part


def _difference(answer: Answered, outcome: Outcome) -> str:
    """Say how what the manifest holds differs from what the release's rules make of the file, "" if not."""
    if answer.served is None:
        return ""
    said = answer.served.header_set
    if (said.rule, said.rule_version) != (outcome.rule, outcome.rule_version):
        now = f"{outcome.rule} version {outcome.rule_version}" if outcome.rule else "no rule"
        was = f"{said.rule} version {said.rule_version}" if said.rule else "no rule"
        brought = " It came with an earlier release." if answer.served.is_retained else ""
        return f"The manifest was compiled by {was}; by its release's rules {now} decides.{brought}"
    if dict(said.headers) != dict(outcome.headers):
        return (
            "The manifest has other headers than its release's rules make today: it was compiled by an"
            " earlier version of this program."
        )
    return ""
