"""The loop of `up` when more is due than one tick takes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fakes.smtp import HOLD, Server
from support.workspace import Workspace, event, identify, message

from innkeeper.kernel.time import DAY, FixedClock, parse_instant
from innkeeper.runtime import live
from innkeeper.runtime.replay import replay
from innkeeper.store.log import Log
from innkeeper.store.state import State

STRATEGY = {
    "messages/offer.md": message("Offer", purpose="offers"),
    "messages/guide.md": message("Guide", purpose="stay"),
    "journeys/sell.yaml": "enter: {event: Login}\nsteps: [{wait: 1 day}, {send: offer}]\n",
    "journeys/serve.yaml": "enter: {event: Booking}\nsteps: [{wait: 1 day}, {send: guide}]\n",
}


def test_service_timers_come_before_marketing_ones_and_take_half_a_tick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path)
    workspace.apply(STRATEGY)
    for number in range(9):
        name, who = ("Booking", f"b{number}") if number >= 6 else ("Login", f"a{number}")
        at = f"2026-01-02T09:00:0{number}Z"
        workspace.add(identify(who, at, email=f"{who}@example.com", first_name=who), event(name, who, at))
    workspace.run("2026-01-02T12:00:00Z", deliver="file")
    monkeypatch.setattr(live, "TICK", 8)
    clock = FixedClock(parse_instant("2026-01-04T00:00:00Z"))
    sent: list[list[str]] = []
    with Log.open(tmp_path, read_only=True) as log, State.open(tmp_path) as state:
        loop = live.Live(tmp_path, log, state, clock)
        while loop.step():
            rows = state.connection.execute("SELECT subject FROM deliveries ORDER BY subject").fetchall()
            sent.append([subject for (subject,) in rows if subject not in [each for page in sent for each in page]])
        loop.deliverer.close()
    # All marketing timers are older than the service ones; four of nine fit into the first tick.
    assert [sorted(page) for page in sent if page] == [
        ["user_id:a0", "user_id:b6", "user_id:b7", "user_id:b8"],
        ["user_id:a1", "user_id:a2", "user_id:a3", "user_id:a4"],
        ["user_id:a5"],
    ]
    assert replay(tmp_path).different == 0


def test_a_mail_server_that_answers_late_keeps_the_engine_from_nothing(tmp_path: Path) -> None:
    server = Server(lambda step, who, _: HOLD if step == "dot" and who.startswith("late") else None)
    workspace = Workspace(tmp_path)
    channels = f"email: {{provider: smtp, from: a@b.example, host: localhost, port: {server.port}, security: none}}\n"
    workspace.apply({**STRATEGY, "channels.yaml": channels})
    for who in ("late", "soon"):
        workspace.add(
            identify(who, "2026-01-02T09:00:00Z", email=f"{who}@example.com", first_name=who),
            event("Booking", who, "2026-01-02T09:00:01Z"),
        )
    workspace.run("2026-01-02T12:00:00Z")
    with Log.open(tmp_path, read_only=True) as log, State.open(tmp_path) as state:
        clock = FixedClock(parse_instant("2026-01-03T12:00:00Z"))
        loop = live.Live(tmp_path, log, state, clock)

        def step_until(**expected: str) -> None:
            deadline = time.monotonic() + 60
            while True:
                rows = state.connection.execute("SELECT address, state FROM deliveries").fetchall()
                if {address.partition("@")[0]: now for address, now in rows} == expected:
                    return
                assert time.monotonic() < deadline, rows
                loop.step()

        step_until(late="committing", soon="accepted")
        # The engine takes time on while the answer is out.
        clock.instant += DAY
        loop.step()
        assert loop.cursor.clock == clock.instant
        server.release()
        step_until(late="accepted", soon="accepted")
        loop.deliverer.close()
    server.stop()
    assert sorted(who for who, _ in server.accepted) == ["late@example.com", "soon@example.com"]
