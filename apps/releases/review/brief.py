"""The brief of a release in one place: its owner, what should be better, the way back, and what is now."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypedDict

from apps.accounts.models import User
from apps.releases.models import Release

LABELS = {
    "owner": "Owner",
    "expected_result": "Expected result",
    "rollback_note": "Rollback note",
    "route": "Route",
    "expected_input": "Expected input",
    "failing_command": "Slow query or failing command",
    "noticed_at": "Where a user notices it",
}
PURPOSE = ("owner", "expected_result", "rollback_note")
BASELINE = ("route", "expected_input", "failing_command", "noticed_at")


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a brief; `text` is empty where nobody wrote it yet."""

    name: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Brief:
    """What is said of a release before anybody looks at it. `baseline` is what the system does now."""

    owner: User | None
    purpose: tuple[Item, ...]
    baseline: tuple[Item, ...]
    is_baseline_required: bool

    @property
    def missing(self) -> list[str]:
        """The names of the fields that have to be there before a review, and are not."""
        required = (*self.purpose, *(self.baseline if self.is_baseline_required else ()))
        return [item.name for item in required if not item.text]

    @property
    def baseline_gaps(self) -> list[Item]:
        """What is not said of the system as it is now."""
        return [item for item in self.baseline if not item.text]

    @property
    def has_baseline(self) -> bool:
        return len(self.baseline_gaps) < len(self.baseline)

    @property
    def summary(self) -> str:
        """The expected result in a line, for rows of a history."""
        return next(item.text for item in self.purpose if item.name == "expected_result").partition("\n")[0]


class BriefReport(TypedDict):
    owner: str | None
    expected_result: str
    rollback_note: str
    route: str
    expected_input: str
    failing_command: str
    noticed_at: str


def brief_of(release: Release) -> Brief:
    """Return the brief of a release, line by line, with what is missing in it."""
    return Brief(
        owner=release.owner,
        purpose=tuple(_items(release, PURPOSE)),
        baseline=tuple(_items(release, BASELINE)),
        is_baseline_required=release.channel.requires_baseline,
    )


def brief_report(release: Release) -> BriefReport:
    """Return the brief of a release for a JSON document; the owner by user name."""
    return {
        "owner": release.owner.get_username() if release.owner else None,
        "expected_result": release.expected_result,
        "rollback_note": release.rollback_note,
        "route": release.route,
        "expected_input": release.expected_input,
        "failing_command": release.failing_command,
        "noticed_at": release.noticed_at,
    }


def in_words(names: Iterable[str]) -> str:
    """Return fields of a brief as a sentence names them: "owner and expected result"."""
    return " and ".join(LABELS[name].lower() for name in names)


def _items(release: Release, names: Iterable[str]) -> Iterable[Item]:
    for name in names:
        value = getattr(release, name)
        yield Item(name, LABELS[name], str(value) if value else "")
