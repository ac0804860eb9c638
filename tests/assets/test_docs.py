"""docs/tags.md: what it tells people to type does what it says, and names every subcommand."""

import re
import shlex
from argparse import ArgumentParser
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command

from apps.accounts.models import User
from apps.assets.management.commands.asset import Command
from apps.assets.models import Tagging
from apps.assets.services import ensure_assets

TEXT = (settings.BASE_DIR / "docs" / "tags.md").read_text()
TYPED = re.findall(r"^    scripts/manage (asset .*)$", TEXT, re.MULTILINE)


@pytest.mark.django_db
def test_what_people_are_told_to_type_works(administrator: User) -> None:
    ensure_assets(["img/hero.jpg", "img/summer/a.jpg", "img/summer/b.jpg"])
    said = []
    for line in TYPED:
        words = shlex.split(line)
        if words[1] == "undo":
            words[2] = str(Tagging.objects.latest("pk").pk)
        out = StringIO()
        call_command(*words, stdout=out)
        said.append(out.getvalue())
    assert "given to one file" in said[0]
    assert "would be given to 2 files. Nothing was done" in said[1]
    assert "given to 2 files" in said[2]
    assert "summer was given to 3 files; the tag summer-sale was taken from 3 files" in said[3]
    assert said[4].count("summer\n") == 3
    assert "summer-sale was given to 3 files" in said[5]


def test_every_subcommand_is_documented_with_its_options() -> None:
    parser = Command().create_parser("manage", "asset")
    (subcommands,) = [action.choices for action in parser._actions if isinstance(action.choices, dict)]
    table = dict(re.findall(r"^\| `(?!scripts/)(\w+)(.*)\|$", TEXT, re.MULTILINE))
    assert set(table) == set(subcommands)
    for name, said in table.items():
        for option in options_of(subcommands[name]) - {"--json", "--as", "--reason"}:
            assert option in said, (name, option)


def options_of(parser: ArgumentParser) -> set[str]:
    ours = (
        parser._option_string_actions.keys() - Command().create_parser("", "")._option_string_actions.keys()
    )
    return {option for option in ours if option.startswith("--")}
