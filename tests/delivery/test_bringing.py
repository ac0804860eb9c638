"""Blobs that connections wait for: once for all of them, and not for ever."""

import asyncio
import threading
from typing import Any, cast

import pytest

from apps.delivery.bringing import Bringing
from apps.delivery.files import FileFault, LocalFiles
from apps.delivery.resource import BlobPart

BLOB = BlobPart("a" * 64, 10, 0, 10)
OTHER = BlobPart("b" * 64, 10, 0, 10)


class Files:
    """A machine that has `OTHER`, and a storage that answers when it may."""

    def __init__(self) -> None:
        self.fetched = 0
        self.is_asked = threading.Event()
        self.may_answer = threading.Event()
        self.fault: Exception | None = None

    def is_here(self, name: str, *, sha256: str, size: int) -> bool:
        return sha256 == OTHER.digest

    def fetch(self, name: str, *, sha256: str, size: int) -> None:
        self.fetched += 1
        self.is_asked.set()
        assert self.may_answer.wait(30)
        if self.fault:
            raise self.fault


def run(files: Files, wait: Any) -> None:
    """Run a test with blobs that are brought from `files`."""

    async def whole() -> None:
        bringing = Bringing(asyncio.get_running_loop(), cast("LocalFiles", files))
        try:
            await wait(bringing)
        finally:
            files.may_answer.set()
            bringing.close()

    asyncio.run(whole())


def test_all_who_wait_have_it_fetched_once_and_the_next_one_again() -> None:
    files = Files()

    async def wait(bringing: Bringing) -> None:
        waiting = [bringing.bring(BLOB) for _ in range(5)]
        await asyncio.to_thread(files.is_asked.wait, 30)
        await bringing.bring(OTHER)  # is here, and waits for nobody
        assert not any(task.done() for task in waiting)
        files.may_answer.set()
        await asyncio.gather(*waiting)
        assert files.fetched == 1
        await bringing.bring(BLOB)
        assert files.fetched == 2

    run(files, wait)


def test_what_goes_wrong_is_everybodys_and_is_tried_again() -> None:
    files = Files()
    files.fault = FileFault("missing")

    async def wait(bringing: Bringing) -> None:
        files.may_answer.set()
        found = await asyncio.gather(*(bringing.bring(BLOB) for _ in range(3)), return_exceptions=True)
        assert [str(fault) for fault in found] == ["missing"] * 3
        files.fault = None
        await bringing.bring(BLOB)

    run(files, wait)


def test_who_waits_for_too_long_is_sent_away_and_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("apps.delivery.bringing.PATIENCE_SECONDS", 0.01)
    files = Files()
    files.fault = FileFault("missing")

    async def wait(bringing: Bringing) -> None:
        with pytest.raises(FileFault, match="has been fetched for"):
            await bringing.bring(BLOB)
        (under_way,) = bringing._under_way.values()
        files.may_answer.set()
        await asyncio.wait([under_way])
        assert not bringing._under_way

    run(files, wait)
    assert "who waits for it is sent away" in caplog.text


def test_a_worker_that_ends_waits_for_nobody() -> None:
    files = Files()

    async def wait(bringing: Bringing) -> None:
        waiting = bringing.bring(BLOB)
        await asyncio.to_thread(files.is_asked.wait, 30)
        (under_way,) = bringing._under_way.values()
        under_way.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    run(files, wait)
