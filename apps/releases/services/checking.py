"""Tries the checks on what a release would serve, keeps what came out, and refuses what has failed."""

import logging
from dataclasses import asdict
from typing import Any

from django.db import OperationalError, transaction
from django.utils import timezone

from apps.releases.checks import Candidate, Finding, Found, ReleaseCheck, registered_checks, title_of
from apps.releases.exceptions import ChecksFailed
from apps.releases.models import CheckResult, Release
from apps.releases.selectors import manifest_reader_of
from apps.releases.selectors.checks import CheckStanding, check_standings

logger = logging.getLogger(__name__)

FINDINGS_KEPT = 50
WORDS_KEPT = 500  # of each part of a finding: an address may be as long as anybody types
_NAMED = 2


@transaction.atomic
def run_checks(release: Release, *, only_missing: bool = False) -> list[CheckResult]:
    """Try every check on the digest that `release` has; return the results that were not known before.

    What comes out as before is not written again, so that an override goes on holding. With
    `only_missing`, those that have a result are left out. Raises `ManifestMissing`.
    """
    known = {result.name: result for result in _results_of(release)}
    checks = [each for each in registered_checks() if not (only_missing and each.name in known)]
    if not checks:
        return []
    candidate = Candidate(release, manifest_reader_of(release))
    tried = [_result(release, check, _found(check, candidate)) for check in checks]
    new = [result for result in tried if not _is_the_same(known.get(result.name), result)]
    for result in new:
        result.save(force_insert=True)
    return new


def refuse_failed_checks(
    release: Release, *, step: str, standings: list[CheckStanding] | None = None
) -> None:
    """Raise `ChecksFailed` where a check has failed that nobody has overridden; `step` in words: approved.

    `standings` are how the checks stand, where that is known already.
    """
    known = check_standings(release) if standings is None else standings
    if failed := [standing for standing in known if standing.stands_in_the_way]:
        raise ChecksFailed(
            f"Release {release.pk} cannot be {step}: {failed_in_words(failed)}.",
            next_step="Mend what fails, or let somebody who may approve it write down why it goes on: on its"
            f" page, or with `scripts/manage release check {release.pk}"
            f" --override {failed[0].result.name} --reason …`.",
        )


def failed_in_words(failed: list[CheckStanding]) -> str:
    """Say which checks have failed: "Examples of cache rules: 2 of 14 examples do not hold"."""
    named = "; ".join(f"{title_of(each.result.name)}: {each.result.words}" for each in failed[:_NAMED])
    return named + (f"; and {len(failed) - _NAMED} more" if len(failed) > _NAMED else "")


def _results_of(release: Release) -> list[CheckResult]:
    return list(release.check_results.filter(manifest=release.manifest_id).order_by("pk"))


def _found(check: ReleaseCheck, candidate: Candidate) -> Found:
    """Return what a check comes to. One that fails by itself has found nothing good, and says so."""
    try:
        with transaction.atomic():
            return check.run(candidate)
    except OperationalError:
        raise
    except Exception as error:
        logger.exception("The check %s of release %s failed by itself.", check.name, candidate.release.pk)
        said = f"{type(error).__name__}: {error}"
        return Found("It could not be tried", (Finding(check.title, "an outcome", said),))


def _result(release: Release, check: ReleaseCheck, found: Found) -> CheckResult:
    outcome = CheckResult.Outcome.FAILED if found.findings else CheckResult.Outcome.PASSED
    return CheckResult(
        release=release,
        manifest=release.manifest,
        name=check.name,
        outcome=outcome.value,
        words=found.words,
        findings=[_kept(finding) for finding in found.findings[:FINDINGS_KEPT]],
        finding_count=len(found.findings),
        at=timezone.now(),
    )


def _kept(finding: Finding) -> dict[str, Any]:
    """Return a finding as a row has it: cut, and without what PostgreSQL's JSON refuses."""
    return {
        name: text.replace("\x00", "\N{REPLACEMENT CHARACTER}")[:WORDS_KEPT]
        for name, text in asdict(finding).items()
    }


def _is_the_same(known: CheckResult | None, result: CheckResult) -> bool:
    return known is not None and (known.outcome, known.words, known.findings, known.finding_count) == (
        result.outcome,
        result.words,
        result.findings,
        result.finding_count,
    )
