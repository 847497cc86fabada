"""The ledger, the deliverer and a real mail server: what each says of a delivery agrees with the others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fakes.delivery_lives import delivery_of
from fakes.ledger import DEFINITIONS, NOON, open_state, plan, planned, states
from fakes.smtp import DROP, HOLD, Act, Script, Server

from innkeeper.channels.email_smtp import SmtpProvider
from innkeeper.kernel.time import DAY, MINUTE
from innkeeper.runtime.deliver import Deliverer
from innkeeper.store.state import State
from innkeeper.strategy.read_smtp import SmtpSettings


@contextmanager
def sending(
    home: Path, script: Script, *, count: int, connections: int = 4, slow: float = 60
) -> Iterator[tuple[Deliverer, State, Server]]:
    """A workspace with planned deliveries, whose mail goes to a server."""
    server = Server(script)
    settings = SmtpSettings(
        host="localhost", port=server.port, security="none", sender="desk@hotel.example", username_env=None,
        password_env=None, connections=connections, hello=None, ca_file=None, unsubscribe=None,
    )  # fmt: skip
    provider = SmtpProvider(settings, slow_seconds=slow, rest_seconds=0)
    provider.open()
    try:
        with open_state(home) as state:
            plan(state, *(planned(number, expires_at=NOON + 9 * DAY) for number in range(count)))
            deliverer = Deliverer(state, DEFINITIONS, {"email": provider}, slots=2, slow_seconds=slow)
            yield deliverer, state, server
            deliverer.close()
    finally:
        server.stop()


def test_each_answer_ends_as_it_says(tmp_path: Path) -> None:
    def script(step: str, who: str, times: int) -> str | Act | None:
        match step, who.partition("@")[0]:
            case "RCPT", "u0":
                return "550 5.1.1 <u0@example.com> is nobody"
            case "RCPT", "u1":
                return "450 4.7.1 not yet" if times == 1 else None
            case "dot", "u2":
                return "554 5.7.1 looks like spam"
            case "dot", "u3":
                return DROP
            case "DATA", "u4":
                return DROP if times == 1 else None
        return None

    with sending(tmp_path, script, count=7) as (deliverer, state, server):
        deliverer.deliver(now=NOON)
        put_off = {name for name, (after, _) in states(state).items() if after == "planned"}
        assert put_off == {"d-1", "d-4"}
        deliverer.deliver(now=NOON + MINUTE)
        found = states(state)
        assert found == {
            "d-0": ("rejected", "bad_address 550 5.1.1: <u…@example.com> is nobody"),
            "d-2": ("rejected", "policy 554 5.7.1: looks like spam"),
            "d-3": ("in_doubt", "the connection was lost after the final dot"),
            **{f"d-{number}": ("accepted", "") for number in (1, 4, 5, 6)},
        }
        taken = sorted(delivery_of(content) for _, content in server.accepted)
        assert taken == sorted(name for name, (after, _) in found.items() if after in ("accepted", "in_doubt"))
        row = state.connection.execute("SELECT provider_id FROM deliveries WHERE id = 'd-5'").fetchone()
        assert row == ("2.0.0 queued as 42",)


def test_late_last_answers_hold_up_neither_other_mail_nor_the_engine(tmp_path: Path) -> None:
    late = {f"u{number}@example.com" for number in range(3)}

    def script(step: str, who: str, _: int) -> Act | None:
        return HOLD if step == "dot" and who in late else None

    # More answers are late than there are slots, and than connections that count.
    with sending(tmp_path, script, count=12, connections=1, slow=0) as (deliverer, state, server):
        ends: set[str] = set()
        deadline = time.monotonic() + 120
        while len(ends) < 9:
            assert time.monotonic() < deadline, states(state)
            ends.update(deliverer.deliver(now=NOON, seconds=0.01))
        assert {name for name, (after, _) in states(state).items() if after != "accepted"} == {"d-0", "d-1", "d-2"}
        for _ in late:
            assert server.held.acquire(timeout=60)
        assert {states(state)[f"d-{number}"] for number in range(3)} == {("committing", "")}
        server.release()
        while len(ends) < 12:
            assert time.monotonic() < deadline, states(state)
            ends.update(deliverer.deliver(now=NOON, seconds=0.01))
        assert set(states(state).values()) == {("accepted", "")}
        assert sorted(delivery_of(content) for _, content in server.accepted) == sorted(states(state))
