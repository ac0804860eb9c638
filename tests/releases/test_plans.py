"""The database finds by an index what pages list, and what a worker asks for again and again."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.selectors import entries
from apps.notifications.models import Delivery, Event
from apps.releases.models import Approval, Change, Comment, Publication, Release, Schedule
from apps.releases.selectors import (
    approved_releases,
    drafts_of,
    failed_schedules,
    history_of,
    releases_newest_first,
    releases_waiting,
    releases_with_counts,
    schedules_of,
    waiting_schedules,
)
from apps.releases.selectors.drills import open_drills
from apps.releases.selectors.receipts import open_receipts


@dataclass(frozen=True)
class Query:
    """A query, the table that grows with every release, and the index by which its rows are found.

    Of two that begin with the same column either will do (`other`). Unless it `is_sorted` by that index as
    well, the few rows that are found are sorted afterwards.
    """

    rows: Callable[[Release, User], QuerySet[Any]]
    table: str
    index: str
    is_sorted: bool = True
    other: str = "sqlite_autoindex"  # what SQLite calls the index of a constraint


_OURS = "^(audit|notifications|releases)_[a-z]+$"
WAITING = Schedule.State.WAITING
QUERIES = {
    "publications of a channel": Query(
        lambda release, _: history_of(release.channel)[:25], "publication", "one_publication_a_number"
    ),
    "publications of a release": Query(
        lambda release, _: release.publications.filter(channel=release.channel_id).order_by("sequence"),
        "publication", "publication_by_release",
    ),
    "a publication by its tag": Query(
        lambda *_: Publication.objects.filter(tag="production-2026-11-20.1").order_by(), "publication", "tag"
    ),
    "releases by state": Query(
        lambda *_: releases_newest_first(state="superseded")[:50], "release", "release_by_state"
    ),
    "releases by state, with counts": Query(
        lambda *_: releases_with_counts().filter(state="superseded").order_by("-pk")[:50],
        "release", "release_by_state",
    ),
    "releases of an owner": Query(
        lambda _, user: Release.objects.filter(owner=user).order_by("-pk")[:50], "release", "release_by_owner"
    ),
    "open reviews": Query(lambda *_: releases_waiting(), "release", "release_by_state", is_sorted=False),
    "approved releases": Query(
        lambda *_: approved_releases(), "release", "release_by_state", is_sorted=False
    ),
    "changes of a release": Query(
        lambda release, _: Change.objects.filter(release=release).order_by(),
        "change", "one_change_a_path",
        other="release_id",
    ),
    "comments of a release": Query(
        lambda release, _: Comment.objects.filter(release=release), "comment", "release_id", is_sorted=False
    ),
    "approvals of a release": Query(
        lambda release, _: Approval.objects.filter(release=release, manifest=release.manifest_id).order_by(),
        "approval", "one_approval_a_person",
        other="release_id",
    ),
    "schedules due": Query(
        lambda *_: Schedule.objects.filter(state=WAITING, at__lte=timezone.now()).order_by("at", "id"),
        "schedule", "schedule_by_time",
    ),
    "schedules that wait": Query(lambda *_: waiting_schedules(), "schedule", "schedule_by_time"),
    "schedules of a release": Query(
        lambda release, _: schedules_of(release), "schedule", "schedule_by_release", other="release_id"
    ),
    "receipts that are open": Query(lambda *_: open_receipts(), "receipt", "receipt_open", is_sorted=False),
    "rehearsals that go on": Query(lambda *_: open_drills(), "drill", "drill_open", is_sorted=False),
    "events to hand out": Query(
        lambda *_: Event.objects.filter(handed_out_at=None).order_by("id").values_list("pk", flat=True),
        "event", "event_to_hand_out",
    ),
    "deliveries due": Query(
        lambda *_: Delivery.objects.filter(state=WAITING, next_at__lte=timezone.now()).order_by(
            "next_at", "id"
        ),
        "delivery", "delivery_due",
    ),
    "the log of a release": Query(
        lambda release, _: entries(target=f"release {release.pk}")[:6], "auditentry", "audit"
    ),
}  # fmt: skip


def explained(rows: QuerySet[Any], *, is_sorted: bool = False) -> str:
    """Return the plan, as of a table with so many rows that reading it whole would be a mistake.

    Where the rows should come sorted, sorting all of them counts as one as well.
    """
    if connection.vendor != "postgresql":
        return rows.explain()
    with connection.cursor() as cursor:
        # The planner takes rows for as dense as they were when pages were counted: tests before this one may
        # have left a table with many pages.
        cursor.execute(
            "UPDATE pg_class SET relpages = pg_relation_size(oid) / 8192, reltuples = 100000"
            " WHERE relname ~ %s AND pg_relation_size(oid) > 0",
            [_OURS],
        )
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"SET LOCAL enable_sort = {'off' if is_sorted else 'on'}")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
    return rows.explain()


def found_by(plan: str, table: str) -> str:
    """Return what a plan says of how the rows of a table are found."""
    if connection.vendor == "postgresql":
        found = re.search(
            rf"(?:Index (?:Only )?Scan(?: Backward)? using \S+|Seq Scan) on \w+_{table}\b", plan
        )
    else:
        found = re.search(rf"(?:SEARCH|SCAN) \w+_{table}\b[^\n]*", plan)
    assert found, plan
    return found[0]


@pytest.mark.parametrize("name", QUERIES)
def test_rows_are_found_by_their_index(name: str, spring: Release, editor: User) -> None:
    query = QUERIES[name]
    plan = explained(query.rows(spring, editor), is_sorted=query.is_sorted)
    found = found_by(plan, query.table)
    print(f"{name}: {found}")
    assert not re.match(r"Seq Scan|SCAN(?!.*INDEX)", found), plan
    assert query.index in found or query.other in found, plan
    if query.is_sorted:
        assert "ORDER BY" not in plan, plan
        assert not re.search(r"(?<!Incremental )Sort  ", plan), plan


def test_a_persons_drafts_are_found_by_indexes(spring: Release, editor: User) -> None:
    plan = explained(drafts_of(editor))
    assert not re.search(r"Seq Scan on releases_release\b|SCAN releases_release(?! USING)", plan), plan


def test_what_failed_on_a_channel_is_found_by_an_index(spring: Release) -> None:
    plan = explained(failed_schedules(channel=spring.channel))
    assert not re.search(r"Seq Scan on releases_schedule\b|SCAN releases_schedule(?! USING)", plan), plan
