"""The section of a release's page on its checks, and the steps that try them again and let one pass."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, QueryDict

from apps.accounts.models import User
from apps.accounts.staff_pages import actor_of
from apps.caching.models import CacheRule
from apps.releases.checks import title_of
from apps.releases.models import Release
from apps.releases.seen import Seen
from apps.releases.selectors.checks import CheckStanding
from apps.releases.services.checking import failed_in_words
from apps.releases.services.overriding import check_again, override_check, why_no_override
from apps.releases.services.review import REVIEWED


@dataclass(frozen=True, slots=True)
class FindingRow:
    """What was found of one thing, and the number of the cache rule that it is about, None for none."""

    subject: str
    expected: str
    seen: str
    address: str
    rule: int | None


@dataclass(frozen=True, slots=True)
class CheckRow:
    """A check as the page shows it."""

    standing: CheckStanding
    title: str
    findings: list[FindingRow]

    @property
    def unnamed(self) -> int:
        """How many findings are not kept."""
        return self.standing.result.finding_count - len(self.findings)


def checks_section(request: HttpRequest, seen: Seen) -> dict[str, Any]:
    """Return how the checks stand, and what their reader can do about it."""
    release, standings = seen.release, seen.checks
    slugs = {each["rule"] for standing in standings for each in standing.result.findings}
    numbers = dict(CacheRule.objects.filter(slug__in=slugs).values_list("slug", "pk")) if slugs else {}
    failed = [standing for standing in standings if standing.stands_in_the_way]
    is_due = release.state in REVIEWED
    return {
        "checks": [_row(standing, numbers) for standing in standings],
        "failed_checks": failed,
        "failed_in_words": failed_in_words(failed),
        "may_check_again": is_due and actor_of(request).has_perm("releases.submit_release"),
        "is_override_due": is_due and bool(failed),
        "why_no_override": why_no_override(release, actor_of(request)) if failed else "",
    }


def try_again(release: Release, typed: QueryDict, actor: User) -> str:
    """Try the checks on what is in review once more; return what has happened, in words for a message."""
    standings = check_again(release=release, actor=actor)
    failed = [standing for standing in standings if standing.stands_in_the_way]
    return f"Checked again. {failed_in_words(failed)}." if failed else "Checked again: no check fails."


def override(release: Release, typed: QueryDict, actor: User) -> str:
    """Let a release go on although a check has failed; return what has happened."""
    name = typed.get("check", "")
    override_check(
        release=release,
        name=name,
        reason=typed.get("reason", ""),
        digest=typed.get("digest", ""),
        actor=actor,
    )
    return (
        f"{title_of(name)}: overridden for what release {release.pk} is now. Taking it back to draft and"
        " changing it voids that."
    )


def _row(standing: CheckStanding, numbers: dict[str, int]) -> CheckRow:
    findings = [
        FindingRow(
            each["subject"], each["expected"], each["seen"], each["address"], numbers.get(each["rule"])
        )
        for each in standing.result.findings
    ]
    return CheckRow(standing, title_of(standing.result.name), findings)
