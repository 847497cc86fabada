"""A workspace in memory for scenario tests: one profile at a time, events and timers in exact order, every planned
delivery accepted at once as `--deliver none` does. Not a test; `runtime/engine.py` is the real loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time
from typing import Any, TypeVar

from innkeeper.audiences import parse
from innkeeper.content.types import Message, Variant
from innkeeper.decisions.policy import Cap, Policies, Purpose, QuietHours
from innkeeper.events.outputs import DecisionMade, DeliveryPlanned, Output
from innkeeper.events.types import ENGINE_SOURCE, Event
from innkeeper.journeys.definition import Journey
from innkeeper.journeys.read import read_journey
from innkeeper.kernel.ids import ANONYMOUS, USER
from innkeeper.kernel.located import Findings
from innkeeper.kernel.time import FOREVER, Instant, parse_instant
from innkeeper.lifecycle import EventInput, ProfileState, TimerInput, World, advance, decode, encode, new_state
from innkeeper.strategy.types import AudienceDefinition, Definitions, StageDefinition, Workspace
from innkeeper.strategy.yaml import read_yaml

T = TypeVar("T", bound=Output)

MARKETING = Purpose(name="marketing", kind="marketing", basis="legitimate_interest")
SERVICE = Purpose(name="service", kind="service", basis="contract")
TRANSACTIONAL = Purpose(name="transactional", kind="transactional", basis="contract")
NEWS = Purpose(name="news", kind="marketing", basis="consent")


def journey(text: str, name: str = "journey") -> Journey:
    """A journey from YAML; every finding fails the test."""
    findings = Findings()
    node = read_yaml(text, f"journeys/{name}.yaml", findings)
    found = None if node is None else read_journey(node, name, findings)
    findings.raise_if_any()
    assert found is not None
    return found


def message(name: str, *, purpose: str = "marketing", channel: str = "email", topic: str | None = None) -> Message:
    """A message with one line of content."""
    body = Variant(locale="en", subject=name, body=name, format="text")
    return Message(name=name, channel=channel, purpose=purpose, topic=topic, variants=(body,), version=name)


def quiet(start: str, end: str) -> QuietHours:
    """A quiet window of two local times."""
    return QuietHours(start=time.fromisoformat(start), end=time.fromisoformat(end))


def strategy(
    *,
    audiences: Mapping[str, str] | None = None,
    stages: Sequence[tuple[str, str]] = (),
    journeys: Mapping[str, str] | None = None,
    messages: Sequence[Message | str] = (),
    purposes: Sequence[Purpose] = (MARKETING, SERVICE, TRANSACTIONAL, NEWS),
    caps: Sequence[Cap] = (),
    quiet_hours: QuietHours | None = None,
    zone: str = "UTC",
    version: str = "v1",
) -> Definitions:
    """Definitions from short texts."""
    made = [message(each) if isinstance(each, str) else each for each in messages]
    return Definitions(
        version=version,
        workspace=Workspace(zone=zone),
        audiences={
            name: AudienceDefinition(name=name, description="", when=parse(text))
            for name, text in (audiences or {}).items()
        },
        stages=tuple(StageDefinition(stage=stage, when=parse(text)) for stage, text in stages),
        journeys={name: journey(text, name) for name, text in (journeys or {}).items()},
        messages={each.name: each for each in made},
        policies=Policies(purposes={each.name: each for each in purposes}, caps=tuple(caps), quiet_hours=quiet_hours),
    )


@dataclass
class Said:
    """One output and when it was made."""

    at: Instant
    output: Output


@dataclass
class Loop:
    """Plays events and timers of one profile; `until` says how far time goes."""

    world: World
    subject: str = "user_id:u"
    said: list[Said] = field(default_factory=list)
    number: int = 0
    deliver: bool = True

    def __post_init__(self) -> None:
        self.state: ProfileState = new_state(self.subject)

    def event(self, at: str | Instant, name: str, taken: str | Instant | None = None, **more: Any) -> None:
        """Take an event at its instant, or late at *taken*; timers before it come first."""
        timestamp = at if isinstance(at, int) else parse_instant(at)
        taken_at = timestamp if taken is None else taken if isinstance(taken, int) else parse_instant(taken)
        self.until(taken_at)
        late = "late" if taken_at > timestamp else "live"
        self._take(EventInput(self.make(timestamp, name, **more), taken_at, "late" if late == "late" else "live"))

    def make(self, timestamp: Instant, name: str, **more: Any) -> Event:
        """An event; keywords `traits`, `properties`, `user`, `anonymous`, others are properties."""
        self.number += 1
        traits, properties = more.pop("traits", {}), more.pop("properties", {})
        own_user = self.subject.removeprefix(USER) if self.subject.startswith(USER) else None
        own_anonymous = self.subject.removeprefix(ANONYMOUS) if self.subject.startswith(ANONYMOUS) else None
        user, anonymous = more.pop("user", own_user), more.pop("anonymous", own_anonymous)
        return Event(
            source=more.pop("source", "test"), message_id=f"m{self.number}", type="track", name=name, user_id=user,
            anonymous_id=anonymous, timestamp=timestamp, received_at=timestamp, traits=traits,
            properties={**properties, **more},
        )  # fmt: skip

    def until(self, at: str | Instant) -> None:
        """Let every timer up to an instant come, each at its own."""
        end = at if isinstance(at, int) else parse_instant(at)
        while self.state.next_due_at <= end:
            due = self.state.next_due_at
            assert due != FOREVER
            self._take(TimerInput(due))
            assert self.state.next_due_at > due, "a timer fires once"

    def _take(self, given: EventInput | TimerInput) -> None:
        self.state = decode(encode(self.state))
        at = given.taken_at if isinstance(given, EventInput) else given.at
        outputs = advance(self.state, given, self.world)
        self.said += [Said(at, output) for output in outputs]
        for output in outputs:
            if isinstance(output, DeliveryPlanned) and self.deliver:
                self.receipt(at, "Message Sent", output, state="accepted", reason="virtual")

    def receipt(self, at: Instant, name: str, planned: DeliveryPlanned, *, state: str, reason: str = "") -> None:
        """Take the fate of a delivery."""
        properties = {
            "delivery_id": planned.delivery_id, "message": planned.message, "journey": planned.journey,
            "state": state, "reason": reason,
        }  # fmt: skip
        event = self.make(at, name, properties=properties, source=ENGINE_SOURCE)
        self._take(EventInput(event, at))

    def of(self, kind: type[T]) -> list[tuple[Instant, T]]:
        """The outputs of one kind with their instants."""
        return [(each.at, each.output) for each in self.said if isinstance(each.output, kind)]

    def sent(self) -> list[tuple[Instant, str]]:
        """When each message was planned."""
        return [(at, planned.message) for at, planned in self.of(DeliveryPlanned)]

    def refused(self) -> list[tuple[str, str]]:
        """Message and reason of every decision that did not allow."""
        return [(made.message, made.reason) for _, made in self.of(DecisionMade) if made.outcome != "allow"]


def play(definitions: Definitions, subject: str = "user_id:u") -> Loop:
    """A loop over definitions."""
    return Loop(World.build(definitions), subject)


def at(text: str) -> Instant:
    """An instant."""
    return parse_instant(text)
