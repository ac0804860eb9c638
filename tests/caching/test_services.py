import pytest

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.caching.defaults import DEFAULT_RULES
from apps.caching.examples import run_examples
from apps.caching.selectors import as_rules, content_of, current_versions
from apps.caching.services import ensure_default_rules


@pytest.fixture
def x(administrator: User) -> None:
    ensure_default_rules(owner=administrator)


def test_the_shipped_rules_are_added_once(administrator: User) -> None:
    made = ensure_default_rules(owner=administrator)
    assert {version.rule.slug for version in made} == set(DEFAULT_RULES)
    assert ensure_default_rules(owner=administrator) == []
    assert AuditEntry.objects.filter(action="cacherule.ship").count() == 1
    rules = as_rules(current_versions())
    for version in current_versions():
        assert content_of(version) == DEFAULT_RULES[version.rule.slug]
        for result in run_examples(rules, content_of(version).examples):
            print(result.words)
            assert result.is_ok
