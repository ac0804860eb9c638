from apps.releases.models import Manifest, Origin, Release


def origins_of(release: Release) -> list[Origin]:
    """Return what a release was made out of, with those releases."""
    return list(release.origins.select_related("source", "source__channel", "manifest"))


def offspring_of(release: Release) -> list[Origin]:
    """Return what was made out of a release, with those releases, oldest first."""
    return list(release.offspring.select_related("release", "release__channel").order_by("pk"))


def promoted_manifest(release: Release) -> Manifest | None:
    """Return the manifest that a promoted release takes over, None for any other release."""
    origin = release.origins.select_related("manifest").filter(kind=Origin.Kind.PROMOTE).first()
    return origin.manifest if origin else None


def promoted_releases(release: Release) -> list[int]:
    """Return the numbers of the releases that a promoted release is exactly the same as."""
    promoted = release.origins.filter(kind=Origin.Kind.PROMOTE)
    return list(promoted.values_list("source_id", flat=True))


def is_promoted(release: Release) -> bool:
    """Say whether `release` is exactly what another channel served, so that its content is fixed."""
    return release.origins.filter(kind=Origin.Kind.PROMOTE).exists()
