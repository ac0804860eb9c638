import logging
import math
import signal
import threading
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django_tasks_db.models import DBTaskResult
from pytest_django import DjangoCaptureOnCommitCallbacks

from apps.jobs import carrier, registry, worker
from apps.jobs.exceptions import JobLost
from apps.jobs.heartbeat import beating
from apps.jobs.models import Job
from apps.jobs.schedule import Chore, Scheduled, scheduled
from apps.jobs.services import enqueue
from apps.jobs.ticker import Ticker, tickers_for
from apps.jobs.worker import JobWorker
from tests.jobs.conftest import Handler


def _enqueue(number: int = 1) -> Job:
    job = enqueue(kind="tests.work", key=f"tests.work:{number}", payload={"number": number})
    carrier.hand_over(job.pk)
    return job


class TestWorker:
    def test_a_batch_runs_what_is_queued_and_ends(self, db: None, handler: Handler) -> None:
        _enqueue(1)
        _enqueue(2)

        JobWorker(interval_seconds=0.1, is_batch=True).run()

        assert handler.payloads == [{"number": 1}, {"number": 2}]
        assert set(Job.objects.values_list("state", flat=True)) == {Job.State.SUCCEEDED}

    def test_jobs_of_a_higher_priority_are_taken_first(
        self,
        db: None,
        handler: Handler,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        with (
            mock.patch.dict(registry._priorities, {"tests.work": -10}),
            django_capture_on_commit_callbacks(execute=True),
        ):
            enqueue(kind="tests.work", key="patient", payload={"number": 1})
        with django_capture_on_commit_callbacks(execute=True):
            enqueue(kind="tests.work", key="urgent", payload={"number": 2})

        JobWorker(interval_seconds=0.1, is_batch=True).run()

        assert handler.payloads == [{"number": 2}, {"number": 1}]

    def test_looking_for_work_takes_no_lock(self, db: None) -> None:
        with mock.patch.object(worker, "exclusive_transaction") as lock:
            assert not JobWorker(interval_seconds=0.1).run_next()

        lock.assert_not_called()

    def test_work_that_another_worker_took_between_look_and_lock_is_its_own(
        self, db: None, handler: Handler
    ) -> None:
        _enqueue()
        mine = JobWorker(interval_seconds=0.1)

        with mock.patch("django_tasks_db.models.DBTaskResultQuerySet.get_locked", return_value=None):
            assert not mine.run_next()

        assert handler.payloads == []

    def test_at_a_signal_the_job_that_runs_is_finished_and_no_other_begun(
        self, db: None, handler: Handler
    ) -> None:
        first, second = _enqueue(1), _enqueue(2)
        mine = JobWorker(interval_seconds=0.1)
        handler.act.side_effect = lambda log: mine.shutdown(signal.SIGTERM, None)

        mine.run()

        first.refresh_from_db()
        second.refresh_from_db()
        assert (first.state, second.state) == (Job.State.SUCCEEDED, Job.State.QUEUED)

    def test_an_idle_worker_ends_at_a_signal(self, db: None) -> None:
        mine = JobWorker(interval_seconds=3600)
        looks = []

        def look() -> bool:
            looks.append("nothing")
            mine.shutdown(signal.SIGTERM, None)
            return False

        with mock.patch.object(mine, "run_next", look):
            mine.run()

        assert looks == ["nothing"]

    def test_a_second_signal_ends_it_within_the_job_which_is_given_back(
        self, db: None, handler: Handler
    ) -> None:
        job = _enqueue()
        mine = JobWorker(interval_seconds=0.1)

        def twice(log: object) -> None:
            mine.shutdown(signal.SIGINT, None)
            mine.shutdown(signal.SIGINT, None)

        handler.act.side_effect = twice
        with mock.patch.object(mine, "reset_signals"):
            mine.run()

        job.refresh_from_db()
        assert job.state == Job.State.QUEUED
        assert DBTaskResult.objects.get().exception_class_path == "builtins.SystemExit"

    def test_it_outlives_a_database_that_does_not_answer(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(worker, "_DATABASE_PAUSE_SECONDS", 0)
        mine = JobWorker(interval_seconds=0)
        faults = iter([OperationalError("database is locked")])

        def look() -> bool:
            if fault := next(faults, None):
                raise fault
            mine.shutdown(signal.SIGTERM, None)
            return False

        with mock.patch.object(mine, "run_next", look), mock.patch.object(worker, "connections"):
            mine.run()

        assert not mine.running
        assert "does not answer" in caplog.text

    def test_a_batch_does_not_wait_for_a_database_that_does_not_answer(self) -> None:
        mine = JobWorker(interval_seconds=0.1, is_batch=True)

        with (
            mock.patch.object(mine, "run_next", side_effect=OperationalError("away")),
            pytest.raises(OperationalError),
        ):
            mine.run()


class TestCommand:
    def test_until_empty_runs_the_jobs_and_nothing_on_schedule(self, db: None, handler: Handler) -> None:
        _enqueue()

        with mock.patch.object(JobWorker, "configure_signals"), mock.patch.object(Ticker, "start") as start:
            call_command("work", "--until-empty")

        assert handler.payloads == [{"number": 1}]
        start.assert_not_called()

    def test_it_ticks_while_it_works_and_stops_ticking_at_its_end(self) -> None:
        with (
            mock.patch.object(JobWorker, "configure_signals"),
            mock.patch.object(JobWorker, "run", side_effect=RuntimeError("ends")),
            mock.patch.object(Ticker, "start") as start,
            mock.patch.object(Ticker, "stop") as stop,
            pytest.raises(RuntimeError, match="ends"),
        ):
            call_command("work", "--interval", "0.5")

        assert start.call_count == stop.call_count == len(tickers_for(scheduled()))

    @pytest.mark.parametrize("interval", ["0", "-1", "inf", "soon"])
    def test_an_interval_that_makes_no_sense_is_refused(self, interval: str) -> None:
        with pytest.raises(CommandError, match="--interval"):
            call_command("work", f"--interval={interval}")


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class TestTicker:
    def test_everything_is_called_at_the_start_and_then_each_at_its_own_period(self) -> None:
        clock, calls = Clock(), list[str]()

        def calling(name: str) -> Chore:
            def chore() -> list[str]:
                calls.append(name)
                return []

            return chore

        scheduled = [
            Scheduled(name, seconds, calling(name)) for name, seconds in (("often", 2), ("seldom", 5))
        ]
        ticker = Ticker(scheduled, clock=clock)

        waits = []
        for moved in (0.0, 1.0, 1.0, 2.0, 1.0):
            clock.now += moved
            waits.append(ticker.run_due())

        assert calls == ["often", "seldom", "often", "often", "seldom"]
        assert waits == [2, 1, 2, 1, 1]

    def test_one_that_takes_long_rests_in_proportion(self) -> None:
        clock = Clock()
        took = iter((0.01, 3.0))

        def chore() -> list[str]:
            clock.now += next(took)
            return []

        ticker = Ticker([Scheduled("copying", 2, chore, rest=20)], clock=clock)
        assert ticker.run_due() == pytest.approx(2)
        clock.now += 2
        assert ticker.run_due() == pytest.approx(60)

    def test_one_that_fails_is_logged_and_the_others_and_the_next_time_are_not_concerned(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        clock, calls = Clock(), mock.Mock(side_effect=[OSError("the disk is away"), ["mended 1 thing"]])
        other = mock.Mock(return_value=[])
        ticker = Ticker([Scheduled("broken", 2, calls), Scheduled("other", 2, other)], clock=clock)
        caplog.set_level(logging.INFO, "apps.jobs.ticker")

        with mock.patch("apps.jobs.ticker.connections") as connections:
            ticker.run_due()
            clock.now += 2
            ticker.run_due()

        assert "broken failed" in caplog.text
        assert "the disk is away" in caplog.text
        assert "broken: mended 1 thing" in caplog.text
        assert other.call_count == 2
        connections.close_all.assert_called_once()

    def test_a_ticker_with_nothing_to_do_waits(self) -> None:
        assert Ticker([], clock=Clock()).run_due() == math.inf

    def test_what_is_apart_holds_up_nothing_else(self) -> None:
        come, waits, other = threading.Event(), threading.Event(), threading.Event()

        def wait() -> list[str]:
            waits.set()
            come.wait(30)
            return []

        def do() -> list[str]:
            if waits.is_set():
                other.set()
            return []

        chores = [Scheduled("far", 0.001, wait, is_apart=True), Scheduled("near", 0.001, do)]
        tickers = tickers_for(chores)
        for ticker in tickers:
            ticker.start()
        assert other.wait(30)
        come.set()
        for ticker in tickers:
            ticker.stop()

    def test_its_thread_calls_what_is_due_until_it_is_stopped(self) -> None:
        called = threading.Event()

        def chore() -> list[str]:
            called.set()
            return []

        ticker = Ticker([Scheduled("chore", 0.001, chore)])

        ticker.start()
        assert called.wait(10)
        ticker.stop()

        assert not ticker._thread.is_alive()


class TestHeartbeat:
    def test_it_beats_while_the_block_runs(self) -> None:
        beaten = threading.Semaphore(0)

        with beating(beaten.release, seconds=0.001):
            assert all(beaten.acquire(timeout=10) for _ in range(3))

        assert not [thread for thread in threading.enumerate() if thread.name == "heartbeat"]

    def test_a_beat_that_the_database_refuses_is_tried_again(self, caplog: pytest.LogCaptureFixture) -> None:
        beaten = threading.Event()
        answers = iter([OperationalError("database is locked")])

        def beat() -> None:
            if error := next(answers, None):
                raise error
            beaten.set()

        with beating(beat, seconds=0.001):
            assert beaten.wait(10)

        assert "A heartbeat was not written" in caplog.text

    def test_it_ends_when_the_job_is_lost(self) -> None:
        beat = mock.Mock(side_effect=JobLost("taken over"))

        with beating(beat, seconds=0.001):
            for thread in threading.enumerate():  # it may have ended already
                if thread.name == "heartbeat":
                    thread.join(10)
                    assert not thread.is_alive()

        beat.assert_called_once()
