"""What a roll back would change: files, redirects, cache rules, names; or why it would be refused."""

from contextlib import closing, suppress
from dataclasses import dataclass

from apps.refusals import Refusal
from apps.releases.comparing.impact import Impact, impact_between
from apps.releases.comparing.rules import RulesDifference, rules_between
from apps.releases.comparing.tallies import kept_tally
from apps.releases.exceptions import ManifestMissing
from apps.releases.models import Publication
from apps.releases.rolling_back.wholeness import Looked, look, refuse_unless_whole
from apps.releases.selectors import open_manifest


@dataclass(frozen=True, slots=True)
class RollBackPreview:
    """From `live` to `goal`: what changes for visitors; `fault` says why it would be refused, "" for not.

    `impact` is None where a manifest cannot be read. `kept_names` counts the fingerprinted names that only
    what is live now has, and that go on answering for pages that visitors have open; None where nobody
    waited for that. `looked` says how far storage was looked at: None for all of it, or with a fault.
    """

    live: Publication
    goal: Publication
    impact: Impact | None
    rules: RulesDifference
    kept_names: int | None
    fault: str
    looked: Looked | None = None

    @property
    def is_same(self) -> bool:
        return self.live.manifest_id == self.goal.manifest_id


def preview_roll_back(live: Publication, goal: Publication, *, is_patient: bool = True) -> RollBackPreview:
    """Return what going back from `live` to `goal` changes; the cost follows what they differ in.

    Unless somebody `is_patient`, storage is looked at as far as a page can wait for, and what was not counted
    before is not counted.
    """
    impact = impact_between(live.manifest, goal.manifest, is_patient=is_patient)
    looked, fault = None, ""
    try:
        if is_patient:
            refuse_unless_whole(goal.manifest, instead_of=live.manifest)
        else:
            looked = look(goal.manifest, instead_of=live.manifest)
    except Refusal as refusal:
        fault = str(refusal)
    rules = rules_between(live.release, goal.release)
    return RollBackPreview(live, goal, impact, rules, _kept_names(live, goal), fault, looked)


def _kept_names(live: Publication, goal: Publication) -> int | None:
    """Return how many fingerprinted names only what is live has, where that was counted."""
    with suppress(ManifestMissing):
        if tally := kept_tally(open_manifest(live.manifest), open_manifest(goal.manifest)):
            with closing(tally):
                return tally.lost_names()
    return None
