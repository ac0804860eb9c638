from collections import Counter
from collections.abc import Iterable

from django.conf import settings
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from apps.releases.models import Preview, Release
from apps.releases.previews.hosts import PreviewHost, label_of

# What was live once is public, and what was withdrawn is not to be seen: their previews have ended.
STATES_WITHOUT_PREVIEWS = (Release.State.PUBLISHED, Release.State.SUPERSEDED, Release.State.WITHDRAWN)


def previews_of(release: Release) -> QuerySet[Preview]:
    """Return the previews that were made of a release, newest first, with who made and revoked them."""
    return release.previews.select_related("created_by", "revoked_by", "release").order_by("-pk")


def open_previews_of(release: Release) -> QuerySet[Preview]:
    """Return the previews of a release that have not ended, newest first."""
    return previews_of(release).filter(is_open())


def is_open() -> Q:
    """Return the condition under which a preview has not ended: by its time, by hand, or with its release."""
    return Q(revoked_at=None, expires_at__gt=timezone.now()) & ~Q(release__state__in=STATES_WITHOUT_PREVIEWS)


def previews_to_settle() -> QuerySet[Preview]:
    """Return the previews of which storage may not say what it should."""
    is_to_be_written = Q(pointer=Preview.Pointer.DUE, manifest__isnull=False) & is_open()
    is_to_be_removed = ~Q(pointer=Preview.Pointer.GONE) & ~is_open()
    return Preview.objects.filter(is_to_be_written | is_to_be_removed).order_by("pk")


def preview_of_now(release: Release, opened: Iterable[Preview] | None = None) -> Preview | None:
    """Return the newest preview of what the release holds: of its digest, or of the draft that it is.

    One that asks for a password comes after those that do not, since a link to it is not enough. `opened`
    are those that have not ended, where they are known.
    """
    is_draft = release.state == Release.State.DRAFT
    fitting = [
        preview
        for preview in (open_previews_of(release) if opened is None else opened)
        if preview.manifest_id
        and (preview.is_of_draft if is_draft else preview.manifest_id == release.manifest_id)
    ]
    return min(fitting, key=lambda preview: (preview.password != "", -preview.pk), default=None)


def address_of(preview: Preview) -> str:
    """Return the address of a preview, which is all that it takes to see it where it has no password."""
    host = PreviewHost(preview.release_id, preview.key, int(preview.expires_at.timestamp()))
    address: str = settings.PREVIEW_URL.format(label_of(host, settings.SECRET_KEY))
    return address


def changes_since(release: Release, previews: Iterable[Preview]) -> dict[int, int]:
    """Return for each preview of a draft how many changes came, or were taken out, since it was built.

    By its id; one that was not built yet has none. Two queries, however many they are.
    """
    built = [preview for preview in previews if preview.is_of_draft and preview.built_at is not None]
    if not built:
        return {}
    newer = {
        f"since_{preview.pk}": Count("pk", filter=Q(created_at__gt=preview.built_at)) for preview in built
    }
    counts = Counter[str]()
    for changes in (release.changes.order_by(), release.redirect_changes.order_by()):
        counts.update(changes.aggregate(total=Count("pk"), **newer))
    return {preview.pk: _differing(preview, counts) for preview in built}


def _differing(preview: Preview, counts: Counter[str]) -> int:
    came = counts[f"since_{preview.pk}"]
    return came + max(preview.change_count - (counts["total"] - came), 0)
