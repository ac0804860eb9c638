"""What is sent: a plain mail for a person, and JSON for a program."""

import json
from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse

from apps.accounts.local_times import in_zone
from apps.accounts.models import User
from apps.accounts.selectors import time_zone_of
from apps.notifications.about import About
from apps.notifications.kinds import WHO_IS_TOLD, Kind
from apps.notifications.models import Event

MAX_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class Mail:
    subject: str
    body: str


def mail_for(person: User, event: Event, subject: About) -> Mail:
    """Return the mail that tells a person of an event, with times in their zone."""
    kind = Kind(event.kind)
    at = in_zone(event.at, time_zone_of(person))
    lines = [event.summary, "", *_facts(subject), f"By {event.actor_name}, {at}", "", subject.url, ""]
    lines += [
        f"Told of “{kind.label}”: {WHO_IS_TOLD[kind]}.",
        f"Choose what you are told: {settings.STAFF_URL}{_settings_path()}",
        "",
    ]
    return Mail(_subject(kind, event, subject), "\n".join(lines))


def json_for(key: str, event: Event, subject: About) -> str:
    """Return the body that tells a program of an event. Its keys are documented in docs/notifications.md."""
    release = subject.release
    content = {
        "id": key,
        "sequence": event.pk,
        "event": event.kind,
        "at": event.at.isoformat(),
        "actor": event.actor_name,
        "summary": event.summary,
        "release": release.pk if release else None,
        "title": release.title if release else None,
        "channel": subject.channel.name if subject.channel else None,
        "url": subject.url,
        "details": event.details,
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def one_line(text: str) -> str:
    """Return text without line ends and other control characters, which would begin another header."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _subject(kind: Kind, event: Event, subject: About) -> str:
    release, channel = subject.release, subject.channel
    what = f"{release.title} (release {release.pk})" if release else channel.name if channel else event.target
    return one_line(f"[Assetsite] {kind.label}: {what}")[:MAX_SUBJECT]


def _facts(subject: About) -> list[str]:
    release = subject.release
    if release is None:
        return [f"Channel: {subject.channel}"] if subject.channel else []
    return [
        f"Release {release.pk}: {one_line(release.title)}",
        f"Channel: {release.channel}",
        f"Owner: {release.owner or 'nobody'}",
    ]


def _settings_path() -> str:
    return reverse("my_settings", urlconf=settings.STAFF_URLCONF)
