"""What a release does with redirects, built or not, and what is served in spite of them."""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import batched, chain

from django.db.models import QuerySet

from apps.assets.selectors import VALUES_AT_ONCE
from apps.releases.manifest import ManifestReader, Redirect
from apps.releases.models import Change, Channel, RedirectChange, Release
from apps.releases.redirects.values import files_behind
from apps.releases.selectors import open_manifest


def redirect_changes_of(release: Release) -> QuerySet[RedirectChange]:
    """Return the changes of redirects of a release, by source."""
    return release.redirect_changes.order_by("source")


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


def served_by_draft(release: Release, paths: Iterable[str] = ()) -> Callable[[str], bool]:
    """Return what `served_by_manifest` does, for a release as it is now, built or not.

    What is asked of some `paths`, a page of them, takes one query; what is asked of others, one for each.
    """
    base = open_manifest(release.base_manifest) if release.base_manifest else None
    behind = partial(files_behind, clean_urls=release.channel.clean_urls)
    kinds = dict.fromkeys(chain.from_iterable(map(behind, paths)), "")
    for some in batched(list(kinds), VALUES_AT_ONCE):
        kinds.update(_changes_at(release, some))

    def is_file(path: str) -> bool:
        if path not in kinds:
            kinds[path] = dict(_changes_at(release, [path])).get(path, "")
        return kinds[path] == Change.Kind.PUT if kinds[path] else bool(base and base.lookup(path))

    return lambda path: any(map(is_file, behind(path)))


def _changes_at(release: Release, paths: Iterable[str]) -> QuerySet[Change, tuple[str, str]]:
    """Return (path, kind) of the changes that a release makes to some of these paths."""
    return release.changes.filter(asset__path__in=list(paths)).order_by().values_list("asset__path", "kind")
