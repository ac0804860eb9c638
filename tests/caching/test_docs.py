"""The documentation of the rules says what the program does."""

import json
import re
import shlex
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from apps.caching.defaults import DEFAULT_RULES
from apps.caching.evaluation import evaluate
from apps.caching.examples import guess_media_type, run_examples
from apps.caching.headers import cache_control
from apps.caching.remarks import remarks
from apps.caching.rules import Match, Policy
from apps.caching.selectors import as_rules
from apps.caching.serialisation import as_json, parse_examples
from apps.observability.management.commands.rule import Command
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
    section = TEXT.partition("\n## Examples\n")[2]
    lines = [json.loads(line) for line in section.splitlines() if line.startswith('    {"url"')]
    results = run_examples(as_rules(shipped), parse_examples(lines))
    assert [result.is_ok for result in results] == [True, True, True]


def test_a_file_without_rule_gets_what_is_written() -> None:
    headers = evaluate((), "/a.css", media_type=guess_media_type("a.css")).headers
    assert f"Cache-Control: {dict(headers)['cache-control']}`" in TEXT


def test_the_first_rule_can_be_checked_and_saved_as_it_is_written(shipped: Shipped, tmp_path: Path) -> None:
    file = tmp_path / "fonts.json"
    [written] = re.findall(r"^```json\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    file.write_text(written)
    output = StringIO()
    call_command("rule", "check", "--file", str(file), stdout=output)
    assert "✓ It can be saved." in output.getvalue()
    assert "✕" not in output.getvalue()
    assert "would not hold any more" not in output.getvalue()
    call_command("rule", "save", str(file), stdout=output)
    assert "fonts" not in remarks()


@pytest.mark.parametrize("line", re.findall(r"^    scripts/manage rule (.*)$", TEXT, re.MULTILINE))
def test_each_command_is_one(line: str) -> None:
    Command().create_parser("manage", "rule").parse_args(shlex.split(line))


def test_all_subcommands_are_listed() -> None:
    usage = Command().create_parser("manage", "rule").format_help()
    table = set(re.findall(r"^\| `(\w+)", TEXT.partition("### All the commands")[2], re.MULTILINE))
    assert {name for name in table if f"    {name} " in usage} >= {"list", "show", "check", "save", "release"}
    assert set(re.findall(r"^    (\w+)  ", usage, re.MULTILINE)) <= table
