"""The names that a log has seen."""

from __future__ import annotations

from pathlib import Path

from innkeeper.events.types import LogRow
from innkeeper.runtime.known import known_names
from innkeeper.store.log import Log


def _row(number: int, name: str, properties: str, traits: str = "{}", source: str = "shop") -> LogRow:
    return LogRow(source, f"m{number}", "track", name, "ana", None, number, number, properties, traits)


def test_a_workspace_without_a_log_has_seen_nothing(tmp_path: Path) -> None:
    assert known_names(tmp_path) is None


def test_names_come_from_sealed_and_fresh_events_alike(tmp_path: Path) -> None:
    with Log.open(tmp_path) as log:
        log.append([_row(1, "Signed Up", '{"plan":"pro"}', '{"email":"a@example.com"}'), _row(2, "Login", "{}")])
        log.seal(force=True)
        log.append([_row(3, "Signed Up", '{"coupon":null,"plan":"free"}', '{"city":"Porto"}')])
        log.append([_row(4, "Stage Changed", '{"stage":"evaluation"}', source="innkeeper")])
    found = known_names(tmp_path)
    assert found is not None
    assert found.events == {"Signed Up": frozenset({"plan", "coupon"}), "Login": frozenset()}
    assert found.traits == {"email", "city"}
