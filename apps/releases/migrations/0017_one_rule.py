"""The guards of releases say what the services say: one rule of which approvals count, in all of them.

Until here three migrations counted approvals, each in a way of its own. Only triggers change: no row is
looked at, and who reads or writes waits only as long as it takes to write them down.
"""

from collections.abc import Iterable
from importlib import import_module

from django.db import migrations

from apps.audit.guards import Guard, RemoveGuard

FIRST = import_module("apps.releases.migrations.0002_guards")
ORIGINS = import_module("apps.releases.migrations.0011_origins")
EMERGENCIES = import_module("apps.releases.migrations.0012_hosts_freezes_emergencies")
REVIEW = import_module("apps.releases.migrations.0014_review")


def _named(guards: Iterable[object], *names: str) -> list[Guard]:
    return [each for each in guards if type(each) is Guard and each.name in names]


BEFORE = [
    *_named(
        ORIGINS.Migration.operations, "approval_not_of_contributors", "release_approved_without_contributors"
    ),
    *_named(
        EMERGENCIES.AFTER,
        "publication_of_approved",
        "release_published_in_emergency",
        "emergency_confirmed_by_another",
    ),
    *_named(REVIEW.AFTER, "release_approved_by_enough"),
]

# As `standings_of` of the services: of this digest, by somebody without a part in the release (0014), who is
# in the group that the channel asks for today. Who gave it may have left since.
VALID_APPROVALS = f"""
    (SELECT count(*) FROM releases_approval AS approval
     WHERE approval.release_id = {{release}} AND approval.manifest_id = NEW.manifest_id
     AND NOT {REVIEW.HAS_PART.format(release="{release}", person="approval.approver_id")}
     AND {REVIEW.IS_APPROVER.format(channel="NEW.channel_id", person="approval.approver_id")})
"""
# As `approvals_needed`: none for the first publication, except on a protected channel.
HAS_ENOUGH = f"""
    (NOT EXISTS (SELECT 1 FROM releases_channel WHERE id = NEW.channel_id
                 AND (is_protected OR {FIRST.LIVE_BEFORE}))
     OR {VALID_APPROVALS} >= (SELECT required_approvals FROM releases_channel WHERE id = NEW.channel_id))
"""
IS_IN_STATE = """
    EXISTS (SELECT 1 FROM releases_release WHERE id = NEW.release_id AND state = '{state}'
            AND manifest_id = NEW.manifest_id AND channel_id = NEW.channel_id)
"""
IN_THIS_EMERGENCY = EMERGENCIES.IN_EMERGENCY.format(release="NEW.release_id", more=EMERGENCIES.OF_THIS_NUMBER)
IS_LIVE = """
    (SELECT {column} FROM releases_publication WHERE channel_id = NEW.channel_id
     ORDER BY sequence DESC LIMIT 1)
"""
NEWEST = f"COALESCE({IS_LIVE.format(column='release_id')}, -1)"
MAY_IN_EMERGENCY = REVIEW.MAY_APPROVE.replace("'approve_release'", "'publish_in_emergency'")

OF_RELEASES = [
    Guard(
        "release_approved_by_enough",
        table="releases_release",
        event="UPDATE",
        condition="NEW.state = 'approved' AND OLD.state <> 'approved'"
        f" AND NOT {HAS_ENOUGH.format(release='NEW.id')}",
        message="approvals_missing: fewer people have approved this digest than the channel asks for",
    ),
    Guard(
        "release_published_by_its_publication",
        table="releases_release",
        event="UPDATE",
        condition=f"NEW.state = 'published' AND OLD.state <> 'published' AND {NEWEST} <> NEW.id",
        message="not_published: what is published is what the newest publication of its channel serves",
    ),
    Guard(
        "release_superseded_by_another",
        table="releases_release",
        event="UPDATE",
        condition=f"NEW.state = 'superseded' AND OLD.state <> 'superseded' AND {NEWEST} IN (NEW.id, -1)",
        message="not_superseded: what the newest publication of its channel serves is live",
    ),
    Guard(
        "release_with_a_publication_goes_live",
        table="releases_release",
        event="UPDATE",
        condition="NEW.state <> OLD.state AND NEW.state NOT IN ('published', 'superseded')"
        " AND EXISTS (SELECT 1 FROM releases_publication WHERE release_id = NEW.id)",
        message="wrong_state: what has a publication is published, or superseded",
    ),
    Guard(
        "release_taken_back_without_its_digest",
        table="releases_release",
        event="UPDATE",
        condition="NEW.state = 'draft' AND OLD.state <> 'draft'"
        " AND (NEW.manifest_id IS NOT NULL OR NEW.submitted_at IS NOT NULL)",
        message="stale_digest: a draft has no digest until it is submitted again",
    ),
    Guard(
        "release_stays",
        table="releases_release",
        event="DELETE",
        message="append_only: a release is withdrawn, never removed",
    ),
    Guard(
        "involvement_of_drafts",
        table="releases_involvement",
        event="INSERT",
        condition=FIRST.NOT_A_DRAFT.format(row="NEW"),
        message="release_closed: only a draft is worked on",
    ),
    Guard(
        "manifest_is_of_its_digest",
        table="releases_manifest",
        event="UPDATE",
        condition="NEW.digest <> OLD.digest OR NEW.path_count <> OLD.path_count"
        " OR (NEW.file_sha256 <> OLD.file_sha256 AND NEW.revision <> OLD.revision + 1)",
        message="manifest_fixed: a manifest gets newer content codings with its next revision, nothing else",
    ),
]
OF_PUBLICATIONS = [
    Guard(
        "publication_of_approved",
        table="releases_publication",
        event="INSERT",
        condition=f"""
            NEW.kind = 'publish' AND NOT (
                {IS_IN_STATE.format(state="approved")} AND {HAS_ENOUGH.format(release="NEW.release_id")}
                OR {IS_IN_STATE.format(state="in_review")} AND {IN_THIS_EMERGENCY})
        """,
        message="not_approved: only an approved digest is published, on the channel it was made for",
    ),
    Guard(
        "publication_on_what_is_live",
        table="releases_publication",
        event="INSERT",
        condition="NEW.kind = 'publish' AND COALESCE((SELECT base_manifest_id FROM releases_release"
        f" WHERE id = NEW.release_id), '') <> COALESCE({IS_LIVE.format(column='manifest_id')}, '')",
        message="base_moved: the channel serves something else than what the release was begun on",
    ),
    Guard(
        "emergency_asked_by_who_may",
        table="releases_emergencyrequest",
        event="INSERT",
        condition=f"NOT {MAY_IN_EMERGENCY.format(person='NEW.asked_by_id')}",
        message="forbidden: only who has the permission for it asks for an emergency publish",
    ),
    Guard(
        "emergency_confirmed_by_another",
        table="releases_emergencypublication",
        event="INSERT",
        condition=f"""
            EXISTS (SELECT 1 FROM releases_emergencyrequest
                    WHERE id = NEW.request_id AND asked_by_id = NEW.confirmed_by_id)
            OR {REVIEW.HAS_PART.format(release=EMERGENCIES.OF_RELEASE, person="NEW.confirmed_by_id")}
            OR NOT {MAY_IN_EMERGENCY.format(person="NEW.confirmed_by_id")}
        """,
        message="self_approval: an emergency publish is confirmed by neither who asked nor an author",
    ),
    Guard(
        "schedule_ends_by_a_roll_back",
        table="releases_schedule",
        event="UPDATE",
        condition="NEW.state IN ('done', 'late') AND NEW.action = 'end' AND NOT EXISTS ("
        "SELECT 1 FROM releases_publication WHERE id = NEW.publication_id AND kind = 'rollback'"
        " AND release_id <> NEW.release_id"
        " AND channel_id = (SELECT channel_id FROM releases_release WHERE id = NEW.release_id))",
        message="wrong_schedule: what has ended was rolled back from",
    ),
]


class Migration(migrations.Migration):
    dependencies = [("releases", "0016_channel_proposals")]

    operations = [*map(RemoveGuard, BEFORE), *OF_RELEASES, *OF_PUBLICATIONS]
