"""The names that a log has seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from innkeeper.events.types import LogRow
from innkeeper.kernel.json import dumps
from innkeeper.runtime import known
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


def test_a27_of_every_kind_so_many_are_known_and_doctor_says_what_is_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in known.MOST:
        monkeypatch.setitem(known.MOST, kind, 5)
    with Log.open(tmp_path) as log:
        for n in range(12):
            of_group = _row(100 + n, "", "{}")._replace(type="group", extra=dumps({"traits": {f"a{n}": 1}}))
            updated = _row(200 + n, "Account Updated", dumps({"account_id": "acme", "set": {f"b{n}": 1}}))
            noted = _row(300 + n, "Memory Noted", dumps({"about": f"m{n}"}))
            log.append([_row(n, f"E{n}", "{}", dumps({f"t{n}": 1})), of_group, updated, noted])
            log.append([_row(400 + n, "Many", dumps({f"p{n}": 1}))])
    found = known_names(tmp_path)
    assert found is not None
    sizes = (found.events, found.events["Many"], found.traits, found.account_traits, found.memories)
    assert [len(each) for each in sizes] == [5] * 5
    said = " ".join(finding.message for finding in known.too_many_names(tmp_path))
    for many in ("16 event names", "12 traits", "24 account traits", "12 memories", "12 properties"):
        assert many in said
