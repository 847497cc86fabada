"""The two example strategies are valid, and the invented year is what their strategy declares."""

from __future__ import annotations

from pathlib import Path

import pytest

from innkeeper.events.parse import Parser
from innkeeper.events.types import LogRow
from innkeeper.kernel.json import dumps_bytes, loads
from innkeeper.kernel.time import parse_instant
from innkeeper.runtime.harbour_house import generate
from innkeeper.strategy.folder import read_folder
from innkeeper.strategy.load import load
from innkeeper.strategy.types import Definitions

END = parse_instant("2026-11-22T00:00:00Z")


def _load(name: str) -> Definitions:
    return load(read_folder(Path(__file__).parents[2] / "examples" / name), known=None)


@pytest.mark.parametrize("name", ["harbour-house", "online-retail"])
def test_an_example_passes_check_knowing_nothing_of_any_log(name: str) -> None:
    definitions = _load(name)
    assert definitions.journeys
    assert definitions.messages
    assert definitions.stages
    assert {message.purpose for message in definitions.messages.values()} <= definitions.policies.purposes.keys()


def test_the_house_speaks_the_languages_of_its_guests() -> None:
    locales = {variant.locale for message in _load("harbour-house").messages.values() for variant in message.variants}
    assert {"en", "nl", "de", "ru", "zh"} <= locales


def test_every_invented_event_is_parsed_and_declared() -> None:
    declared = _load("harbour-house").workspace.events
    own = {
        "Identified", "Grouped", "Consent Given", "Consent Withdrawn", "Message Opened", "Suppressed", "Memory Noted",
    }  # fmt: skip
    own |= {"Item Updated", "Item Requested", "Left Account", "Account Updated"}
    parser = Parser(source="import", received_at=END)
    seen: set[str] = set()
    for line in generate(11, 150, END):
        row = parser.parse(dumps_bytes(line))
        assert isinstance(row, LogRow), row
        seen.add(row.name)
        if row.name not in own:
            assert loads(row.properties).keys() <= declared[row.name], row.name
    assert declared.keys() - {"Referral Made", "No Show Recorded"} <= seen
    assert seen - own <= declared.keys()
