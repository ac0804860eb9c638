from datetime import timedelta
from unittest import mock

import pytest
from django.tasks import TaskResultStatus
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from pytest_django import DjangoCaptureOnCommitCallbacks

from apps.accounts.exceptions import Forbidden
from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.jobs import carrier, housekeeping, services
from apps.jobs.exceptions import JobLost, NotFailed, UnknownKind
from apps.jobs.log import MAX_LOG_CHARACTERS, JobLog
from apps.jobs.models import Job
from apps.jobs.services import ABANDONED_AFTER, MAX_ATTEMPTS, enqueue, requeue_abandoned, retry, run
from apps.jobs.worker import JobWorker
from apps.refusals import Refusal
from tests.jobs.conftest import Handler

pytestmark = pytest.mark.django_db

State = Job.State


def _enqueue(number: int = 1) -> Job:
    return enqueue(kind="tests.work", key=f"tests.work:{number}", payload={"number": number})


def _messages() -> list[tuple[str, object]]:
    """Return status and arguments of what was sent to workers."""
    return [(row.status, row.args_kwargs["args"]) for row in DBTaskResult.objects.order_by("enqueued_at")]


def _age(job: Job, by: timedelta = ABANDONED_AFTER + timedelta(seconds=1)) -> None:
    """Move a job, and the messages about it, into the past."""
    job.refresh_from_db()
    if job.heartbeat_at:
        job.heartbeat_at -= by
    job.queued_at -= by
    job.save()
    for row in DBTaskResult.objects.exclude(started_at=None):
        row.started_at -= by
        row.save()


def _begun(job: Job) -> JobLog:
    """Leave a job as a worker leaves it that is killed while it runs it; return the log it held."""
    now = timezone.now()
    Job.objects.filter(pk=job.pk).update(
        state=State.RUNNING, started_at=now, heartbeat_at=now, attempts=job.attempts + 1
    )
    job.refresh_from_db()
    return JobLog(job.pk, now)


class TestEnqueue:
    def test_a_job_is_queued_and_a_worker_told_after_the_commit(
        self, handler: Handler, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            job = _enqueue()
            assert _messages() == []

        assert (job.state, job.kind, job.payload) == (State.QUEUED, "tests.work", {"number": 1})
        assert _messages() == [(TaskResultStatus.READY, [job.pk])]

    @pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.SUCCEEDED])
    def test_the_same_key_is_the_same_job(
        self,
        state: Job.State,
        handler: Handler,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        job = _enqueue()
        Job.objects.update(state=state)

        with django_capture_on_commit_callbacks() as callbacks:
            again = enqueue(kind="tests.work", key=job.key, payload={"number": 2})

        assert (again.pk, again.state, again.payload) == (job.pk, state, {"number": 1})
        assert callbacks == []

    def test_a_failed_job_is_queued_again_with_the_new_payload(
        self, handler: Handler, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        job = _enqueue()
        Job.objects.update(state=State.FAILED, error="broken", attempts=3, finished_at=timezone.now())

        with django_capture_on_commit_callbacks() as callbacks:
            again = enqueue(kind="tests.work", key=job.key, payload={"number": 2})

        assert (again.pk, again.state, again.payload) == (job.pk, State.QUEUED, {"number": 2})
        assert (again.error, again.attempts, again.finished_at) == ("", 0, None)
        assert len(callbacks) == 1

    def test_a_kind_without_a_handler_is_refused_at_once(self, handler: Handler) -> None:
        with pytest.raises(UnknownKind):
            enqueue(kind="tests.unknown", key="x", payload={})

        assert not Job.objects.exists()


class TestRun:
    def test_a_handler_gets_the_payload_and_the_job_succeeds(self, handler: Handler) -> None:
        job = _enqueue()

        run(job.pk)

        job.refresh_from_db()
        assert handler.payloads == [{"number": 1}]
        assert (job.state, job.attempts, job.error) == (State.SUCCEEDED, 1, "")
        assert job.started_at is not None
        assert job.finished_at is not None
        assert job.started_at <= job.finished_at

    @pytest.mark.parametrize("state", [State.RUNNING, State.SUCCEEDED, State.FAILED])
    def test_only_a_queued_job_is_run(self, state: Job.State, handler: Handler) -> None:
        job = _enqueue()
        Job.objects.update(state=state)

        run(job.pk)

        job.refresh_from_db()
        assert handler.payloads == []
        assert job.state == state

    def test_a_message_about_a_job_that_is_gone_is_harmless(self, handler: Handler) -> None:
        run(12345)

        assert handler.payloads == []

    def test_a_job_that_is_told_of_twice_is_run_once(self, handler: Handler) -> None:
        job = _enqueue()
        handler.act.side_effect = lambda log: run(job.pk)

        run(job.pk)

        assert handler.payloads == [{"number": 1}]

    def test_what_a_handler_raises_is_kept_with_its_place(self, handler: Handler) -> None:
        handler.act.side_effect = ZeroDivisionError("by nought")
        job = _enqueue()

        run(job.pk)

        job.refresh_from_db()
        assert job.state == State.FAILED
        assert job.finished_at is not None
        assert "ZeroDivisionError: by nought" in job.error
        assert "_call_handler" in job.error

    def test_a_refusal_is_kept_in_its_own_words(self, handler: Handler) -> None:
        handler.act.side_effect = Refusal("The disk is full.", next_step="Free some.")
        job = _enqueue()

        run(job.pk)

        job.refresh_from_db()
        assert (job.state, job.error) == (State.FAILED, "The disk is full. Free some.")

    def test_a_worker_that_is_told_to_stop_at_once_gives_the_job_back(self, handler: Handler) -> None:
        handler.act.side_effect = SystemExit(1)
        job = _enqueue()

        with pytest.raises(SystemExit):
            run(job.pk)

        job.refresh_from_db()
        assert (job.state, job.finished_at) == (State.QUEUED, None)

    def test_a_job_whose_handler_was_removed_fails_and_says_so(self, handler: Handler) -> None:
        job = _enqueue()
        Job.objects.update(kind="tests.removed")

        run(job.pk)

        job.refresh_from_db()
        assert job.state == State.FAILED
        assert "'tests.removed'" in job.error


class TestLog:
    def test_lines_are_kept_in_order_and_are_signs_of_life(self, handler: Handler) -> None:
        def act(log: JobLog) -> None:
            Job.objects.update(heartbeat_at=timezone.now() - timedelta(hours=1))
            log.write("first")
            log.write("second")

        handler.act.side_effect = act
        job = _enqueue()

        run(job.pk)

        job.refresh_from_db()
        assert [line.split(" ", 1)[1] for line in job.log.splitlines()] == ["first", "second"]
        assert job.heartbeat_at is not None
        assert job.heartbeat_at > timezone.now() - timedelta(minutes=1)

    def test_a_log_has_an_end_and_says_so(self, handler: Handler) -> None:
        def act(log: JobLog) -> None:
            log.write("x" * MAX_LOG_CHARACTERS)
            log.write("left out")

        handler.act.side_effect = act
        job = _enqueue()

        run(job.pk)

        job.refresh_from_db()
        assert job.log.endswith("The log is full; what follows is left out.\n")
        assert job.state == State.SUCCEEDED

    def test_a_run_that_lost_its_job_ends_at_its_next_line(self, handler: Handler) -> None:
        job = _enqueue()
        old = _begun(job)
        _age(job)
        requeue_abandoned()
        run(job.pk)

        with pytest.raises(JobLost):
            old.write("still here")
        with pytest.raises(JobLost):
            old.beat()

    def test_a_run_that_lost_its_job_does_not_record_its_end(self, handler: Handler) -> None:
        job = _enqueue()

        def lose_it(log: JobLog) -> None:
            handler.act.side_effect = Refusal("the second run fails")
            _age(job)
            assert [taken.pk for taken in requeue_abandoned()] == [job.pk]
            run(job.pk)

        handler.act.side_effect = lose_it

        run(job.pk)

        job.refresh_from_db()
        assert len(handler.payloads) == 2
        assert (job.state, job.error, job.attempts) == (State.FAILED, "the second run fails", 2)


class TestAbandoned:
    def test_a_job_without_a_heartbeat_for_a_minute_is_queued_again(
        self, handler: Handler, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        job = _enqueue()
        _begun(job)
        _age(job)

        with django_capture_on_commit_callbacks(execute=True):
            assert requeue_abandoned() == [job]

        job.refresh_from_db()
        assert (job.state, job.attempts) == (State.QUEUED, 1)
        assert _messages() == [(TaskResultStatus.READY, [job.pk])]

    def test_a_job_with_a_fresh_heartbeat_is_left_alone(self, handler: Handler) -> None:
        job = _enqueue()
        _begun(job)
        _age(job, ABANDONED_AFTER - timedelta(seconds=10))

        assert requeue_abandoned() == []

    def test_of_two_that_look_at_once_one_takes_it_back(
        self, handler: Handler, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        job = _enqueue()
        _begun(job)
        _age(job)
        seen = Job.objects.get()

        with django_capture_on_commit_callbacks() as callbacks:
            assert services._take_back_one(Job.objects.get())
            assert not services._take_back_one(seen)

        assert len(callbacks) == 1

    def test_a_job_that_beats_between_the_look_and_the_take_keeps_its_worker(self, handler: Handler) -> None:
        job = _enqueue()
        log = _begun(job)
        _age(job)
        seen = Job.objects.get()
        log.beat()

        assert not services._take_back_one(seen)

        job.refresh_from_db()
        assert job.state == State.RUNNING

    def test_a_job_that_is_abandoned_time_and_again_fails_with_a_clear_text(
        self, handler: Handler, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        job = _enqueue()
        states = []

        for _ in range(MAX_ATTEMPTS):
            _begun(job)
            _age(job)
            with django_capture_on_commit_callbacks() as callbacks:
                requeue_abandoned()
            job.refresh_from_db()
            states.append((job.state, len(callbacks)))

        assert states == [(State.QUEUED, 1), (State.QUEUED, 1), (State.FAILED, 0)]
        assert "Given up after 3 attempts" in job.error
        assert job.finished_at is not None

    def test_a_queued_job_that_no_message_names_is_told_of_again(self, handler: Handler) -> None:
        job = _enqueue()
        _age(job)

        assert requeue_abandoned() == [job]
        assert _messages() == [(TaskResultStatus.READY, [job.pk])]
        assert requeue_abandoned() == []

    def test_a_queued_job_whose_message_was_used_up_is_told_of_again(self, handler: Handler) -> None:
        job = _enqueue()
        carrier.hand_over(job.pk)
        DBTaskResult.objects.update(status=TaskResultStatus.FAILED, finished_at=timezone.now())
        _age(job)

        assert requeue_abandoned() == [job]

    def test_a_job_that_was_only_just_queued_is_waited_for(self, handler: Handler) -> None:
        _enqueue()

        assert requeue_abandoned() == []

    def test_a_message_in_a_dead_workers_hands_is_closed_and_its_job_told_of_again(
        self, handler: Handler
    ) -> None:
        job = _enqueue()
        carrier.hand_over(job.pk)
        DBTaskResult.objects.get().claim("a worker that is killed now")
        _age(job)

        assert requeue_abandoned() == [job]

        assert _messages() == [(TaskResultStatus.FAILED, [job.pk]), (TaskResultStatus.READY, [job.pk])]

    def test_the_message_of_a_job_that_runs_for_long_stays_open(self, handler: Handler) -> None:
        job = _enqueue()
        carrier.hand_over(job.pk)
        DBTaskResult.objects.get().claim("a worker that works")
        log = _begun(job)
        _age(job)
        Job.objects.update(heartbeat_at=timezone.now())

        assert requeue_abandoned() == []

        log.beat()
        assert _messages() == [(TaskResultStatus.RUNNING, [job.pk])]

    def test_a_worker_brings_the_job_to_its_end(
        self, handler: Handler, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        job = _enqueue()
        _begun(job)
        _age(job)

        with django_capture_on_commit_callbacks(execute=True):
            lines = housekeeping.requeue_abandoned()
        JobWorker(interval_seconds=0.1, is_batch=True).run()

        job.refresh_from_db()
        assert lines == ["Job tests.work:1 was left by a worker and is queued again."]
        assert job.state == State.SUCCEEDED


def test_old_messages_are_deleted_and_jobs_stay(handler: Handler) -> None:
    old, new = _enqueue(1), _enqueue(2)
    carrier.hand_over(old.pk)
    carrier.hand_over(new.pk)
    JobWorker(interval_seconds=0.1, is_batch=True).run()
    DBTaskResult.objects.filter(args_kwargs={"args": [old.pk], "kwargs": {}}).update(
        finished_at=timezone.now() - timedelta(days=2)
    )

    assert housekeeping.forget_messages() == ["Deleted 1 old messages to workers."]
    assert housekeeping.forget_messages() == []

    assert _messages() == [(TaskResultStatus.SUCCESSFUL, [new.pk])]
    assert Job.objects.filter(state=State.SUCCEEDED).count() == 2


class TestRetry:
    def test_an_administrator_queues_a_failed_job_again_and_it_is_written_down(
        self,
        administrator: User,
        handler: Handler,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        job = _enqueue()
        Job.objects.update(state=State.FAILED, error="broken", attempts=3)
        job.refresh_from_db()

        with django_capture_on_commit_callbacks() as callbacks:
            again = retry(job=job, actor=administrator)

        assert (again.state, again.attempts, again.error) == (State.QUEUED, 0, "")
        assert len(callbacks) == 1
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.target, entry.actor) == ("job.retry", f"job {job.pk}", administrator)
        assert entry.details == {"kind": "tests.work", "error": "broken"}

    def test_a_manager_may_not(self, manager: User, handler: Handler) -> None:
        job = _enqueue()
        Job.objects.update(state=State.FAILED)

        with pytest.raises(Forbidden):
            retry(job=job, actor=manager)

        assert Job.objects.get().state == State.FAILED

    @pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.SUCCEEDED])
    def test_a_job_that_did_not_fail_is_refused(
        self, state: Job.State, administrator: User, handler: Handler
    ) -> None:
        job = _enqueue()
        Job.objects.update(state=state)

        with pytest.raises(NotFailed, match=f"is {state.value}") as refusal:
            retry(job=job, actor=administrator)

        assert refusal.value.next_step
        assert not AuditEntry.objects.exists()


def test_an_unexpected_state_of_the_database_does_not_lose_the_job(handler: Handler) -> None:
    job = _enqueue()

    with mock.patch.object(carrier, "hand_over", side_effect=OSError("no connection")):
        _age(job)
        with pytest.raises(OSError, match="no connection"):
            requeue_abandoned()

    assert requeue_abandoned() == [job]
