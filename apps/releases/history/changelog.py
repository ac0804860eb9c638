"""What went live on a channel between two of its tags, in words for people: the newest first (reads)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Count, Q, QuerySet

from apps.releases.exceptions import WrongChannel, WrongOrder
from apps.releases.markdown import inline, quoted
from apps.releases.models import Change, Channel, EmergencyPublication, Publication, Release
from apps.releases.selectors import ChangeCounts, history_of, publication_tagged

_ROLLBACK = Publication.Kind.ROLLBACK


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One publication. `counts` are of the release's own changes, None where it was rolled back to.

    `is_emergency` marks one that two administrators decided without the approvals it needed.
    """

    publication: Publication
    counts: ChangeCounts | None
    is_emergency: bool = False

    @property
    def day(self) -> str:
        """The date in UTC, as tags have it."""
        return f"{self.publication.published_at.astimezone(UTC):%Y-%m-%d}"

    @property
    def counts_in_words(self) -> str:
        return counts_in_words(self.counts) if self.counts else ""

    @property
    def deed(self) -> str:
        """What was done, by whom, without the reason."""
        publication = self.publication
        goal = publication.returns_to
        did = f"Rolled back to {goal.tag}" if goal else "Published"
        return f"{did}{' in an emergency' if self.is_emergency else ''} by {publication.actor}"


def changelog(channel: Channel, *, since: str = "", until: str = "") -> list[LogEntry]:
    """Return what was published on a channel after the tag `since`, up to and with `until`.

    Without them, from the first publication on, to what is live. The number of queries does not grow.
    Raises `UnknownPublication`, `WrongChannel`, `WrongOrder`.
    """
    history = history_of(channel)
    first, last = (_number_of(channel, tag) if tag else None for tag in (since, until))
    if first is not None and last is not None and first > last:
        raise WrongOrder(f"{since} came after {until}.", next_step=f"Ask from {until} to {since}.")
    history = history.filter(sequence__gt=first) if first is not None else history
    history = history.filter(sequence__lte=last) if last is not None else history
    counts, emergencies = _counts_of(history), emergencies_of(channel)
    return [
        LogEntry(
            each,
            None if each.kind == _ROLLBACK else counts[each.release_id],
            is_emergency=each.sequence in emergencies,
        )
        for each in history
    ]


def emergencies_of(channel: Channel) -> set[int]:
    """Return the numbers of a channel's publications that are marked as emergencies."""
    return set(EmergencyPublication.objects.filter(channel=channel).values_list("sequence", flat=True))


def as_markdown(channel: Channel, entries: list[LogEntry]) -> str:
    """Return a changelog as Markdown; what people typed is shown and does nothing."""
    lines = [f"# Changelog of {inline(channel.name)}", ""]
    for entry in entries:
        lines += [*_markdown_of(entry), ""]
    if not entries:
        lines += ["Nothing was published.", ""]
    return "\n".join(lines)


def counts_in_words(counts: ChangeCounts) -> str:
    """Say how many files came, changed and went, and how many redirects where there are any."""
    redirects = f", {counts.redirects} redirects" if counts.redirects else ""
    return f"+{counts.added} ~{counts.changed} \N{MINUS SIGN}{counts.removed}{redirects}"


def _markdown_of(entry: LogEntry) -> Iterator[str]:
    publication, release = entry.publication, entry.publication.release
    yield f"## {inline(publication.tag)} · {entry.day}"
    yield ""
    yield f"**{inline(release.title)}** (release {release.pk}). {inline(entry.deed)}."
    if publication.reason:
        yield ""
        yield "Reason:"
        yield from quoted(publication.reason)
    if entry.counts is not None:
        yield ""
        yield f"Files: {counts_in_words(entry.counts)}".replace("~", "\\~")
        if release.expected_result:
            yield ""
            yield "Expected result:"
            yield from quoted(release.expected_result)


def tags(channel: Channel | None = None, *, since: datetime | None = None) -> Iterator[Publication]:
    """Yield publications, the last first, whatever clocks said; of one channel, after a moment, if asked."""
    found = Publication.objects.select_related("channel", "release", "actor", "returns_to")
    found = found.filter(channel=channel) if channel else found
    found = found.filter(published_at__gte=since) if since else found
    return found.order_by("-pk").iterator(chunk_size=200)


def _number_of(channel: Channel, tag: str) -> int:
    publication = publication_tagged(tag)
    if publication.channel_id != channel.pk:
        raise WrongChannel(
            f"{tag} was published on {publication.channel}, not on {channel}.",
            next_step=f"Name two tags of it; `scripts/manage tag list --channel {channel}` has them.",
        )
    return publication.sequence


def _counts_of(publications: QuerySet[Publication]) -> dict[int, ChangeCounts]:
    """Return what releases change that were published, by their numbers; two queries however many."""
    put = Q(changes__kind=Change.Kind.PUT)
    counted = Release.objects.filter(pk__in=publications.order_by().values("release")).order_by()
    files = counted.annotate(
        added=Count("changes", filter=put & Q(changes__replaced_blob=None)),
        changed=Count("changes", filter=put & ~Q(changes__replaced_blob=None)),
        removed=Count("changes", filter=Q(changes__kind=Change.Kind.REMOVE)),
    )
    redirects = dict(counted.annotate(n=Count("redirect_changes")).values_list("pk", "n"))
    return {
        pk: ChangeCounts(added, changed, removed, redirects[pk])
        for pk, added, changed, removed in files.values_list("pk", "added", "changed", "removed")
    }
