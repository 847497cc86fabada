"""A small workspace for tests: strategy files, events, runs, and the command line in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from innkeeper.events.parse import Parser
from innkeeper.events.types import LogRow
from innkeeper.kernel.time import FixedClock, Instant, format_instant, parse_instant
from innkeeper.runtime import definitions
from innkeeper.runtime.run import Deliver, Report, run
from innkeeper.store.bulk import Bulk
from innkeeper.store.log import Log
from innkeeper.store.state import State

BASE = {
    "strategy.yaml": "name: test\nzone: UTC\nevents: {Order Completed: [total], Login: [],"
    " Booking: [booking_id, arrival], Booking Cancelled: [booking_id], Checked In: [booking_id]}\ntraits: [plan]\n",
    "policies.yaml": "purposes:\n  offers: {kind: marketing, basis: legitimate_interest}\n"
    "  stay: {kind: service, basis: contract}\n",
}


def message(subject: str = "Hello", *, purpose: str = "offers", body: str = "Hello {{ profile.first_name }}") -> str:
    """A message file."""
    return f"---\nchannel: email\npurpose: {purpose}\nsubject: {subject}\n---\n{body}\n"


def event(name: str, who: str | None, at: str, *, anonymous: str | None = None, id: str = "", **properties: Any) -> Any:
    """A track message; the id is made of what it says unless given."""
    return {
        "type": "track",
        "event": name,
        "userId": who,
        "anonymousId": anonymous,
        "timestamp": at,
        "messageId": id or f"{name}-{who}-{anonymous}-{at}-{json.dumps(properties, sort_keys=True)}",
        "properties": properties,
    }


def identify(who: str, at: str, *, anonymous: str | None = None, **traits: Any) -> Any:
    """An identify message."""
    return {
        "type": "identify",
        "userId": who,
        "anonymousId": anonymous,
        "timestamp": at,
        "messageId": f"identify-{who}-{anonymous}-{at}-{json.dumps(traits, sort_keys=True)}",
        "traits": traits,
    }


class Workspace:
    """One home with shortcuts."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)

    def apply(self, files: Mapping[str, str], *, at: str = "2026-01-01T00:00:00Z") -> None:
        """Put a strategy in force."""
        with State.open(self.home, create=True) as state:
            definitions.apply(state, {**BASE, **files}, parse_instant(at))

    def add(self, *events: Any, source: str = "import", received_at: str = "2026-01-01T00:00:00Z") -> None:
        """Append events to the log."""
        parser = Parser(source=source, received_at=parse_instant(received_at))
        rows = [row for row in (parser.parse(json.dumps(one).encode()) for one in events) if isinstance(row, LogRow)]
        assert len(rows) == len(events)
        with Log.open(self.home) as log:
            log.append(rows)

    def run(
        self,
        until: str,
        *,
        deliver: Deliver = "none",
        history_until: str | None = None,
        tick_size: int = 2_000,
        now: Instant | None = None,
    ) -> Report:
        """Advance to a time."""
        return run(
            self.home,
            until=parse_instant(until),
            history_until=None if history_until is None else parse_instant(history_until),
            deliver=deliver,
            clock=None if now is None else FixedClock(now),
            tick_size=tick_size,
        )

    def outputs(self, *names: str) -> list[tuple[str, str, dict[str, Any]]]:
        """The engine's outputs and receipts in the order of the log: (time, name, properties)."""
        with Bulk.open(self.home) as bulk:
            rows = bulk.rows(
                "SELECT ts, name, properties FROM events WHERE source = 'innkeeper' ORDER BY seq NULLS LAST", {}
            )
        return [(format_instant(ts), name, json.loads(props)) for ts, name, props in rows if not names or name in names]

    def log_lines(self) -> list[tuple[Any, ...]]:
        """Everything the engine wrote into the log, in order."""
        with Bulk.open(self.home) as bulk:
            return bulk.rows(
                "SELECT ts, identifier, message_id, name, properties, traits FROM events WHERE source = 'innkeeper'"
                " ORDER BY seq NULLS LAST",
                {},
            )

    def deliveries(self) -> list[tuple[str, str, str, str]]:
        """(planned at, message, state, reason) in order."""
        with State.open(self.home, readonly=True) as state:
            rows = state.connection.execute(
                "SELECT planned_at, message, state, reason FROM deliveries ORDER BY planned_at, id"
            ).fetchall()
        return [(format_instant(at), name, end, reason) for at, name, end, reason in rows]

    def decisions(self) -> list[dict[str, Any]]:
        """Decision records, oldest first."""
        from innkeeper.store.queries import decisions

        with State.open(self.home, readonly=True) as state:
            return decisions(state.connection)[::-1]

    def cli(self, *arguments: str, expect: int = 0) -> Any:
        """Run the command line with --json; what it printed, decoded."""
        done = self.shell("--json", *arguments)
        assert done.returncode == expect, f"{arguments} -> {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def shell(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run the command line in a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", "innkeeper", "--home", str(self.home), *arguments],
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, **(env or {})},
            check=False,
        )


def jsonl(path: Path, events: Iterable[Any]) -> Path:
    """Write events as JSON lines."""
    path.write_text("".join(json.dumps(one) + "\n" for one in events))
    return path
