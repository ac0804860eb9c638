"""What can be compared, by the names that people type."""

from dataclasses import dataclass

from apps.releases.exceptions import UnknownComparable
from apps.releases.manifest import ManifestReader
from apps.releases.models import Channel, Publication, Release
from apps.releases.selectors import live_publication, open_manifest, release_numbered
from apps.releases.services.drafted import drafted_manifest, has_other_rules

NOTHING = "nothing"
HOW = (
    "Name a release by its number (42), what it was begun on (42/base), a channel for what it serves now"
    " (production), a publication by its tag (production-2026-11-20.1) or number (production/7), the newest"
    " draft (draft), or nothing."
)


@dataclass(frozen=True, slots=True)
class Comparable:
    """One side of a comparison. `reader` is None where nothing is served.

    `name` leads to it again, `permanent` to exactly this content also when a channel has moved on;
    `notes` say what a comparison cannot know of it yet.
    """

    name: str
    permanent: str
    title: str
    reader: ManifestReader | None
    release: Release | None = None
    notes: tuple[str, ...] = ()


def comparable_named(typed: str) -> Comparable:
    """Return what was typed.

    Raises `UnknownComparable`, `UnknownRelease`, `ManifestMissing`, `DraftTooLarge`.
    """
    name = typed.strip()
    if name == NOTHING:
        return Comparable(NOTHING, NOTHING, "Nothing", None)
    if name == "draft":
        return _newest_draft()
    if name.isdecimal():
        return of_release(release_numbered(_number(name)))
    before, _, after = name.rpartition("/")
    if before.isdecimal() and after == "base":
        return _base_of(release_numbered(_number(before)))
    if before and after.isdecimal():
        return _publication(name, channel__name=before, sequence=_number(after))
    channel = Channel.objects.filter(name=name).first()
    return _of_channel(channel) if channel else _publication(name, tag=name)


def of_release(release: Release) -> Comparable:
    """Return what a release serves, or would serve where it was not built yet."""
    number, title = str(release.pk), f"Release {release.pk} · {release.title}"
    if release.manifest is not None:
        return Comparable(number, number, title, open_manifest(release.manifest), release)
    return Comparable(number, number, title, drafted_manifest(release), release, tuple(_unknown_of(release)))


def of_publication(publication: Publication) -> Comparable:
    """Return what was served since a publication, and until the next."""
    title = f"{publication.tag} · release {publication.release_id} · {publication.release.title}"
    tag, reader = publication.tag, open_manifest(publication.manifest)
    return Comparable(tag, tag, title, reader, publication.release)


def _unknown_of(release: Release) -> list[str]:
    notes = [f"Release {release.pk} is not built yet: this is its changes on what it was begun on."]
    if release.channel.fingerprints:
        notes.append(
            f"Which files follow because they refer to these is known when {release.pk} is submitted."
        )
    if has_other_rules(release):
        notes.append(
            f"It brings other cache rules: what they change is known when {release.pk} is submitted."
        )
    return notes


def _of_channel(channel: Channel) -> Comparable:
    live = live_publication(channel)
    if live is None:
        return Comparable(channel.name, NOTHING, f"{channel}, which serves nothing yet", None)
    found = of_publication(live)
    return Comparable(channel.name, live.tag, f"{channel} now: {found.title}", found.reader, live.release)


def _base_of(release: Release) -> Comparable:
    name = f"{release.pk}/base"
    if release.base_manifest is None:
        return Comparable(name, name, f"Release {release.pk} was begun on an empty channel", None)
    title = f"What release {release.pk} was begun on: release {release.base_id}"
    return Comparable(name, name, title, open_manifest(release.base_manifest), release.base)


def _newest_draft() -> Comparable:
    draft = Release.objects.filter(state=Release.State.DRAFT).order_by("-pk").values_list("pk", flat=True)
    number = draft.first()
    if number is None:
        raise UnknownComparable("There is no draft.", next_step=HOW)
    return of_release(release_numbered(number))


def _publication(name: str, **which: object) -> Comparable:
    found = Publication.objects.select_related("channel", "release", "manifest").filter(**which).first()
    if found is None:
        words = f"Nothing is called {name!r}." if name else "Nothing was named."
        raise UnknownComparable(words, next_step=HOW)
    return of_publication(found)


def _number(digits: str) -> int:
    """Return a number that was typed; one that no database could hold is none of ours."""
    return int(digits) if len(digits) < 10 else 0
