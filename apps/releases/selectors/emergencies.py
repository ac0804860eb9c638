from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import timezone

from apps.releases.models import (
    EmergencyPublication,
    EmergencyRequest,
    FreezeOverride,
    Publication,
    Release,
)

VALID_HOURS = 4


@dataclass(frozen=True, slots=True)
class Marks:
    """What a publication is marked with for ever: how it came about otherwise than usual."""

    emergency: EmergencyPublication | None = None
    override: FreezeOverride | None = None

    @property
    def words(self) -> str:
        """The marks as people read them behind what was done; "" where there are none."""
        said = []
        if self.emergency:
            said.append(f"in an emergency: {self.who_decided}")
        if self.override:
            said.append(f"although frozen ({self.override.windows})")
        return ", ".join(said)

    @property
    def who_decided(self) -> str:
        """Who asked for the emergency and who confirmed it; "" where there was none."""
        if self.emergency is None:
            return ""
        return f"{self.emergency.request.asked_by} asked, {self.emergency.confirmed_by} confirmed"


def open_request(release: Release) -> EmergencyRequest | None:
    """Return what was asked for of what `release` is now, not confirmed yet and not expired; or None.

    A clock that is set back does not make it valid for longer: its age counts in either direction.
    """
    asked = release.emergency_requests.select_related("asked_by", "release").filter(
        manifest=release.manifest_id, publication=None
    )
    newest = asked.first() if release.manifest_id else None
    if newest is None or abs(timezone.now() - newest.asked_at).total_seconds() >= VALID_HOURS * 3600:
        return None
    return newest


def emergency_of(release: Release) -> EmergencyPublication | None:
    """Return the mark of the emergency in which `release` was published, or None."""
    marks = EmergencyPublication.objects.select_related("request__asked_by", "confirmed_by")
    return marks.filter(request__release=release).first()


def marks_of(publications: Iterable[Publication]) -> dict[int, Marks]:
    """Return the marks of those of `publications` that have any, by their ids; two queries for all."""
    known = list(publications)
    numbers = {(each.channel_id, each.sequence): each.pk for each in known}
    emergencies = EmergencyPublication.objects.select_related("request__asked_by", "confirmed_by").filter(
        channel__in={each.channel_id for each in known}, sequence__in={each.sequence for each in known}
    )
    by_number = {numbers.get((each.channel_id, each.sequence)): each for each in emergencies}
    overrides = FreezeOverride.objects.select_related("publication").filter(publication__in=known)
    by_publication = {each.publication_id: each for each in overrides}
    return {
        pk: Marks(by_number.get(pk), by_publication.get(pk))
        for pk in numbers.values()
        if pk in by_number or pk in by_publication
    }
