from collections.abc import Mapping
from dataclasses import dataclass
from itertools import batched

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.permissions import require
from apps.assets import rows
from apps.assets.intake import Content
from apps.assets.services import ensure_assets, ensure_versions
from apps.audit.services import record
from apps.releases.exceptions import AlreadyLive, NothingToPromote, StaleDigest
from apps.releases.files import manifest_file
from apps.releases.manifest import ManifestReader, Redirect, diff, diff_redirects
from apps.releases.models import Channel, Origin, Publication, RedirectChange, Release
from apps.releases.selectors import live_publication, open_manifest
from apps.releases.services.authorship import (
    Hands,
    as_sources,
    contribute,
    hands_in_paths,
    hands_in_redirects,
    others_in,
)
from apps.releases.services.drafts import BRIEF_FIELDS
from apps.releases.services.fingerprinting import refuse_other_manner
from apps.releases.services.pins import pin_as

_OPEN = (Release.State.DRAFT, Release.State.IN_REVIEW, Release.State.APPROVED)
_ROWS_AT_ONCE = 5_000
_PUTS = """
    INSERT INTO releases_change
        (release_id, asset_id, kind, version_id, replaced_blob_id, author_id, created_at)
    SELECT %s, version.asset_id, 'put', version.id, value ->> 1, CAST(value ->> 2 AS bigint), %s
    FROM {rows} AS given JOIN assets_assetversion AS version ON version.id = CAST(value ->> 0 AS bigint)
"""
_REMOVES = """
    INSERT INTO releases_change
        (release_id, asset_id, kind, version_id, replaced_blob_id, author_id, created_at)
    SELECT %s, CAST(value ->> 0 AS bigint), 'remove', NULL, value ->> 1, CAST(value ->> 2 AS bigint), %s
    FROM {rows} AS given
"""


@dataclass(frozen=True, slots=True)
class Promotion:
    """What is to be promoted: what `source` serves, on top of what `target` serves."""

    source: Publication
    target: Publication | None

    @property
    def served(self) -> ManifestReader:
        return open_manifest(self.source.manifest)

    @property
    def replaced(self) -> ManifestReader | None:
        return open_manifest(self.target.manifest) if self.target else None


@transaction.atomic
def promote(*, source: Channel, target: Channel, actor: User, digest: str | None = None) -> Release:
    """Make a draft for `target` that is exactly what `source` serves: the same manifest, by its digest.

    It is not built anew: what it changes on `target` is shown, and what is approved and published is that
    manifest or nothing. Brief, cache rules and the authors of what it brings are carried over. With
    `digest` (hex), the one that was looked at, only if `source` still serves it. An open promotion of the
    same on the same is returned as it is.

    Raises `Forbidden`, `NothingToPromote`, `AlreadyLive`, `BuiltDifferently`, `StaleDigest`.
    """
    require(actor, "releases.add_release", to=f"promote what {source} serves to {target}")
    Channel.objects.select_for_update(no_key=True).get(pk=target.pk)
    promotion = promotion_of(source, target)
    manifest = promotion.source.manifest
    if digest not in (None, manifest.digest):
        raise StaleDigest(
            f"{source} serves {manifest.digest[:12]} by now, not {str(digest)[:12]}.",
            next_step="Look at what it serves now, and promote that.",
        )
    if known := _open_promotion(promotion, target):
        return known
    manifest_file(manifest)
    release = _begin(promotion, target, actor)
    _write_paths(release, promotion, source, actor)
    _write_redirects(release, promotion, source, actor)
    Origin.objects.create(
        release=release, kind=Origin.Kind.PROMOTE, source=promotion.source.release, manifest=manifest
    )
    record(
        actor=actor,
        action="release.promote",
        target=f"release {release.pk}",
        summary=f"Made release {release.pk} for {target}, exactly what {source} serves"
        f" ({promotion.source.tag}, {manifest}).",
        details={
            "from": source.name,
            "publication": promotion.source.sequence,
            "release": promotion.source.release_id,
            "digest": manifest.digest,
            "base": release.base_id,
        },
    )
    return release


def promotion_of(source: Channel, target: Channel) -> Promotion:
    """Return what would be promoted. Raises `NothingToPromote`, `AlreadyLive`, `BuiltDifferently`."""
    serves, replaced = live_publication(source), live_publication(target)
    if serves is None or source.pk == target.pk:
        raise NothingToPromote(
            f"{source} serves nothing that could be promoted to {target}.",
            next_step="Publish on it first, or name another channel.",
        )
    if replaced and replaced.manifest_id == serves.manifest_id:
        raise AlreadyLive(
            f"{target} serves exactly what {source} serves: {serves.manifest}.",
            next_step="There is nothing to promote.",
        )
    refuse_other_manner(serves.manifest, target)
    return Promotion(serves, replaced)


def _open_promotion(promotion: Promotion, target: Channel) -> Release | None:
    replaced = promotion.target.manifest if promotion.target else None
    return Release.objects.filter(
        channel=target,
        state__in=_OPEN,
        base_manifest=replaced,
        origins__kind=Origin.Kind.PROMOTE,
        origins__manifest=promotion.source.manifest,
    ).first()


def _begin(promotion: Promotion, target: Channel, actor: User) -> Release:
    tested, replaced = promotion.source.release, promotion.target
    brief = {name: getattr(tested, name) for name in BRIEF_FIELDS}
    release = Release.objects.create(
        channel=target,
        base=replaced.release if replaced else None,
        base_manifest=replaced.manifest if replaced else None,
        created_by=actor,
        **brief,
    )
    pin_as(release, tested)
    people = {("", tested.created_by_id)} | ({("", tested.owner_id)} if tested.owner_id else set())
    people |= {("", person) for person in tested.involvements.values_list("person_id", flat=True)}
    contribute(release, people)
    return release


def _write_paths(release: Release, promotion: Promotion, source: Channel, actor: User) -> None:
    """Write what it puts and removes, each by whose work it is on the channel where it was tested."""
    served, replaced = promotion.served, promotion.replaced
    paths = [
        each.path for each in diff(replaced, served) if each.is_content_changed and not each.is_following
    ]
    new = served.uploaded_many(paths)
    old = {path: entry.blob for path, entry in (replaced.uploaded_many(paths) if replaced else {}).items()}
    puts = {path: entry for path, entry in new.items() if old.get(path) != entry.blob}
    removes = [path for path in paths if path not in new]
    blobs = {path: entry.blob for path, entry in puts.items()} | dict.fromkeys(removes)
    hands = hands_in_paths(source, blobs)
    contents = [Content(path, entry.blob, entry.size, entry.media_type) for path, entry in puts.items()]
    versions = ensure_versions(contents, actor=actor)
    assets = ensure_assets(removes)
    for statement, numbers in ((_PUTS, versions), (_REMOVES, assets)):
        given = [(number, old.get(path), _author(hands, path, actor)) for path, number in numbers.items()]
        for some in batched(given, _ROWS_AT_ONCE):
            rows.write(statement, some, release.pk, rows.now())
    contribute(release, others_in(hands))


def _write_redirects(release: Release, promotion: Promotion, source: Channel, actor: User) -> None:
    targets: dict[str, Redirect | None] = {
        each.source: each.new for each in diff_redirects(promotion.replaced, promotion.served)
    }
    hands = hands_in_redirects(source, targets)
    RedirectChange.objects.bulk_create(
        [
            RedirectChange(
                release=release,
                source=name,
                kind=RedirectChange.Kind.PUT if redirect else RedirectChange.Kind.REMOVE,
                target=redirect.target if redirect else "",
                status=redirect.status if redirect else None,
                author_id=_author(hands, name, actor),
            )
            for name, redirect in targets.items()
        ],
        batch_size=_ROWS_AT_ONCE,
    )
    contribute(release, others_in(as_sources(hands)))


def _author(hands: Mapping[str, Hands], name: str, actor: User) -> int:
    return hands[name].people[0] if name in hands else actor.pk
