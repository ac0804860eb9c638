"""What services alone held, where a trigger can hold it: hosts, rejections, the hours of an emergency.

One small table is made, of hosts that no channel has any more; of all others only triggers change.
"""

import django.db.models.deletion
from django.db import migrations, models

from apps.audit.guards import Guard, Recording

VALID_SECONDS = 4 * 3600  # of `VALID_HOURS`, as it was when this was written

# As `asks_for_less` of the services: a channel whose visitors got something asks for more than another one.
ASKS_FOR_LESS = """
    EXISTS (SELECT 1 FROM releases_channel AS strict, releases_channel AS lax
            WHERE strict.id = {strict} AND lax.id = {lax} AND (
                lax.required_approvals < strict.required_approvals
                OR (strict.is_protected AND NOT lax.is_protected)
                OR (strict.approver_group_id IS NOT NULL
                    AND COALESCE(lax.approver_group_id, -1) <> strict.approver_group_id))
            AND EXISTS (SELECT 1 FROM releases_publication WHERE channel_id = strict.id))
"""
LESS_THAN_BEFORE = f"""
    EXISTS (SELECT 1 FROM releases_formerhost AS former
            WHERE (former.host = NEW.host OR NEW.host = '*')
            AND {ASKS_FOR_LESS.format(strict="former.channel_id", lax="NEW.channel_id")})
"""

GUARDS = [
    Guard(
        "host_moves_to_as_much",
        table="releases_channelhost",
        event="UPDATE",
        condition="NEW.host <> OLD.host OR NEW.channel_id <> OLD.channel_id AND ("
        f"{ASKS_FOR_LESS.format(strict='OLD.channel_id', lax='NEW.channel_id')} OR {LESS_THAN_BEFORE})",
        message="asks_for_less: a host goes on to a channel that asks for as much",
    ),
    Guard(
        "host_comes_to_as_much",
        table="releases_channelhost",
        event="INSERT",
        condition=LESS_THAN_BEFORE,
        message="asks_for_less: a host that another channel had goes on to one that asks for as much",
    ),
    Guard(
        "host_falls_to_as_much",
        table="releases_channelhost",
        event="DELETE",
        condition=f"""
            OLD.host <> '*' AND EXISTS (
                SELECT 1 FROM releases_channelhost AS every WHERE every.host = '*'
                AND {ASKS_FOR_LESS.format(strict="OLD.channel_id", lax="every.channel_id")})
        """,
        message="asks_for_less: without its host, a channel that asks for less would serve its visitors",
    ),
    Recording(
        "host_is_remembered",
        table="releases_channelhost",
        event="DELETE",
        condition="EXISTS (SELECT 1 FROM releases_publication WHERE channel_id = OLD.channel_id)",
        statement="INSERT INTO releases_formerhost (host, channel_id) VALUES (OLD.host, OLD.channel_id)"
        " ON CONFLICT DO NOTHING",
    ),
    Recording(
        "host_is_back",
        table="releases_channelhost",
        event="INSERT",
        statement="DELETE FROM releases_formerhost WHERE host = NEW.host",
    ),
    Guard(
        "former_host_stays",
        table="releases_formerhost",
        event="DELETE",
        condition="NOT EXISTS (SELECT 1 FROM releases_channelhost WHERE host = OLD.host)",
        message="append_only: whose a host was is forgotten when a channel has it again",
    ),
    Guard(
        "former_host_is_as_it_was",
        table="releases_formerhost",
        event="UPDATE",
        message="append_only: whose a host was is never changed",
    ),
    Guard(
        "release_rejected_with_a_reason",
        table="releases_release",
        event="UPDATE",
        condition="NEW.state = 'rejected' AND OLD.state = 'in_review' AND NOT EXISTS ("
        "SELECT 1 FROM releases_comment WHERE release_id = NEW.id AND kind = 'rejection')",
        message="reason_missing: a release is rejected by somebody who says why",
    ),
    Guard(
        "emergency_confirmed_in_time",
        table="releases_emergencypublication",
        event="INSERT",
        condition=f"""
            EXISTS (SELECT 1 FROM releases_emergencyrequest AS asked WHERE asked.id = NEW.request_id
                    AND abs(SECONDS(asked.asked_at, NEW.confirmed_at)) > {VALID_SECONDS})
        """,
        message="expired: what was asked for in an emergency is confirmed within four hours",
    ),
]


class Migration(migrations.Migration):
    dependencies = [("releases", "0021_purges")]

    operations = [
        migrations.CreateModel(
            name="FormerHost",
            fields=[
                ("host", models.CharField(max_length=253, primary_key=True, serialize=False)),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="releases.channel",
                    ),
                ),
            ],
            options={"default_permissions": ()},
        ),
        *GUARDS,
    ]
