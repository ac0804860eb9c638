"""A draft as it would be served: its changes on its base, in a file that only comparisons read."""

import hashlib
import json
from collections.abc import Collection
from pathlib import Path

from apps.caching.headers import HeaderCompiler
from apps.releases.comparing.tallies import remember_tally
from apps.releases.exceptions import DraftTooLarge
from apps.releases.files import manifest_file
from apps.releases.local_files import keep_file, kept_file
from apps.releases.manifest import ManifestReader, ManifestWriter
from apps.releases.models import Release
from apps.releases.selectors import open_manifest
from apps.releases.selectors.manifests import open_file
from apps.releases.services.building import apply_changes, apply_redirects
from apps.releases.services.compiling import compiler_of

MOST_CHANGES = 20_000
_AT_ONCE = 2_000


def drafted_manifest(release: Release) -> ManifestReader:
    """Return what `release`, which was not built yet, would serve, as far as that follows from its changes.

    Headers are those of its rules for what it changes, and those of its base for all else; references to
    files that change are not followed. Nothing in storage or in the database changes. What it differs in from
    its base is counted, so that no page waits for that. Raises `DraftTooLarge`, and `ManifestMissing` where
    the base's file is gone.
    """
    if release.changes.count() > MOST_CHANGES:
        raise DraftTooLarge(
            f"Release {release.pk} changes more than {MOST_CHANGES:,} paths and was not built yet.",
            next_step="Submit it for review; that builds it, and then it can be compared.",
        )
    compiler = compiler_of(release)
    name = f"draft-{_fingerprint(release, compiler)}.sqlite"
    if kept := kept_file(name):
        return open_file(kept)
    touched: set[str] = set()
    made = open_file(keep_file(name, lambda file: touched.update(_write(file, release, compiler))))
    if release.base_manifest:
        remember_tally(open_manifest(release.base_manifest), made, among=touched)
    return made


def has_other_rules(release: Release) -> bool:
    """Say whether building `release` gives paths other headers that it does not change."""
    if release.base_manifest is None:
        return False
    compiler = compiler_of(release)
    return compiler.digest != open_manifest(release.base_manifest).rules_digest


def _write(file: Path, release: Release, compiler: HeaderCompiler) -> Collection[str]:
    """Write the draft's manifest; return the paths in which it may differ from its base, where it has one."""
    base = manifest_file(release.base_manifest) if release.base_manifest else None
    with ManifestWriter(file, base=base) as writer:
        apply_changes(writer, release, compiler)
        apply_redirects(writer, release)
        writer.finish(rules_digest=compiler.digest)
    return writer.touched or ()


def _fingerprint(release: Release, compiler: HeaderCompiler) -> str:
    """Return what another content of the draft would not have."""
    digest = hashlib.sha256(f"{release.base_manifest_id} {compiler.digest}\n".encode())
    changes = release.changes.order_by("pk").values_list("asset", "version")
    for row in changes.iterator(chunk_size=_AT_ONCE):
        digest.update(json.dumps(row).encode())
    for redirect in release.redirect_changes.order_by("source").values_list("source", "target", "status"):
        digest.update(json.dumps(redirect).encode())
    return digest.hexdigest()
