"""Who has what when, in bulk: the edges that random histories do not reach."""

from __future__ import annotations

from pathlib import Path

from oracle.audience_world import World

from innkeeper.audiences import Catalog, parse
from innkeeper.audiences.ask import Question
from innkeeper.audiences.owners import Owners
from innkeeper.events.types import Event, to_row
from innkeeper.identity.namespaces import DEFAULT_RULES
from innkeeper.store.bulk import Bulk
from innkeeper.store.log import Log


def order(number: int, user: str) -> Event:
    return Event(
        seq=number, source="shop", message_id=f"m{number}", type="track", name="Order Completed", user_id=user,
        timestamp=number, received_at=number, properties={"total": 100.5},
    )  # fmt: skip


def test_sums_are_right_where_nobody_has_a_browser(tmp_path: Path) -> None:
    """DuckDB 2.0.0 answers wrongly where a filter leaves the right side of an outer join empty."""
    with Log.open(tmp_path) as log:
        log.append([to_row(order(number, f"u{number % 3}")) for number in range(3_000)])
    asked = Question(parse("sum('Order Completed', total) > 3000"), Catalog(), at=1_000)
    with Bulk.open(tmp_path, properties=asked.properties) as bulk:
        assert asked.members(bulk.rows) == ["user_id:u0", "user_id:u1", "user_id:u2"]


def test_the_tables_are_made_once_for_a_picture_and_anew_for_other_words() -> None:
    word = Event(
        seq=9, source="cli", message_id="w", type="track", name="Link Added", user_id="u0", timestamp=50,
        received_at=50, properties={"a": "u0", "b": "u1"},
    )  # fmt: skip
    world = World([order(1, "u0"), order(2, "u1"), word])
    made = Owners.of(world.run, DEFAULT_RULES)
    assert Owners.of(world.run, DEFAULT_RULES).subjects(50) == made.subjects(50)
    assert made.subjects(49) == {}
    assert made.subjects(50) == {"user_id:u1": "user_id:u0"}
    assert made.timeline(60) == {"user_id:u1": [(50, "user_id:u0")], "user_id:u0": []}
