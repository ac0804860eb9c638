"""What a release does with redirects, built or not, and what is served in spite of them."""

from collections.abc import Callable

from django.db.models import QuerySet

from apps.releases.manifest import ManifestReader, Redirect
from apps.releases.models import Change, Channel, RedirectChange, Release
from apps.releases.redirects.values import files_behind
from apps.releases.selectors import open_manifest


def redirect_changes_of(release: Release) -> QuerySet[RedirectChange]:
    """Return the changes of redirects of a release, by source."""
    return release.redirect_changes.select_related("release").order_by("source")


def base_redirects(release: Release) -> dict[str, Redirect]:
    """Return the redirects of the base of a release, by source."""
    base = open_manifest(release.base_manifest) if release.base_manifest else None
    return {redirect.source: redirect for redirect in base.redirects()} if base else {}


def redirects_of(release: Release) -> dict[str, Redirect]:
    """Return the redirects that a release has as it is now, built or not: its base's with its changes."""
    changed = {change.source: change.redirect for change in release.redirect_changes.all()}
    now = {**base_redirects(release), **changed}
    return {source: redirect for source, redirect in now.items() if redirect}


def served_by_manifest(reader: ManifestReader, channel: Channel) -> Callable[[str], bool]:
    """Return a function that says whether a file answers for a path on `channel`, redirects aside."""
    return lambda path: any(map(reader.lookup, files_behind(path, clean_urls=channel.clean_urls)))


def served_by_draft(release: Release) -> Callable[[str], bool]:
    """Return what `served_by_manifest` does, for a release as it is now, built or not."""
    base = open_manifest(release.base_manifest) if release.base_manifest else None

    def is_file(path: str) -> bool:
        kind = release.changes.filter(asset__path=path).values_list("kind", flat=True).first()
        return kind == Change.Kind.PUT if kind else bool(base and base.lookup(path))

    return lambda path: any(map(is_file, files_behind(path, clean_urls=release.channel.clean_urls)))
