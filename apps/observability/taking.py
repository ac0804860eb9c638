"""Brings what workers have counted from storage into the database, each file once, and bounds what is kept.

Several may do it at once, and be killed at any moment: a file is removed once its name is in the
database with what it counted, and a name is forgotten once its file is gone.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from apps.assets import store
from apps.delivery.counts import FOLDER, BrokenCounts, Counted, parse
from apps.observability.models import RuleCount, TakenCounts

logger = logging.getLogger(__name__)

DAMAGED = f"{FOLDER}/damaged"
HOURS_KEPT = timedelta(days=14)  # then an hour is part of its day
DAYS_KEPT = timedelta(days=730)
NAMES_KEPT = timedelta(days=7)
MOST_FILES = 500  # in one go
_NUMBERS = ("requests", "body_bytes", "not_modified", "errors")
_KEY = ("rule", "version", "channel", "publication", "is_day", "began_at")

type Key = tuple[str, int, str, int, bool, datetime]


def take_in() -> list[str]:
    """Add what is in storage to the table; return a line on each file that cannot be read."""
    return [line for name in _waiting()[:MOST_FILES] if (line := _take(name))]


def sum_up(*, is_dry_run: bool = False) -> int:
    """Make days of hours, and let go of days, that are old enough; return how many rows were removed."""
    now = timezone.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    hours = RuleCount.objects.filter(is_day=False, began_at__lt=midnight - HOURS_KEPT)
    days = RuleCount.objects.filter(is_day=True, began_at__lt=midnight - DAYS_KEPT)
    if is_dry_run:
        return hours.count() + days.count()
    removed = 0
    while some := _sum_up_some(list(hours.order_by("pk").values_list("pk", flat=True)[:1_000])):
        removed += some
    removed += days.delete()[0]
    _forget_names(now)
    return removed


def _waiting() -> list[str]:
    try:
        _, files = store.storage().listdir(FOLDER)
    except FileNotFoundError:
        return []
    return [f"{FOLDER}/{file}" for file in sorted(files) if file.endswith(".json")]


def _take(name: str) -> str:
    """Take a file in and remove it; return what is wrong with it, "" if nothing."""
    content = store.read(name)
    if content is None:  # another worker has taken it
        return ""
    try:
        counts = parse(content)
    except BrokenCounts as fault:
        return _set_aside(name, content, fault)
    try:
        with transaction.atomic():
            TakenCounts.objects.create(name=name, taken_at=timezone.now())
            _add(_by_key(counts))
    except IntegrityError:  # another worker has this file, or has made one of its rows just now
        if not TakenCounts.objects.filter(name=name).exists():
            return ""  # the next time
    store.remove(name)
    return ""


def _set_aside(name: str, content: bytes, fault: BrokenCounts) -> str:
    kept = f"{DAMAGED}/{name.rpartition('/')[2]}"
    store.replace(kept, content)
    store.remove(name)
    logger.warning("%s is passed over, and kept as %s: %s", name, kept, fault)
    return f"{name} cannot be read and is kept as {kept}: {fault}"


def _by_key(counts: Iterable[Counted]) -> dict[Key, list[int]]:
    found: dict[Key, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for each in counts:
        numbers = found[each.rule, each.version, each.channel, each.publication, False, each.hour]
        for place, number in enumerate((each.requests, each.body_bytes, each.not_modified, each.errors)):
            numbers[place] += number
    return found


def _add(found: dict[Key, list[int]]) -> None:
    """Add to the rows of the table, in an order that is everybody's: whoever waits is not waited for."""
    for key in sorted(found):
        row, numbers = dict(zip(_KEY, key, strict=True)), dict(zip(_NUMBERS, found[key], strict=True))
        added = {name: F(name) + number for name, number in numbers.items()}
        if not RuleCount.objects.filter(**row).update(**added):
            RuleCount.objects.create(**row, **numbers)


@transaction.atomic
def _sum_up_some(pks: list[int]) -> int:
    """Add hours to their days, and remove them; return how many."""
    rows = list(RuleCount.objects.select_for_update(no_key=True).filter(pk__in=pks).order_by("pk"))
    found: dict[Key, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for row in rows:
        day = row.began_at.replace(hour=0)
        numbers = found[row.rule, row.version, row.channel, row.publication, True, day]
        for place, name in enumerate(_NUMBERS):
            numbers[place] += getattr(row, name)
    _add(found)
    RuleCount.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(pks)  # also those that somebody else has summed up meanwhile


def _forget_names(now: datetime) -> None:
    """Forget names that were taken long ago, but not where the file is there still."""
    there = set(_waiting())
    old = TakenCounts.objects.filter(taken_at__lt=now - NAMES_KEPT)
    names = (name for name in old.values_list("name", flat=True).iterator() if name not in there)
    while some := list(islice(names, 500)):
        TakenCounts.objects.filter(name__in=some).delete()
