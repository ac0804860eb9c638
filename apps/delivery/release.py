"""A release as delivery knows it: the pointer's words and an open manifest."""

from dataclasses import dataclass

from apps.caching.rules import HeaderSet
from apps.delivery.pointer import USUAL_OPTIONS, ChannelOptions
from apps.releases.manifest import Entry, ManifestReader


@dataclass(frozen=True, slots=True)
class LiveRelease:
    """What a channel serves now.

    `released_at` is when the release first went live there, `published_at` when the channel was last
    switched to it: later than that after a roll back. Both count seconds since 1970. `retained` holds
    the fingerprinted names of earlier publications, which pages of theirs may still ask for.
    """

    channel: str
    sequence: int
    number: int
    digest: str
    tag: str
    released_at: int
    published_at: int
    reader: ManifestReader
    options: ChannelOptions = USUAL_OPTIONS
    retained: ManifestReader | None = None

    def last_modified(self, entry: Entry) -> int:
        """Return when the content of `entry` first went live, in seconds since 1970."""
        if entry.release == self.number:
            return self.released_at
        return self.reader.released.get(entry.release, self.released_at)

    def header_set(self, entry: Entry) -> HeaderSet:
        """Return the headers that the cache rules gave `entry`."""
        return self.reader.header_sets[entry.header_set]
