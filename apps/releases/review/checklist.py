"""What a release has and lacks before it goes live, as a list that a reader goes through."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from apps.releases.review.brief import Brief, in_words


class Mark(StrEnum):
    DONE = "done"
    REMARK = "remark"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the list: how it stands, in words, and the part of the page that shows it."""

    mark: Mark
    text: str
    section: str


def checklist_of(
    brief: Brief, *, checks: Sequence[tuple[bool, bool]] = (), open_comments: int, approvals: int, needed: int
) -> list[Check]:
    """Return the list for a release with this brief, so many open comments, and so many of the approvals.

    `checks` say of each check that was tried whether it has passed, and whether it stands in the way.
    """
    return [
        _briefed(brief),
        _baseline(brief),
        *_checked(checks),
        _talked(open_comments),
        _approved(approvals, needed),
    ]


def _briefed(brief: Brief) -> Check:
    if brief.missing:
        return Check(Mark.MISSING, f"Before a review it needs its {in_words(brief.missing)}.", "brief")
    return Check(Mark.DONE, "The brief says who, what for, and how to go back.", "brief")


def _baseline(brief: Brief) -> Check:
    gaps = [item.name for item in brief.baseline_gaps]
    if not gaps:
        return Check(Mark.DONE, "The brief says what the system does now.", "brief")
    if brief.is_baseline_required:
        return Check(Mark.MISSING, "The channel asks what the system does now.", "brief")
    if not brief.has_baseline:
        return Check(Mark.REMARK, "The brief does not say what the system does now.", "brief")
    return Check(Mark.REMARK, f"The brief does not say the {in_words(gaps)} of now.", "brief")


def _checked(checks: Sequence[tuple[bool, bool]]) -> Iterator[Check]:
    if not checks:
        return
    passed, failed = sum(is_good for is_good, _ in checks), sum(in_the_way for _, in_the_way in checks)
    total = f"{len(checks)} check{'' if len(checks) == 1 else 's'}"
    if failed:
        yield Check(Mark.MISSING, f"{failed} of {total} failed.", "checks")
    elif passed < len(checks):
        yield Check(Mark.REMARK, f"{len(checks) - passed} of {total} failed, and is overridden.", "checks")
    else:
        yield Check(Mark.DONE, f"{passed} of {total} passed.", "checks")


def _talked(open_comments: int) -> Check:
    if not open_comments:
        return Check(Mark.DONE, "No comment is open.", "conversation")
    words = "comment is" if open_comments == 1 else "comments are"
    return Check(Mark.REMARK, f"{open_comments} {words} open.", "conversation")


def _approved(approvals: int, needed: int) -> Check:
    if not needed:
        return Check(Mark.DONE, "No approval is asked for.", "approvals")
    mark = Mark.DONE if approvals >= needed else Mark.MISSING
    return Check(mark, f"{approvals} of {needed} approval{'' if needed == 1 else 's'} given.", "approvals")
