"""Whose work content is: the authors of what a release takes over from others stay its authors."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched

from apps.releases.manifest import Redirect
from apps.releases.models import Change, Channel, Contributor, RedirectChange, Release
from apps.releases.redirects.values import typed_source

_ROWS_AT_ONCE = 5_000
_WERE_LIVE = (Release.State.PUBLISHED, Release.State.SUPERSEDED)


@dataclass(frozen=True, slots=True)
class Hands:
    """The people whose work something is, newest first, and the releases that it came with."""

    people: tuple[int, ...]
    releases: tuple[int, ...]


def hands_in_paths(channel: Channel, blobs: Mapping[str, str | None]) -> dict[str, Hands]:
    """Return whose work it is that a channel serves these blobs (None: nothing) at these paths.

    Those are the authors of the changes to it, of releases that went live on the channel.
    """
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for some in batched(blobs, _ROWS_AT_ONCE):
        changes = Change.objects.filter(
            release__channel=channel, release__state__in=_WERE_LIVE, asset__path__in=some
        ).order_by("-release_id")
        rows = changes.values_list("asset__path", "version__blob", "author_id", "release_id")
        for path, blob, author, release in rows:
            if blob == blobs[path]:
                found[path].append((author, release))
    return {path: _hands(pairs) for path, pairs in found.items()}


def hands_in_redirects(channel: Channel, redirects: Mapping[str, Redirect | None]) -> dict[str, Hands]:
    """Return what `hands_in_paths` does, of redirects by source."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    changes = RedirectChange.objects.filter(
        release__channel=channel, release__state__in=_WERE_LIVE, source__in=list(redirects)
    ).order_by("-release_id")
    for change in changes:
        if change.redirect == redirects[change.source]:
            found[change.source].append((change.author_id, change.release_id))
    return {source: _hands(pairs) for source, pairs in found.items()}


def contribute(release: Release, people: Iterable[tuple[str, int]]) -> None:
    """Keep (path, person) as contributors of a draft; a path of "" stands for the whole."""
    rows = [Contributor(release=release, path=path, person_id=person) for path, person in sorted(set(people))]
    Contributor.objects.bulk_create(rows, batch_size=_ROWS_AT_ONCE, ignore_conflicts=True)


def others_in(hands: Mapping[str, Hands]) -> set[tuple[str, int]]:
    """Return (path, person) of all beside the newest author, contributors to those releases included."""
    others = {(path, person) for path, each in hands.items() for person in each.people[1:]}
    releases = {release for each in hands.values() for release in each.releases}
    for some in batched(sorted(releases), _ROWS_AT_ONCE):
        rows = Contributor.objects.filter(release__in=some).values_list("path", "person_id")
        others.update((path, person) for path, person in rows if not path or path in hands)
    return others


def as_sources(hands: Mapping[str, Hands]) -> dict[str, Hands]:
    """Return hands in redirects by the form of their source that contributors are kept under."""
    return {typed_source(source): each for source, each in hands.items()}


def _hands(pairs: Sequence[tuple[int, int]]) -> Hands:
    return Hands(
        people=tuple(dict.fromkeys(person for person, _ in pairs)),
        releases=tuple(dict.fromkeys(release for _, release in pairs)),
    )
