from collections.abc import Callable
from dataclasses import dataclass

from apps.releases.manifest import ManifestReader
from apps.releases.models import Release


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may go live: a release, and what it would serve."""

    release: Release
    reader: ManifestReader


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be: of what, and both in words.

    `rule` is the slug of the cache rule that it is about, `address` what a trace can be asked with; both
    are "" where there is none.
    """

    subject: str
    expected: str
    seen: str
    rule: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What a check comes to, in words; it has failed where it has findings."""

    words: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class ReleaseCheck:
    """A check. `name` is what commands and rows call it, `title` what people read."""

    name: str
    title: str
    run: Callable[[Candidate], Found]


_CHECKS: dict[str, ReleaseCheck] = {}


def release_check(
    name: str, *, title: str
) -> Callable[[Callable[[Candidate], Found]], Callable[[Candidate], Found]]:
    """Let the function that follows be tried on every release. It only reads, and has to end by itself."""

    def register(run: Callable[[Candidate], Found]) -> Callable[[Candidate], Found]:
        if name in _CHECKS:
            raise ValueError(f"There is a check {name} already.")
        _CHECKS[name] = ReleaseCheck(name, title, run)
        return run

    return register


def registered_checks() -> tuple[ReleaseCheck, ...]:
    """Return the checks, in the order in which they were registered."""
    return tuple(_CHECKS.values())


def title_of(name: str) -> str:
    """Return what people call a check; its name where this program no longer has it."""
    return _CHECKS[name].title if name in _CHECKS else name
