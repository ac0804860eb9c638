"""Sealing: each publication is chained to the one before it and signed, in the transaction that makes it."""

from base64 import b64encode

from apps.releases.history.seals import (
    EmergencyFacts,
    Facts,
    FreezeFacts,
    genesis,
    hash_of,
    moment,
    statement_of,
)
from apps.releases.history.signing import signing_key
from apps.releases.models import EmergencyPublication, Publication, PublicationSeal
from apps.releases.selectors.emergencies import Marks, marks_of


def seal(publication: Publication) -> PublicationSeal:
    """Seal what was just published, with its marks, its channel being locked.

    Raises `OSError` where no key can be read.

    A publication before it that has no seal holds nothing up, since a roll back must not wait: `release
    verify` names it.
    """
    before = (
        PublicationSeal.objects.filter(channel=publication.channel_id, sequence__lt=publication.sequence)
        .order_by("-sequence")
        .first()
    )
    previous = before.hash if before else genesis(publication.channel.name)
    marks = marks_of([publication]).get(publication.pk, Marks())
    statement = statement_of(facts_of(publication, marks), previous=previous)
    key = signing_key()
    return PublicationSeal.objects.create(
        publication=publication,
        channel=publication.channel,
        sequence=publication.sequence,
        previous_hash=previous,
        statement=statement,
        hash=hash_of(statement),
        key_id=key.public.id,
        signature=b64encode(key.sign(statement.encode())).decode(),
    )


def facts_of(publication: Publication, marks: Marks) -> Facts:
    """Return what the database says of a publication and what it is marked with."""
    goal = publication.returns_to
    return Facts(
        channel=publication.channel.name,
        sequence=publication.sequence,
        release=publication.release_id,
        digest=publication.manifest_id,
        kind=publication.kind,
        returns_to=goal.sequence if goal else None,
        actor=publication.actor_id,
        actor_name=publication.actor.get_username(),
        reason=publication.reason,
        tag=publication.tag,
        published_at=moment(publication.published_at),
        emergency=_emergency_facts(marks.emergency) if marks.emergency else None,
        freeze=FreezeFacts(marks.override.windows, marks.override.reason) if marks.override else None,
    )


def _emergency_facts(mark: EmergencyPublication) -> EmergencyFacts:
    asked = mark.request
    return EmergencyFacts(
        asked_by=asked.asked_by_id,
        asked_by_name=asked.asked_by.get_username(),
        confirmed_by=mark.confirmed_by_id,
        confirmed_by_name=mark.confirmed_by.get_username(),
        reason=asked.reason,
    )
