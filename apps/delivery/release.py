"""A release as delivery knows it: the pointer's words, an open manifest, and what was looked up in it."""

import re
from dataclasses import dataclass, field, replace

from apps.delivery.negotiation import IDENTITY
from apps.delivery.pointer import USUAL_OPTIONS, ChannelOptions
from apps.delivery.recent import Recent
from apps.delivery.resource import Resource
from apps.delivery.tally import Tallies
from apps.releases.manifest import ManifestReader, Representation, ServedRow
from apps.releases.manifest.names import split_fingerprinted

# A path's entry takes 100 bytes here, a resource 3,000: a few megabytes at most, whatever the size of the
# release. More paths than these would help few visitors and push the rest out of the processor's cache.
RECENT_PATHS = 1_024
RECENT_RESOURCES = 2_048
INDEX = "index.html"
PAGE = ".html"
# The path of an origin-form target without escapes, what follows a question mark left out.
_PLAIN = re.compile(rb"/([^%?#\x80-\xff]*)(?:\?[^#]*)?").fullmatch


@dataclass(frozen=True, slots=True)
class LiveRelease:
    """What a channel serves now.

    `released_at` is when the release first went live there, `published_at` when the channel was last
    switched to it: later than that after a roll back. Both count seconds since 1970. `retained` holds
    the fingerprinted names of earlier publications, which pages of theirs may still ask for.

    `tallies` counts what is answered from it.

    Safe for use by several threads. What was asked for lately is kept (see `recent`), so that a path
    that many ask for is looked up once.
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
    tallies: Tallies = field(default_factory=Tallies, compare=False)
    _by_target: Recent[bytes, Resource] = field(init=False, default_factory=lambda: Recent(RECENT_PATHS))
    _by_path: Recent[str, Resource] = field(init=False, default_factory=lambda: Recent(RECENT_PATHS))
    _resources: Recent[tuple[object, ...], Resource] = field(
        init=False, default_factory=lambda: Recent(RECENT_RESOURCES)
    )

    @property
    def readers(self) -> list[ManifestReader]:
        """The manifests that this is answered from."""
        return [self.reader] if self.retained is None else [self.reader, self.retained]

    def with_names(self, retained: ManifestReader | None) -> "LiveRelease":
        """Return the same with other names of earlier publications, and nothing looked up yet."""
        return replace(self, retained=retained)

    def find_target(self, target: bytes) -> Resource | None:
        """Return what a request target serves where nothing but a GET of it decides that.

        None for a target that has to be looked at closely: escapes, a missing path, another address.
        """
        known = self._by_target.get(target)
        if known is not None:
            return known
        plain = _PLAIN(target)
        if plain is None:
            return None
        path = plain[1].decode("ascii")
        if not path or path[-1] == "/":
            path += INDEX
        elif self.options.clean_urls and path.endswith(PAGE):
            return None
        found = self._look_up(path)
        if found is None or (self.options.early_hints and found.link):
            return None
        self._by_target.put(target, found)
        return found

    def find(self, path: str) -> Resource | None:
        """Return what `path` serves: a path of the release, or a fingerprinted name of one.

        `path` has no leading slash. Fingerprinted names of earlier publications are found as well.
        """
        known = self._by_path.get(path)
        if known is not None:
            return known
        found = self._look_up(path)
        if found is not None:
            self._by_path.put(path, found)
        return found

    def let_go(self) -> None:
        """Forget what was looked up, after another release has taken this one's place."""
        for recent in (self._by_target, self._by_path, self._resources):
            recent.empty()

    def _look_up(self, path: str) -> Resource | None:
        reader, retained = self.reader, self.retained
        row = reader.served(path)
        if row is not None:
            return self._resource(reader, path, row, reader.link_of(path) if row[1] in reader.linking else "")
        named = split_fingerprinted(path)
        row = reader.served_as(*named) if named is not None else None
        if named is not None and row is not None:
            return self._resource(reader, named[0], row)
        row = retained.served(path) if retained is not None else None
        return self._resource(retained, path, row) if retained is not None and row is not None else None

    def _resource(self, reader: ManifestReader, path: str, row: ServedRow, link: str = "") -> Resource:
        """Return the resource of `row`; paths with the same content and headers share theirs."""
        is_usual = reader is self.reader and not link
        key: tuple[object, ...] = row if is_usual else (row, reader is self.reader, link)
        known = self._resources.get(key)
        if known is not None:
            return known
        blob, header_set_number, release = row
        digest, header_set = blob.hex(), reader.header_sets[header_set_number]
        resource = Resource(
            Representation(IDENTITY, digest, reader.size_of(path)),
            reader.representations(digest),
            header_set,
            last_modified=self._last_modified(reader, release),
            current_since=self.published_at,
            release=self._named(reader, release),
            link=link,
            tally=self.tallies.of(header_set.rule, header_set.rule_version),
        )
        self._resources.put(key, resource)
        return resource

    def _last_modified(self, reader: ManifestReader, release: int) -> int:
        """Return when what `release` brought first went live, in seconds since 1970."""
        if release == self.number:
            return self.released_at
        return reader.released.get(release, self.released_at)

    def _named(self, reader: ManifestReader, release: int) -> int | None:
        """Return the release that an answer names: what is retained came with an earlier one."""
        if not self.options.names_release:
            return None
        return self.number if reader is self.reader else release
