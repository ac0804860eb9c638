"""What the migrations of cache rules do to versions that are there, and to the guards of their table."""

from pathlib import Path

import pytest
from django.db import IntegrityError
from pytest_django import DjangoDbBlocker

from tests.migrating import migrating

WORDS = {"name": "x", "match": {}, "policy": {}, "expected_result": "better", "rollback_note": "go back"}


def test_versions_become_active_and_go_back_unharmed(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock(), migrating(tmp_path) as database:
        database.to("caching", "0002_guards")
        eva = database.rows("accounts.User").create(username="eva")
        rule = database.rows("caching.CacheRule").create(slug="x")
        made = {"rule_id": rule.pk, "order": 1, "owner_id": eva.pk, "created_by_id": eva.pk, **WORDS}
        database.rows("caching.CacheRuleVersion").create(number=1, **made)
        for name in ("0003_state_and_combination", "0002_guards", "0003_state_and_combination"):
            database.to("caching", name)
            versions = database.rows("caching.CacheRuleVersion")
            assert versions.get().name == "x"
            with pytest.raises(IntegrityError, match="append_only"):
                versions.update(name="y")
        assert versions.get().state == "active"
        with pytest.raises(IntegrityError, match="known_state"):
            versions.create(number=2, state="odd", **made)
        for name in ("0004_reason", "0003_state_and_combination", "0004_reason"):
            database.to("caching", name)
            with pytest.raises(IntegrityError, match="append_only"):
                database.rows("caching.CacheRuleVersion").update(name="y")
        assert database.rows("caching.CacheRuleVersion").get().reason == ""
        chosen = database.rows("caching.RuleCombination")
        with pytest.raises(IntegrityError):
            chosen.create(combination="merge", reason="", chosen_by_id=eva.pk)
        chosen.create(combination="merge", reason="Fonts need CORS.", chosen_by_id=eva.pk)
        with pytest.raises(IntegrityError, match="append_only"):
            chosen.update(combination="first")
