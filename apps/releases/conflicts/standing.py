"""How a release stands to what its channel serves by now: what can be replayed on that, and what clashes."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import batched

from django.db.models import Count, Max

from apps.caching.models import CacheRuleVersion
from apps.caching.rules import Combination
from apps.releases.conflicts.merging import Clash, Outcome, clash_of, merge
from apps.releases.manifest import ManifestReader, Redirect
from apps.releases.models import Publication, Release, Resolution
from apps.releases.redirects.selectors import base_redirects
from apps.releases.redirects.values import typed_source
from apps.releases.selectors import open_manifest

Kind = Resolution.Kind
RULE_PREFIX = "rule:"
_PATHS_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something that a release and its channel have both changed since the release was begun.

    The three values are blobs of files (SHA-256 in hex), targets of redirects with their status, numbers
    of versions of cache rules; "" where there is none.
    """

    kind: Kind
    name: str
    base: str
    ours: str
    theirs: str

    @property
    def label(self) -> str:
        """What people call it, and type: `css/site.css`, `/old`, `rule:pages`."""
        if self.kind is Kind.REDIRECT:
            return typed_source(self.name)
        return f"{RULE_PREFIX}{self.name}" if self.kind is Kind.RULE else self.name

    @property
    def in_words(self) -> str:
        """How it is named within a sentence."""
        nouns = {Kind.FILE: "", Kind.REDIRECT: "the redirect ", Kind.RULE: "the cache rule "}
        return nouns[self.kind] + (self.name if self.kind is Kind.RULE else self.label)

    @property
    def clash(self) -> Clash:
        return clash_of(self.base or None, self.ours or None, self.theirs or None)

    @property
    def seen(self) -> str:
        """A digest of the three values, by which a decision about them is known."""
        return hashlib.sha256("\n".join((self.base, self.ours, self.theirs)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Standing:
    """What comes of a release's changes on what is live.

    `kept` counts those that nobody else has touched. `same` are those which are live already, by kind and
    name: they are no change any more. `rules` are the versions of cache rules, by slug, that no decision
    is needed for, `rule_combination` is how they combine, and `tagging` the act that says how files are
    tagged.
    """

    conflicts: tuple[Conflict, ...]
    kept: int
    same: tuple[tuple[Kind, str], ...]
    rules: Mapping[str, str]
    rule_combination: Combination
    tagging: int | None


def is_behind(release: Release, live: Publication | None) -> bool:
    """Say whether the channel serves something else than what `release` was begun on."""
    return (live.manifest_id if live else None) != release.base_manifest_id


def standing_of(release: Release, live: Publication | None) -> Standing:
    """Return how `release` stands to `live`; asked again about the same, it is remembered."""
    changes = release.changes.aggregate(count=Count("pk"), newest=Max("pk"))
    redirects = release.redirect_changes.aggregate(count=Count("pk"), newest=Max("pk"))
    facts = (*changes.values(), *redirects.values(), release.base_manifest_id, release.updated_at)
    return _remembered(release.pk, live.pk if live else None, facts)


def compute_standing(release: Release, live: Publication | None) -> Standing:
    """Return how `release` stands to `live`, looked at anew: a lookup a change, and few queries."""
    outcomes: dict[Outcome, list[Conflict]] = {outcome: [] for outcome in Outcome}
    reader = open_manifest(live.manifest) if live else None
    for found in (*_files(release, reader), *_redirects(release, reader)):
        outcomes[merge(found.base, found.ours, found.theirs)].append(found)
    rules, clashing_rules = _rules(release, live)
    return Standing(
        conflicts=(*outcomes[Outcome.CONFLICT], *clashing_rules),
        kept=len(outcomes[Outcome.OURS]),
        same=tuple((found.kind, found.name) for found in outcomes[Outcome.SAME] + outcomes[Outcome.THEIRS]),
        rules=rules,
        rule_combination=_rule_combination(release, live),
        tagging=_tagging(release, live),
    )


def rule_versions(release: Release | None) -> dict[str, CacheRuleVersion]:
    """Return the versions of cache rules that ship with a release, by slug."""
    versions = release.rules.select_related("rule") if release else ()
    return {version.rule.slug: version for version in versions}


def rule_combination_of(release: Release | None) -> Combination:
    """Return how the cache rules of a release combine; with none, the first that matches decides."""
    return Combination(release.rule_combination) if release else Combination.FIRST


def decisions_about(release: Release, conflicts: Iterable[Conflict]) -> dict[Conflict, Resolution]:
    """Return what was decided about those of these conflicts that are still what was looked at then."""
    by_name = {(conflict.kind, conflict.name): conflict for conflict in conflicts}
    found = {}
    for resolution in release.resolutions.select_related("blob", "decided_by"):
        conflict = by_name.get((Kind(resolution.kind), resolution.name))
        if conflict and conflict.seen == resolution.seen:
            found[conflict] = resolution
    return found


@lru_cache(maxsize=16)
def _remembered(number: int, live: int | None, facts: tuple[object, ...]) -> Standing:
    """Compute a standing once: `facts` tell apart what a release was and is."""
    release = Release.objects.select_related("base", "base_manifest").get(pk=number)
    publications = Publication.objects.select_related("release", "manifest")
    return compute_standing(release, publications.get(pk=live) if live else None)


def _files(release: Release, live: ManifestReader | None) -> Iterator[Conflict]:
    changes = release.changes.order_by("asset__path").values_list(
        "asset__path", "version__blob", "replaced_blob"
    )
    for some in batched(changes.iterator(chunk_size=_PATHS_AT_ONCE), _PATHS_AT_ONCE):
        served = live.uploaded_many(path for path, _, _ in some) if live else {}
        for path, blob, replaced in some:
            theirs = served[path].blob if path in served else ""
            yield Conflict(Kind.FILE, path, replaced or "", blob or "", theirs)


def _redirects(release: Release, live: ManifestReader | None) -> Iterator[Conflict]:
    changes = list(release.redirect_changes.order_by("source"))
    if not changes:
        return
    before = base_redirects(release)
    now = {redirect.source: redirect for redirect in live.redirects()} if live else {}
    for change in changes:
        values = before.get(change.source), change.redirect, now.get(change.source)
        yield Conflict(Kind.REDIRECT, change.source, *map(redirect_value, values))


def redirect_value(redirect: Redirect | None) -> str:
    """Return where a redirect leads, and how, as one value: "308 /new"."""
    return f"{redirect.status} {redirect.target}" if redirect else ""


def _rules(release: Release, live: Publication | None) -> tuple[dict[str, str], list[Conflict]]:
    """Return the versions by slug that no decision is needed for, and the rules that one is needed for."""
    base, ours, theirs = (
        {slug: str(version.number) for slug, version in rule_versions(each).items()}
        for each in (release.base, release, live.release if live else None)
    )
    if live is None:
        return ours, []
    settled, clashing = {}, []
    for slug in sorted({*base, *ours, *theirs}):
        values = base.get(slug, ""), ours.get(slug, ""), theirs.get(slug, "")
        outcome = merge(*values)
        if outcome is Outcome.CONFLICT:
            clashing.append(Conflict(Kind.RULE, slug, *values))
        else:
            settled[slug] = values[2] if outcome is Outcome.THEIRS else values[1]
    return settled, clashing


def _rule_combination(release: Release, live: Publication | None) -> Combination:
    """Return how the rules combine on what is live. There are two ways only, so that no clash is possible."""
    ours = rule_combination_of(release)
    if live is None:
        return ours
    theirs = rule_combination_of(live.release)
    return theirs if merge(rule_combination_of(release.base), ours, theirs) is Outcome.THEIRS else ours


def _tagging(release: Release, live: Publication | None) -> int | None:
    """Return how files are tagged on what is live: the later act, where both sides have left the base's.

    Acts follow one another, each on what the one before it left, so that there is nothing to decide
    (docs/adr/0158). A side that asks for no tags has no say.
    """
    base = release.base.tagging_id if release.base else None
    ours, theirs = release.tagging_id, live.release.tagging_id if live else None
    if ours is None or theirs is None:
        return ours if theirs is None else theirs
    if base in {ours, theirs}:
        return theirs if ours == base else ours
    return max(ours, theirs)
