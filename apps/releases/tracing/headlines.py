"""A trace in a sentence, for pages and for the command line."""

from apps.releases.comparing.texts import visible
from apps.releases.models import Publication
from apps.releases.tracing.since import Turn
from apps.releases.tracing.traces import Trace


def headline(found: Trace) -> str:
    """Say what answers, and by which rule."""
    answer = found.answer
    if answer.served is None:
        return f"{answer.status} from {where(found)}. {visible(answer.because)}"
    by = f"by the rule {found.rule} (version {found.rule_version})" if found.rule else "by no rule"
    entry = answer.served.entry
    return f"200 from {where(found)}, {by}. It is {visible(entry.path)} of release {entry.release}."


def where(found: Trace) -> str:
    """Say which release answered, and how it was live: "release 42, live as production-2026-11-20.1"."""
    place = found.place
    if place.preview:
        return f"the preview of release {place.release.pk}"
    if place.publication:
        how = "live" if place.is_live else "once live"
        return f"release {place.release.pk}, {how} as {place.publication.tag}"
    return f"release {place.release.pk}, which is not live"


def who_and_why(turn: Turn) -> str:
    """Say who made an address answer so, and why: release, rule, approvals and publication."""
    publication, version = turn.publication, turn.version
    parts = [f"release {publication.release_id} “{publication.release.title}”"]
    if version:
        parts.append(f"{version.rule.slug} version {version.number} saved by {version.created_by}")
    parts += turn.tags
    if turn.approvers:
        parts.append(f"approved by {', '.join(turn.approvers)}")
    deed = "rolled back" if publication.kind == Publication.Kind.ROLLBACK else "published"
    reason = publication.reason or publication.release.expected_result
    parts.append(f"{deed} by {publication.actor}" + (f": “{reason}”" if reason else ""))
    return ", ".join(parts)
