from dataclasses import dataclass

from apps.releases.models import CheckOverride, CheckResult, Release
from apps.releases.selectors.reviews import authors_of


@dataclass(frozen=True, slots=True)
class CheckStanding:
    """What a check came to on what a release is now, and the override that lets it go on, where one counts.

    `void` are overrides that do not count: by somebody who has a part in it by now, or is in no group
    that the channel asks for.
    """

    result: CheckResult
    override: CheckOverride | None = None
    void: tuple[CheckOverride, ...] = ()

    @property
    def is_good(self) -> bool:
        return self.result.outcome == CheckResult.Outcome.PASSED

    @property
    def stands_in_the_way(self) -> bool:
        return not (self.is_good or self.override)


def check_standings(release: Release) -> list[CheckStanding]:
    """Return the newest result of each check on the digest that `release` has, in order of their names."""
    if release.manifest_id is None:
        return []
    results = release.check_results.filter(manifest=release.manifest_id).order_by("pk")
    newest = {result.name: result for result in results}
    overrides = _overrides_of(release, [each for each in newest.values() if each.finding_count])
    return [
        CheckStanding(
            result,
            next((each for each, holds in overrides if holds and each.result_id == result.pk), None),
            tuple(each for each, holds in overrides if not holds and each.result_id == result.pk),
        )
        for _, result in sorted(newest.items())
    ]


def failed_checks(release: Release) -> list[CheckStanding]:
    """Return the checks that keep `release` from being approved and published."""
    return [standing for standing in check_standings(release) if standing.stands_in_the_way]


def _overrides_of(release: Release, failed: list[CheckResult]) -> list[tuple[CheckOverride, bool]]:
    """Return the overrides of results, oldest first, each with whether it counts: as approvals do."""
    if not failed:
        return []
    found = list(CheckOverride.objects.select_related("by").filter(result__in=failed).order_by("pk"))
    if not found:
        return []
    authors, group = authors_of(release), release.channel.approver_group
    members = set(group.user_set.values_list("pk", flat=True)) if group else None
    return [
        (each, each.by_id not in authors and (members is None or each.by_id in members)) for each in found
    ]
