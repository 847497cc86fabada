"""The way of outputs into the log while the door and the engine run side by side."""

from __future__ import annotations

from pathlib import Path

from innkeeper.runtime.outlet import Trimmer, drain, forward
from innkeeper.store.log import Log
from innkeeper.store.state import OutboxRow, State


def row(subject: str, at: int = 1_000) -> OutboxRow:
    return OutboxRow(at, f"user_id:{subject}", 1, 0, f"{subject}:1:0", "Audience Entered", subject, None, "{}", "{}")


def add(state: State, *rows: OutboxRow) -> None:
    with state.transaction():
        state.add_outbox(rows)


def test_rows_that_come_later_and_stand_before_the_mark_are_not_lost(tmp_path: Path) -> None:
    """A backlog of one instant is taken in many ticks: the second tick's subjects may sort before the first's."""
    with State.open(tmp_path, create=True) as state, Log.open(tmp_path) as log:
        trimmer = Trimmer(tmp_path)
        add(state, row("m"), row("z"))
        assert forward(tmp_path, state, log) == 2
        add(state, row("a"), row("n"))
        trimmer.trim(state)
        assert [one.user_id for one in state.outbox(10)] == ["a", "n"]
        assert forward(tmp_path, state, log) == 2
        trimmer.trim(state)
        assert state.outbox(10) == []
        assert sorted(str(event.user_id) for event in log.read(0, 10)) == ["a", "m", "n", "z"]


def test_a_mark_that_is_torn_or_lost_sends_rows_again_and_the_log_has_them_once(tmp_path: Path) -> None:
    with State.open(tmp_path, create=True) as state, Log.open(tmp_path) as log:
        add(state, row("m"), row("z"))
        forward(tmp_path, state, log)
        for torn in (b"", b"[[1000,", b'[1000,"user_id:m",1,0]'):
            (tmp_path / "outlet.mark").write_bytes(torn)
            Trimmer(tmp_path).trim(state)
            assert len(state.outbox(10)) == 2
            assert forward(tmp_path, state, log) == 2
        assert forward(tmp_path, state, log) == 0
        assert drain(state, log) == 2
        assert log.count() == 2
