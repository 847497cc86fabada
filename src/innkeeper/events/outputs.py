"""What the fold says: one struct per output. Each becomes an event of source `innkeeper`; the store's projections
(deliveries, decisions, tasks, consents, suppressions) are written from them in the tick's transaction.

An output's fields are the properties of its event. Instants are microseconds here and ISO 8601 in the event.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from innkeeper.kernel.time import Instant


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all outputs; *identifier* is the one it was made under."""

    event_name: ClassVar[str] = ""
    identifier: str


class AudienceEntered(Output, frozen=True, kw_only=True):
    """A profile became a member of an audience."""

    event_name: ClassVar[str] = "Audience Entered"
    audience: str


class AudienceLeft(Output, frozen=True, kw_only=True):
    """A profile stopped being a member of an audience."""

    event_name: ClassVar[str] = "Audience Left"
    audience: str


class StageChanged(Output, frozen=True, kw_only=True):
    """A profile moved from one stage to another; None: no stage."""

    event_name: ClassVar[str] = "Stage Changed"
    before: str | None
    stage: str | None


class JourneyEntered(Output, frozen=True, kw_only=True):
    """An enrollment began; *owned_at* says whose it is, under an identifier that changes hands."""

    event_name: ClassVar[str] = "Journey Entered"
    journey: str
    version: str
    enrollment: str
    key: str | None
    owned_at: Instant


class StepReached(Output, frozen=True, kw_only=True):
    """An enrollment came to a step; `step` is its path, e.g. `2.else.0`."""

    event_name: ClassVar[str] = "Step Reached"
    journey: str
    enrollment: str
    key: str | None
    step: str
    kind: str


class StepReplanned(Output, frozen=True, kw_only=True):
    """An object's date has moved, and with it the entry into a journey or a wait of an enrollment.

    The store cancels the enrollment's deliveries that are planned and unclaimed.

    Attributes:
        enrollment: None for an entry (then `step` is `enter`).
        planned_for: The instant that was planned, `from` in the event.
        moved_to: The instant from now on, `to` in the event; None: dropped.
        reason: `moved`, `ended: STATUS`, `removed`, `role_lost`, `no date`.
    """

    event_name: ClassVar[str] = "Step Replanned"
    journey: str
    enrollment: str | None
    key: str | None
    step: str
    planned_for: Instant
    moved_to: Instant | None
    reason: str


class StepsSkipped(Output, frozen=True, kw_only=True):
    """An instant was past when it was waited for, so what comes before the next wait is passed over.

    Attributes:
        enrollment: None where the journey itself does not begin, because its date was moved (then `step` is `enter`).
        step: The wait.
        date: The date that it waits for, as the journey names it.
        until: The instant that was past.
        skipped: The steps that are passed over, by their paths.
        messages: The messages among them.
    """

    event_name: ClassVar[str] = "Steps Skipped"
    journey: str
    enrollment: str | None
    key: str | None
    step: str
    date: str
    until: Instant
    skipped: list[str]
    messages: list[str]


class JourneyExited(Output, frozen=True, kw_only=True):
    """An enrollment ended: `outcome` is finished, exit, goal, stopped, left (identifier or object is gone), or
    retracted (it would not be there without events that were retracted).

    The store cancels its deliveries that are planned and unclaimed when the outcome is exit or goal, or when it has
    left because of its object.
    """

    event_name: ClassVar[str] = "Journey Exited"
    journey: str
    enrollment: str
    key: str | None
    outcome: str
    reason: str


class DecisionMade(Output, frozen=True, kw_only=True):
    """One answer of the gates about one candidate.

    Attributes:
        outcome: allow, defer or deny.
        gate: The gate that decided; empty when all allow.
        reason: Stable reason code, e.g. `no_consent`, `quiet_hours`, `cap`.
        facts: What the gate saw, JSON.
        until: For defer: when it is tried again.
        refusing: Bitmask of all gates that would refuse, by their order.
    """

    event_name: ClassVar[str] = "Decision Made"
    message: str
    channel: str
    purpose: str
    journey: str
    version: str
    enrollment: str
    key: str | None
    step: str
    occurrence: int
    outcome: str
    gate: str
    reason: str
    facts: dict[str, Any]
    until: Instant | None
    refusing: int


class DeliveryPlanned(Output, frozen=True, kw_only=True):
    """All gates allowed: one row of the ledger, unique by `delivery_id`.

    Attributes:
        delivery_id: Hash of enrollment, step and occurrence: the same candidate gives the same id.
        address: Where it goes (an email address).
        expires_at: Past it the row expires instead of being sent.
        quiet: Local quiet window that the claim must respect: zone, from, to ("HH:MM"); None when it does not apply.
        context: What the template may read, as of the decision: `profile`, `event`, `key`, `locale`.
    """

    event_name: ClassVar[str] = "Delivery Planned"
    delivery_id: str
    message: str
    channel: str
    purpose: str
    kind: str
    topic: str | None
    journey: str
    version: str
    enrollment: str
    key: str | None
    step: str
    address: str
    expires_at: Instant
    quiet: dict[str, str] | None
    context: dict[str, Any]


class TaskCreated(Output, frozen=True, kw_only=True):
    """Work for a person; texts are rendered."""

    event_name: ClassVar[str] = "Task Created"
    task_id: str
    queue: str
    title: str
    body: str
    journey: str
    enrollment: str
    key: str | None
    context: dict[str, Any]


class TraitsUpdated(Output, frozen=True, kw_only=True):
    """Traits that a journey set; bulk questions read them from this event's traits."""

    event_name: ClassVar[str] = "Traits Updated"
    journey: str
    enrollment: str
    traits: dict[str, Any]


class ConsentRecorded(Output, frozen=True, kw_only=True):
    """The latest word on a (purpose, channel, topic); None means all. The claim reads it."""

    event_name: ClassVar[str] = "Consent Recorded"
    purpose: str | None
    channel: str | None
    topic: str | None
    given: bool
    at: Instant


class OptInRecorded(Output, frozen=True, kw_only=True):
    """When a (purpose, channel, topic) was last confirmed (double opt-in) and last withdrawn. The claim reads it."""

    event_name: ClassVar[str] = "Opt-In Recorded"
    purpose: str | None
    channel: str | None
    topic: str | None
    confirmed_at: Instant | None
    withdrawn_at: Instant | None


class SuppressionRecorded(Output, frozen=True, kw_only=True):
    """A suppression set or lifted for a channel; None means all. The claim reads it."""

    event_name: ClassVar[str] = "Suppression Recorded"
    channel: str | None
    suppressed: bool
    reason: str
    at: Instant


class HouseholdRecorded(Output, frozen=True, kw_only=True):
    """A household joined or left; the empty name, left: whichever it was. The claim reads it."""

    event_name: ClassVar[str] = "Household Recorded"
    household: str
    joined: bool
    at: Instant


class DeathRecorded(Output, frozen=True, kw_only=True):
    """That the person has died, or that this was an error. The claim reads it."""

    event_name: ClassVar[str] = "Death Recorded"
    dead: bool
    at: Instant


class BereavementAnswered(Output, frozen=True, kw_only=True):
    """A person's answer: may the home of someone who died be written to? What was held is let go or cancelled."""

    event_name: ClassVar[str] = "Bereavement Recorded"
    household: str
    allowed: bool
    at: Instant


class ProfileParked(Output, frozen=True, kw_only=True):
    """The profile's reactions did not settle in 32 rounds; it takes no more inputs until its definitions change."""

    event_name: ClassVar[str] = "Profile Parked"
    error: str


class Retracted(Output, frozen=True, kw_only=True):
    """A profile is as if some events had never come, or as if they had not been retracted: what that changed.

    Attributes:
        retraction: The messageId of the `Events Retracted`, or of what took links away.
        kind: `retracted`, `lifted` or `unlinked`.
        entered, left: Audiences.
        before, stage: The stage until now and from now on.
        began, ended: Enrollments that are open from now on, and no longer.
        sent: Deliveries that went out because of the events; they cannot be unsent.
        cancelled: Deliveries that were planned because of them and will not be sent.
        planned: Deliveries that are planned now, because their time is not over.
        missed: Deliveries whose time is over: message, journey, key and when each would have been planned.
        tasks: Tasks that were closed because nothing asks for them any more.
    """

    event_name: ClassVar[str] = "Retracted"
    retraction: str
    kind: str
    entered: list[str]
    left: list[str]
    before: str | None
    stage: str | None
    began: list[str]
    ended: list[str]
    sent: list[str]
    cancelled: list[str]
    planned: list[str]
    missed: list[dict[str, Any]]
    tasks: list[str]
