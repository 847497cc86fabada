"""Every command that help lists is there, and explains itself; every promised document is there."""

from __future__ import annotations

import importlib

import click
import pytest
from architecture.tree import ROOT

from innkeeper.cli.main import COMMANDS


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_listed_command_exists_and_explains_itself(name: str) -> None:
    module, summary = COMMANDS[name]
    command = importlib.import_module(f"innkeeper.cli.{module}").command
    assert isinstance(command, click.Command)
    assert summary.endswith(".")
    assert command.help or command.short_help
    if isinstance(command, click.Group):
        silent = [child.name for child in command.commands.values() if not (child.help or child.short_help)]
        assert command.commands
        assert silent == []


@pytest.mark.parametrize("kind", ["channel", "step", "operator", "gate", "signature"])
def test_adding_one_has_a_checklist(kind: str) -> None:
    assert (ROOT / "docs" / f"add-a-{kind}.md").is_file()
