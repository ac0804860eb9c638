"""What can be wrong with a file, and when another try is worth its while."""

import logging
import time
from dataclasses import dataclass

logger = logging.getLogger(__name__)

_MOST_NAMES = 1_000


class FileFault(OSError):
    """A file that is missing, or is not what its name says. It has been logged where it was met first."""


class StorageDown(FileFault):
    """Storage does not answer, or does not let this process read."""


@dataclass(frozen=True, slots=True)
class _Failure:
    fault: FileFault
    pause_seconds: float
    until: float


class Pauses:
    """Pauses after failures: each of a name's is twice as long as the one before, up to `most_seconds`."""

    def __init__(self, *, most_seconds: float) -> None:
        self._most_seconds = most_seconds
        self._failures: dict[str, _Failure] = {}

    @property
    def names(self) -> list[str]:
        """What failed when it was tried last."""
        return list(self._failures)

    def check(self, name: str) -> None:
        """Raise again what went wrong with `name`, as long as it is too early for another try."""
        failure = self._failures.get(name)
        if failure is not None and time.monotonic() < failure.until:
            raise type(failure.fault)(*failure.fault.args)

    def failed(self, name: str, fault: FileFault) -> None:
        """Note a failure; it is logged if it says something else than the one before."""
        before = self._failures.pop(name, None)
        if before is None or before.fault.args != fault.args:
            logger.error("%s", fault)
        pause = min(before.pause_seconds * 2, self._most_seconds) if before else 1.0
        if len(self._failures) >= _MOST_NAMES:
            self._failures.clear()
        self._failures[name] = _Failure(fault, pause, time.monotonic() + pause)

    def forget(self, name: str) -> None:
        """Let the next try be made at once."""
        self._failures.pop(name, None)
