"""Work that waits for a disk, done several at once."""

import threading

import pytest

from apps.assets.disk import in_parallel


@pytest.mark.parametrize("count", [0, 1, 2, 3, 50])
def test_each_item_is_worked_on_once_by_no_more_threads_than_there_are_items(count: int) -> None:
    done: list[int] = []
    threads: set[str] = set()

    def work(item: int) -> None:
        threads.add(threading.current_thread().name)
        done.append(item)

    in_parallel(work, range(count))
    assert sorted(done) == list(range(count))
    assert len(threads) <= count
    assert (threads == {threading.current_thread().name}) == (count == 1)


def test_an_error_of_one_item_is_raised() -> None:
    def work(item: int) -> None:
        if item == 3:
            raise OSError(item)

    with pytest.raises(OSError, match="3"):
        in_parallel(work, range(5))
