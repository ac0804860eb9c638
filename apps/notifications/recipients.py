"""Who is told of what: people by their part in it and by what they may do, less who has muted it."""

from collections.abc import Callable, Iterable

from django.db.models import QuerySet

from apps.accounts.models import User
from apps.notifications.about import About, publication_of
from apps.notifications.kinds import Kind
from apps.notifications.models import Event, Webhook
from apps.releases.models import Release, Schedule
from apps.releases.selectors import authors_of

_BACKEND = "django.contrib.auth.backends.ModelBackend"


def people_for(event: Event, subject: About) -> QuerySet[User]:
    """Return the people to tell of an event, but not whoever did it themselves."""
    told = set(_BY_KIND[Kind(event.kind)](event, subject)) - {event.actor_id}
    told |= _scheduled_by(event)
    muted = User.objects.filter(mutes__kind=event.kind).values("pk")
    return User.objects.filter(pk__in=told, is_active=True).exclude(pk__in=muted).order_by("pk")


def webhooks_for(event: Event) -> list[Webhook]:
    """Return the webhooks to tell of an event: all that take its kind; of a test, the one that is tested."""
    active = Webhook.objects.filter(is_active=True)
    if event.kind == Kind.TEST:
        return list(active.filter(pk=event.details["webhook"]))
    return [webhook for webhook in active if not webhook.kinds or event.kind in webhook.kinds]


def who_may(permission: str) -> set[int]:
    """Return the ids of the people who have a permission."""
    return set(User.objects.with_perm(permission, backend=_BACKEND).values_list("pk", flat=True))


def _reviewers(event: Event, subject: About) -> Iterable[int]:
    release = subject.release
    if release is None or release.state != Release.State.IN_REVIEW:
        return ()
    reviewers = who_may("releases.approve_release") - authors_of(release)
    group = release.channel.approver_group
    return (
        reviewers & set(User.objects.filter(groups=group).values_list("pk", flat=True))
        if group
        else reviewers
    )


def _authors(event: Event, subject: About) -> Iterable[int]:
    return authors_of(subject.release) if subject.release else ()


def _authors_and_who_may_roll_back(event: Event, subject: About) -> Iterable[int]:
    return {*_authors(event, subject), *who_may("releases.roll_back_channel")}


def _publishers(event: Event, subject: About) -> Iterable[int]:
    return who_may("releases.publish_release")


def _authors_and_publishers(event: Event, subject: About) -> Iterable[int]:
    return {*_authors(event, subject), *_publishers(event, subject)}


def _administrators(event: Event, subject: About) -> Iterable[int]:
    return who_may("jobs.retry_job")


def _nobody(event: Event, subject: About) -> Iterable[int]:
    return ()


def _scheduled_by(event: Event) -> set[int]:
    """Return who scheduled it: the act is theirs, but they were not there."""
    if event.kind == Kind.SCHEDULE_FAILED:
        numbers = event.details.get("schedules") or [event.details.get("schedule")]
        return set(Schedule.objects.filter(pk__in=numbers).values_list("by", flat=True))
    publication = publication_of(event)
    return (
        set(Schedule.objects.filter(publication=publication).values_list("by", flat=True))
        if publication
        else set()
    )


_BY_KIND: dict[Kind, Callable[[Event, About], Iterable[int]]] = {
    Kind.REVIEW_ASKED: _reviewers,
    Kind.COMMENTED: _authors,
    Kind.CHANGES_REQUESTED: _authors,
    Kind.APPROVED: _authors,
    Kind.REJECTED: _authors,
    Kind.SCHEDULED: _authors,
    Kind.PUBLISHED: _authors,
    Kind.SCHEDULE_FAILED: _authors,
    Kind.ROLLED_BACK: _authors_and_who_may_roll_back,
    Kind.HELD: _publishers,
    Kind.RESUMED: _publishers,
    Kind.DRIFTED: _publishers,
    Kind.EMERGENCY: _authors_and_publishers,
    Kind.JOB_FAILED: _administrators,
    Kind.TEST: _nobody,
}
