"""What a report consists of: plain words and numbers. Times are in UTC, to the second."""

from dataclasses import dataclass
from datetime import UTC, datetime

NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Field:
    """Something that has a name: of the brief, of what was measured, of what it was built on."""

    name: str
    words: str


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """What the release does to a path. `kind` is added, changed or removed; sizes count bytes."""

    kind: str
    path: str
    old_size: int | None
    new_size: int | None


@dataclass(frozen=True, slots=True)
class RedirectLine:
    """A path that leads elsewhere: with this release, or no longer (`target` is empty)."""

    source: str
    target: str
    status: int | None


@dataclass(frozen=True, slots=True)
class ApprovalLine:
    """Who has approved which digest; it `holds` while the release has that digest."""

    approver: str
    at: str
    digest: str
    holds: bool


@dataclass(frozen=True, slots=True)
class CommentLine:
    """What somebody said: of the release, or of the path that it is about."""

    author: str
    at: str
    deed: str
    path: str
    words: str


@dataclass(frozen=True, slots=True)
class CheckLine:
    """A check, whether it holds (None: it only remarks), and what came out of it.

    `findings` say what was expected and what was seen, `override` who let it pass all the same, and why.
    """

    name: str
    is_good: bool | None
    words: str
    findings: tuple[str, ...] = ()
    override: str = ""


@dataclass(frozen=True, slots=True)
class PublicationLine:
    """One time that the release went live. `seal` is its hash, `fault` what is wrong with it, or empty.

    `emergency` says who decided it without the approvals that it needed, `freeze` in which windows it was
    published although they are a freeze, and why; both are empty as a rule.
    """

    tag: str
    channel: str
    at: str
    deed: str
    reason: str
    emergency: str
    freeze: str
    seal: str
    fault: str
    receipt: str


@dataclass(frozen=True, slots=True)
class EntryLine:
    """Something that was done to the release, as the audit log has it."""

    at: str
    actor: str
    words: str


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What to type, and what for."""

    purpose: str
    command: str


@dataclass(frozen=True, slots=True)
class ReleaseReport:
    """A release. `change_count` counts all changes, `changes` has the first of them."""

    release: int
    title: str
    state: str
    channel: str
    digest: str
    brief: tuple[Field, ...]
    assumptions: tuple[Field, ...]
    counts: str
    change_count: int
    changes: tuple[ChangeLine, ...]
    redirects: tuple[RedirectLine, ...]
    approvals: tuple[ApprovalLine, ...]
    comments: tuple[CommentLine, ...]
    checks: tuple[CheckLine, ...]
    publications: tuple[PublicationLine, ...]
    metrics: tuple[Field, ...]
    entries: tuple[EntryLine, ...]
    commands: tuple[CommandLine, ...]

    @property
    def unnamed(self) -> int:
        """How many changes are not among those that are listed."""
        return self.change_count - len(self.changes)


def clock(at: datetime | None) -> str:
    """Return a moment as the report has it, empty for none."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else ""
