"""Planned deliveries for tests, through the same projections that a tick writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from innkeeper.content.types import Message, Variant
from innkeeper.decisions.policy import Policies, Purpose
from innkeeper.events.outputs import ConsentRecorded, DeliveryPlanned, OptInRecorded, Output, SuppressionRecorded
from innkeeper.kernel.time import DAY, Instant, parse_instant
from innkeeper.store.projections import Projections
from innkeeper.store.state import State
from innkeeper.strategy.types import Definitions, Workspace

NOON: Instant = parse_instant("2026-03-02T12:00:00Z")

DEFINITIONS = Definitions(
    version="v1",
    workspace=Workspace(name="Harbour House", zone="Europe/Lisbon"),
    messages={
        "welcome": Message(
            name="welcome",
            channel="email",
            purpose="news",
            missing="abort",
            variants=(
                Variant(
                    locale="en",
                    subject="Welcome {{ profile.first_name }}",
                    body="Dear **{{ profile.first_name }}**, welcome to {{ workspace.name }}.",
                    format="markdown",
                ),
            ),
            version="m1",
        )
    },
    policies=Policies(
        purposes={
            "news": Purpose(name="news", kind="marketing", basis="legitimate_interest"),
            "strict": Purpose(name="strict", kind="marketing", basis="consent"),
            "receipt": Purpose(name="receipt", kind="transactional", basis="contract"),
        }
    ),
)


def planned(number: int | str, **changes: Any) -> DeliveryPlanned:
    """A planned delivery `d-NUMBER` for the user `uNUMBER`."""
    fields: dict[str, Any] = {
        "identifier": f"user_id:u{number}", "delivery_id": f"d-{number}", "message": "welcome", "channel": "email",
        "purpose": "news", "kind": "marketing", "topic": None, "journey": "hello", "version": "j1",
        "enrollment": f"e-{number}", "key": None, "step": "0", "address": f"u{number}@example.com",
        "expires_at": NOON + DAY, "quiet": None, "context": {"profile": {"first_name": f"Guest{number}"}},
    }  # fmt: skip
    return DeliveryPlanned(**(fields | changes))


def plan(state: State, *outputs: Output, at: Instant = NOON, virtual: bool = False) -> None:
    """Write outputs as a tick does."""
    projections = Projections()
    for output in outputs:
        projections.add(at, output.identifier, output, virtual=virtual)
    with state.transaction() as connection:
        projections.write(connection)


def consent(number: int | str, given: bool, **changes: Any) -> ConsentRecorded:
    """A word on consent of the user `uNUMBER`."""
    fields: dict[str, Any] = {"purpose": None, "channel": None, "topic": None, "at": NOON}
    return ConsentRecorded(identifier=f"user_id:u{number}", given=given, **(fields | changes))


def optin(number: int | str, confirmed_at: Instant | None, **changes: Any) -> OptInRecorded:
    """When the user `uNUMBER` last confirmed (double opt-in)."""
    fields: dict[str, Any] = {"purpose": None, "channel": None, "topic": None, "withdrawn_at": None}
    return OptInRecorded(identifier=f"user_id:u{number}", confirmed_at=confirmed_at, **(fields | changes))


def suppression(number: int | str, suppressed: bool, **changes: Any) -> SuppressionRecorded:
    """A word on suppression of the user `uNUMBER`."""
    fields: dict[str, Any] = {"channel": None, "reason": "complaint", "at": NOON}
    return SuppressionRecorded(identifier=f"user_id:u{number}", suppressed=suppressed, **(fields | changes))


def states(state: State) -> Mapping[str, tuple[str, str]]:
    """State and reason by delivery id."""
    rows = state.connection.execute("SELECT id, state, reason FROM deliveries").fetchall()
    return {delivery: (name, reason) for delivery, name, reason in rows}


def open_state(home: Path) -> State:
    """The state of a workspace under a folder."""
    home.mkdir(parents=True, exist_ok=True)
    return State.open(home, create=True)
