from base64 import b64encode
from itertools import groupby
from typing import Any

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from apps.audit.guards import Guard, append_only
from apps.releases.history.seals import Facts, genesis, hash_of, moment, statement_of
from apps.releases.history.signing import signing_key

_ROWS_AT_ONCE = 1_000


def seal_history(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Seal what was published before there were seals, as it is now: from here on it cannot change unseen."""
    alias = schema_editor.connection.alias
    publications = apps.get_model("releases", "Publication")._default_manager.using(alias)
    seals = apps.get_model("releases", "PublicationSeal")._default_manager.using(alias)
    in_order = publications.select_related("channel", "actor", "returns_to").order_by("channel", "sequence")
    for channel, history in groupby(in_order.iterator(chunk_size=2000), key=lambda each: each.channel):
        previous, key = genesis(channel.name), signing_key()
        made = []
        for publication in history:
            statement = statement_of(_facts(publication), previous=previous)
            seal = seals.model(
                publication=publication,
                channel=channel,
                sequence=publication.sequence,
                previous_hash=previous,
                statement=statement,
                hash=hash_of(statement),
                key_id=key.public.id,
                signature=b64encode(key.sign(statement.encode())).decode(),
            )
            previous = seal.hash
            made.append(seal)
        seals.bulk_create(made, batch_size=_ROWS_AT_ONCE)  # nobody publishes while this runs


def _facts(publication: Any) -> Facts:
    goal = publication.returns_to
    return Facts(
        channel=publication.channel.name,
        sequence=publication.sequence,
        release=publication.release_id,
        digest=publication.manifest_id,
        kind=publication.kind,
        returns_to=goal.sequence if goal else None,
        actor=publication.actor_id,
        actor_name=publication.actor.username,
        reason=publication.reason,
        tag=publication.tag,
        published_at=moment(publication.published_at),
    )


class Migration(migrations.Migration):
    dependencies = [
        ("releases", "0007_schedules"),
    ]

    operations = [
        migrations.CreateModel(
            name="PublicationSeal",
            fields=[
                (
                    "publication",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="seal",
                        serialize=False,
                        to="releases.publication",
                    ),
                ),
                ("sequence", models.PositiveIntegerField()),
                ("previous_hash", models.CharField(max_length=64)),
                (
                    "statement",
                    models.TextField(help_text="One line of JSON: what was published, by whom, and why."),
                ),
                (
                    "hash",
                    models.CharField(help_text="SHA-256 of the statement.", max_length=64, unique=True),
                ),
                ("key_id", models.CharField(max_length=16)),
                (
                    "signature",
                    models.CharField(help_text="Ed25519 of the statement, in base64.", max_length=88),
                ),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="releases.channel",
                    ),
                ),
            ],
            options={
                "ordering": ("channel", "-sequence"),
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("channel", "sequence"), name="one_seal_a_publication")
                ],
            },
        ),
        *append_only("releases_publicationseal"),
        Guard(
            "seal_follows_the_one_before",
            table="releases_publicationseal",
            event="INSERT",
            condition="""
                NEW.previous_hash <> COALESCE(
                    (SELECT hash FROM releases_publicationseal WHERE channel_id = NEW.channel_id
                     AND sequence < NEW.sequence ORDER BY sequence DESC LIMIT 1), NEW.previous_hash)
                OR EXISTS (SELECT 1 FROM releases_publicationseal
                           WHERE channel_id = NEW.channel_id AND sequence >= NEW.sequence)
                OR NOT EXISTS (SELECT 1 FROM releases_publication WHERE id = NEW.publication_id
                               AND channel_id = NEW.channel_id AND sequence = NEW.sequence)
            """,
            message="wrong_seal: a seal is of its own publication, and follows from the newest one",
        ),
        migrations.RunPython(seal_history, migrations.RunPython.noop),
    ]
