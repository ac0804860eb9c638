"""Guesses at a preview's password: counted for all processes of a machine, and forgotten in time."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from apps.delivery.previews.passwords import MOST_GUESSES, WINDOW_SECONDS, Guesses


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that the test sets."""
    now = [time.time()]  # which the files' own times go by
    monkeypatch.setattr("apps.delivery.previews.passwords.time.time", lambda: now[0])
    return now


def test_so_many_guesses_are_free_and_the_oldest_makes_room(tmp_path: Path, clock: list[float]) -> None:
    guesses = Guesses(tmp_path)
    for _ in range(MOST_GUESSES):
        assert guesses.take("a") == 0
        clock[0] += 10

    left = guesses.take("a")
    assert left == WINDOW_SECONDS - 10 * MOST_GUESSES + 1
    assert Guesses(tmp_path).take("a") == left, "another process counts the same"
    assert guesses.take("b") == 0

    clock[0] += left
    assert guesses.take("a") == 0
    assert guesses.take("a") > 0


def test_who_knows_the_password_starts_anew(tmp_path: Path, clock: list[float]) -> None:
    guesses = Guesses(tmp_path)
    for _ in range(MOST_GUESSES):
        guesses.take("a")
    guesses.forget("a")

    assert guesses.take("a") == 0


def test_a_clock_that_is_set_back_locks_nobody_out_for_longer(tmp_path: Path, clock: list[float]) -> None:
    guesses = Guesses(tmp_path)
    for _ in range(MOST_GUESSES):
        guesses.take("a")
    clock[0] -= 10_000

    assert 0 < guesses.take("a") <= WINDOW_SECONDS + 1


def test_many_guesses_at_once_are_counted_one_by_one(tmp_path: Path) -> None:
    guesses = Guesses(tmp_path)

    with ThreadPoolExecutor(8) as threads:
        waits = list(threads.map(lambda _: guesses.take("a"), range(3 * MOST_GUESSES)))

    assert sum(not seconds for seconds in waits) == MOST_GUESSES


def test_what_no_longer_counts_is_removed_and_what_is_damaged_is_none(tmp_path: Path) -> None:
    guesses = Guesses(tmp_path)
    old, damaged = tmp_path / "old.json", tmp_path / "b.json"
    old.write_text("[1]")
    os.utime(old, (1, 1))
    damaged.write_text("{")

    assert guesses.take("b") == 0

    assert not old.exists()
    assert [file.name for file in tmp_path.glob("*.*")] == ["b.json"]
