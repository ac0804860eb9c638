"""The documentation of imports says what the program does."""

from argparse import Action

import pytest
from django.conf import settings
from django.core.management import BaseCommand, load_command_class

from apps.imports.directory import LITTER
from apps.imports.exceptions import NAMED_FAULTS, ChannelMoved, SourceRefused

TEXT = (settings.BASE_DIR / "docs" / "importing.md").read_text()


def options_of(command: BaseCommand) -> set[str]:
    actions: list[Action] = command.create_parser("manage", "import")._actions
    return {name for action in actions for name in action.option_strings}


OWN_OPTIONS = sorted(options_of(load_command_class("apps.imports", "import")) - options_of(BaseCommand()))


@pytest.mark.parametrize("option", OWN_OPTIONS)
def test_each_option_is_explained(option: str) -> None:
    assert f"`{option}" in TEXT


@pytest.mark.parametrize("name", sorted(LITTER))
def test_each_name_that_is_passed_over_is_listed(name: str) -> None:
    assert f"`{name}`" in TEXT


def test_codes_and_limits_are_those_of_the_program() -> None:
    assert f'"{SourceRefused.code}"' in TEXT
    assert f"`{ChannelMoved.code}`" in TEXT
    assert f"first {NAMED_FAULTS} names" in TEXT
