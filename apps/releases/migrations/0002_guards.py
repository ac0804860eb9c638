from django.db import migrations

from apps.audit.guards import Guard, append_only

TRANSITIONS = (
    "draft>in_review",
    "draft>withdrawn",
    "in_review>approved",
    "in_review>draft",
    "in_review>rejected",
    "in_review>withdrawn",
    "approved>draft",
    "approved>published",
    "approved>withdrawn",
    "rejected>draft",
    "published>superseded",
    "superseded>published",
)

NOT_A_DRAFT = "(SELECT state FROM releases_release WHERE id = {row}.release_id) <> 'draft'"
LIVE_BEFORE = "EXISTS (SELECT 1 FROM releases_publication WHERE channel_id = NEW.channel_id)"
ENOUGH_APPROVALS = """
    (SELECT count(*) FROM releases_approval AS approval
     JOIN releases_release AS approved ON approved.id = approval.release_id
     WHERE approval.release_id = {release} AND approval.manifest_id = NEW.manifest_id
     AND approval.approver_id NOT IN (approved.created_by_id, approved.owner_id)
     AND NOT EXISTS (SELECT 1 FROM releases_change
                     WHERE release_id = {release} AND author_id = approval.approver_id))
    >= (SELECT required_approvals FROM releases_channel WHERE id = NEW.channel_id)
"""
CONTENT = ("manifest_id", "base_id", "base_manifest_id", "channel_id", "created_by_id", "owner_id")
BRIEF = (
    "title",
    "expected_result",
    "rollback_note",
    "route",
    "expected_input",
    "failing_command",
    "noticed_at",
)


def _differs(column: str) -> str:
    # Neither database has an empty string or a negative number in these columns.
    nothing = "''" if column in ("manifest_id", "base_manifest_id", *BRIEF) else "-1"
    return f"COALESCE(NEW.{column}, {nothing}) <> COALESCE(OLD.{column}, {nothing})"


def _closed(table: str) -> list[Guard]:
    """Guards that let rows of `table` change only while their release is a draft."""
    return [
        Guard(
            f"{table}_only_of_drafts_{event.lower()}",
            table=table,
            event=event,
            condition=" OR ".join(NOT_A_DRAFT.format(row=row) for row in rows),
            message="release_closed: only a draft can be changed",
        )
        for event, rows in (("INSERT", ("NEW",)), ("UPDATE", ("NEW", "OLD")), ("DELETE", ("OLD",)))
    ]


class Migration(migrations.Migration):
    dependencies = [("releases", "0001_initial"), ("audit", "0002_guards")]

    operations = [
        *append_only("releases_publication"),
        *append_only("releases_approval"),
        *_closed("releases_change"),
        *_closed("releases_release_rules"),
        Guard(
            "release_content_only_of_drafts",
            table="releases_release",
            event="UPDATE",
            condition="OLD.state <> 'draft' AND NEW.state <> 'draft' AND ("
            + " OR ".join(_differs(column) for column in (*CONTENT, *BRIEF))
            + ")",
            message="release_closed: only a draft can be changed",
        ),
        Guard(
            "release_transition",
            table="releases_release",
            event="UPDATE",
            condition="OLD.state <> NEW.state AND (OLD.state || '>' || NEW.state) NOT IN ("
            + ", ".join(f"'{transition}'" for transition in TRANSITIONS)
            + ")",
            message="wrong_state: a release cannot go from that state to this one",
        ),
        Guard(
            "release_begins_as_draft",
            table="releases_release",
            event="INSERT",
            condition="NEW.state <> 'draft'",
            message="wrong_state: a release begins as a draft",
        ),
        Guard(
            "release_approved_by_enough",
            table="releases_release",
            event="UPDATE",
            condition=f"NEW.state = 'approved' AND OLD.state <> 'approved' AND {LIVE_BEFORE}"
            f" AND NOT {ENOUGH_APPROVALS.format(release='NEW.id')}",
            message="approvals_missing: fewer people have approved this digest than the channel asks for",
        ),
        Guard(
            "approval_not_of_own_work",
            table="releases_approval",
            event="INSERT",
            condition="""
                EXISTS (SELECT 1 FROM releases_release WHERE id = NEW.release_id
                        AND (created_by_id = NEW.approver_id OR owner_id = NEW.approver_id))
                OR EXISTS (SELECT 1 FROM releases_change
                           WHERE release_id = NEW.release_id AND author_id = NEW.approver_id)
            """,
            message="self_approval: nobody approves what they own or added to",
        ),
        Guard(
            "approval_of_what_is_in_review",
            table="releases_approval",
            event="INSERT",
            condition="NOT EXISTS (SELECT 1 FROM releases_release WHERE id = NEW.release_id"
            " AND manifest_id = NEW.manifest_id AND state = 'in_review')",
            message="stale_digest: only the digest that is in review can be approved",
        ),
        Guard(
            "publication_in_order",
            table="releases_publication",
            event="INSERT",
            condition="NEW.sequence <> 1 + COALESCE((SELECT max(sequence) FROM releases_publication"
            " WHERE channel_id = NEW.channel_id), 0)",
            message="wrong_sequence: publications of a channel are numbered without gaps",
        ),
        Guard(
            "publication_of_approved",
            table="releases_publication",
            event="INSERT",
            condition=f"""
                NEW.kind = 'publish' AND (
                    NOT EXISTS (SELECT 1 FROM releases_release
                                WHERE id = NEW.release_id AND state = 'approved'
                                AND manifest_id = NEW.manifest_id AND channel_id = NEW.channel_id)
                    OR ({LIVE_BEFORE} AND NOT {ENOUGH_APPROVALS.format(release="NEW.release_id")})
                )
            """,
            message="not_approved: only an approved digest is published, on the channel it was made for",
        ),
        Guard(
            "rollback_to_an_earlier_publication",
            table="releases_publication",
            event="INSERT",
            condition="""
                NEW.kind = 'rollback' AND NOT EXISTS (
                    SELECT 1 FROM releases_publication WHERE id = NEW.returns_to_id
                    AND channel_id = NEW.channel_id AND manifest_id = NEW.manifest_id
                    AND release_id = NEW.release_id)
            """,
            message="wrong_rollback: a roll back serves exactly what an earlier publication served",
        ),
    ]
