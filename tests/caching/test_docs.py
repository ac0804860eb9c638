"""The documentation of the rules says what the program does."""

import json
import re

import pytest
from django.conf import settings

from apps.caching.defaults import DEFAULT_RULES
from apps.caching.evaluation import evaluate
from apps.caching.examples import guess_media_type, run_examples
from apps.caching.headers import cache_control
from apps.caching.rules import Match, Policy
from apps.caching.selectors import as_rules
from apps.caching.serialisation import as_json, parse_examples
from tests.caching.conftest import Shipped

TEXT = (settings.BASE_DIR / "docs" / "cache-rules.md").read_text()


@pytest.mark.parametrize("slug", DEFAULT_RULES)
def test_each_shipped_rule_is_listed_with_its_order_and_its_header(slug: str) -> None:
    content = DEFAULT_RULES[slug]
    row = rf"^\| {content.order} \| `{slug}` \| .* \| `{re.escape(cache_control(content.policy))}` \|$"
    assert re.search(row, TEXT, re.MULTILINE)


@pytest.mark.parametrize("name", [*as_json(Match()), *as_json(Policy())])
def test_each_field_is_explained(name: str) -> None:
    assert f"`{name}`" in TEXT


def test_the_examples_hold(shipped: Shipped) -> None:
    lines = [json.loads(line) for line in TEXT.splitlines() if line.startswith('    {"url"')]
    results = run_examples(as_rules(shipped), parse_examples(lines))
    assert [result.is_ok for result in results] == [True, True, True]


def test_a_file_without_rule_gets_what_is_written() -> None:
    headers = evaluate((), "/a.css", media_type=guess_media_type("a.css")).headers
    assert f"Cache-Control: {dict(headers)['cache-control']}`" in TEXT
