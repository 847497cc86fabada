"""A house that cannot be opened, or not closed without an error, leaves nothing open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.time import FixedClock, parse_instant
from innkeeper.runtime.house import House, opened
from innkeeper.runtime.import_jobs import Imports
from innkeeper.runtime.ingest import Door
from innkeeper.runtime.webhook_intake import Webhooks
from innkeeper.store.access import Access
from innkeeper.store.imports import ImportTable
from innkeeper.store.log import Log
from innkeeper.store.state import State


def failing(*_: object) -> None:
    raise OperationFailed("the disk is full", code="disk-full")


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What has been closed, in its order."""
    told: list[str] = []

    def telling(kind: type, name: str) -> Callable[[Any], None]:
        close = getattr(kind, name)

        def closing(self: object) -> None:
            told.append(kind.__name__)
            close(self)

        return closing

    for kind, name in ((Imports, "stop"), (Webhooks, "close"), (Door, "stop"), (Access, "close")):
        monkeypatch.setattr(kind, name, telling(kind, name))
    return told


@contextmanager
def house(home: Path) -> Iterator[House]:
    home.mkdir()
    State.open(home, create=True).close()
    with Log.open(home) as log, opened(home, log, FixedClock(parse_instant("2026-11-25T12:00:00Z"))) as found:
        yield found


def test_where_imports_cannot_be_opened_the_rest_is_closed(
    tmp_path: Path, closed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImportTable, "open", failing)
    with pytest.raises(OperationFailed, match="is full"), house(tmp_path / "home"):
        raise AssertionError("it was opened")
    assert closed == ["Webhooks", "Access", "Door"]


def test_where_imports_cannot_be_stopped_the_rest_is_closed(
    tmp_path: Path, closed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImportTable, "close", failing)
    doors: list[Door] = []
    with pytest.raises(OperationFailed, match="is full"), house(tmp_path / "home") as found:
        doors.append(found.door)
    assert closed == ["Imports", "Webhooks", "Access", "Door"]
    assert not doors[0].writer._thread.is_alive()
