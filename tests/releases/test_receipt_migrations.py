"""The tables of receipts and drills come and go beside a history that is there, with their guards."""

from pathlib import Path

import pytest
from django.db import IntegrityError
from pytest_django import DjangoDbBlocker

from tests.migrating import migrating
from tests.releases.test_migrations import publish_one

AT = "2026-01-01T00:00Z"


def test_a_history_from_before_there_were_receipts_stays_without(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock(), migrating(tmp_path) as database:
        database.to("releases", "0005_retained_names")
        publish_one(database)
        for _ in range(2):
            database.to("releases", "0009_receipts")
            receipts = database.rows("releases.Receipt")
            assert not receipts.exists()
            publication = database.rows("releases.Publication").get()
            receipt = receipts.create(publication=publication)
            with pytest.raises(IntegrityError, match="receipt_has_a_verdict_when_finished"):
                receipts.update(verdict="verified")
            receipts.update(verdict="unknown", words="nobody looked", finished_at=AT)
            with pytest.raises(IntegrityError, match="receipt_closed"):
                receipts.update(words="")
            with pytest.raises(IntegrityError, match="receipt_closed"):
                database.rows("releases.ReceiptStep").create(
                    receipt=receipt, kind="node", number=0, subject="web-1", at=AT, is_good=True, words="x"
                )
            with pytest.raises(IntegrityError, match="append_only"):
                database.rows("releases.Publication").update(tag="another")

            database.to("releases", "0008_seals")
            assert database.rows("releases.Publication").get().tag == "production-1"


def test_drills_come_and_go_beside_a_history(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> None:
    with django_db_blocker.unblock(), migrating(tmp_path) as database:
        database.to("releases", "0005_retained_names")
        publish_one(database)
        for _ in range(2):
            database.to("releases", "0015_drills")
            publication = database.rows("releases.Publication").get()
            drills = database.rows("releases.Drill")
            row = {
                "release": publication.release, "manifest": publication.manifest, "actor": publication.actor,
                "channel": publication.channel, "earlier": publication, "published": publication,
                "started_at": AT,
            }  # fmt: skip
            with pytest.raises(IntegrityError, match="drill_open"):
                drills.create(**row, finished_at=AT, outcome="failed", words="before it began")
            drills.create(**row)
            with pytest.raises(IntegrityError, match="drill_has_an_outcome_when_finished"):
                drills.update(finished_at=AT, outcome="passed")
            drills.update(finished_at=AT, outcome="failed", words="nobody looked")
            with pytest.raises(IntegrityError, match="drill_finished"):
                drills.update(words="")

            database.to("releases", "0014_review")
            assert database.rows("releases.Publication").get().tag == "production-1"
