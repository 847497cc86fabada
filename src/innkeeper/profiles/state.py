"""The state of one profile, as a tick reads it, changes it and writes it back.

*Facts* are summaries that do not depend on order, one `Facts` per identifier; *process* (memberships, stage,
enrollments, visits, reservations) is what the fold announced, and every entry names the identifier it was made under.
The structs are positional in MessagePack: fields are only ever added at the end. Next in the flow: `turn.py`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.time import BEGINNING, FOREVER, Instant

#: The first byte of every stored state; a change that the decoder cannot read gets the next number and a reader.
FORMAT = b"\x01"


class Trait(msgspec.Struct, array_like=True, gc=False):
    """The newest value of a trait under one identifier; None: removed."""

    value: Any
    at: Instant
    source: str
    message_id: str


class ConsentWord(msgspec.Struct, array_like=True, gc=False):
    """The latest word on one (purpose, channel, topic); None means all."""

    purpose: str | None
    channel: str | None
    topic: str | None
    given: bool
    at: Instant
    proof: str | None = None


class SuppressionWord(msgspec.Struct, array_like=True, gc=False):
    """The latest word on one channel; None means all."""

    channel: str | None
    suppressed: bool
    at: Instant
    reason: str


class Facts(msgspec.Struct, array_like=True, gc=False):
    """What is known under one identifier.

    Attributes:
        since: Timestamp of its first event.
        accumulators: Summaries by storage key.
        inputs: How many inputs its own profile had taken when it was joined to another; 0 if it never had one.
    """

    since: Instant
    accumulators: dict[str, Any] = {}
    traits: dict[str, Trait] = {}
    consents: list[ConsentWord] = []
    suppressions: list[SuppressionWord] = []
    inputs: int = 0


class Membership(msgspec.Struct, array_like=True, gc=False):
    """An announced membership: since when, and under which identifier it came about."""

    at: Instant
    identifier: str


class Enrollment(msgspec.Struct, array_like=True, gc=False):
    """One run of a journey.

    Attributes:
        version: The journey's version at entry.
        began_at: When it began, by `taken_at`.
        event: Properties of the entry event.
        step: Path of the current step; empty before the first.
        reached_at: When that step was reached.
        waiting: Whether the step has been reached and holds the enrollment.
        skipping: Whether steps are passed over until the next wait.
        due_at: When to look at the step again.
        until: Deadline of a wait; for a deferred candidate the end of the deferral.
        recheck_at: When an exit or the goal could come true by time alone.
        facts: By identifier, summaries of what was taken after the enrollment began.
    """

    id: str
    journey: str
    version: str
    key: str | None
    identifier: str
    began_at: Instant
    event: dict[str, Any]
    step: str = ""
    reached_at: Instant = BEGINNING
    waiting: bool = False
    skipping: bool = False
    due_at: Instant = FOREVER
    until: Instant = FOREVER
    recheck_at: Instant = FOREVER
    facts: dict[str, dict[str, Any]] = {}


class Visit(msgspec.Struct, array_like=True, gc=False):
    """How often an identifier has been in a (journey, key), and when last."""

    identifier: str
    count: int
    began_at: Instant
    ended_at: Instant | None


class Reservation(msgspec.Struct, array_like=True, gc=False):
    """One planned delivery as the caps count it."""

    delivery_id: str
    identifier: str
    at: Instant
    purpose: str
    channel: str
    message: str
    kind: str


class ProfileState(msgspec.Struct, array_like=True):
    """Everything the engine keeps of one profile.

    Attributes:
        inputs: Number of inputs it has taken.
        last_at: `taken_at` of the last one.
        next_due_at: The next instant at which time alone changes something; FOREVER: never.
        parked: Why it takes no more inputs; None while it does.
        rechecks: By audience (the empty name: the stages), when its answer could next change.
        visits: By journey and key (`visit_key`).
        used: By identifier, journey and key (`used_key`), how many enrollments had their ids before a revision took
            the visit away: ids are never used again.
    """

    subject: str
    inputs: int = 0
    last_at: Instant = BEGINNING
    next_due_at: Instant = FOREVER
    parked: str | None = None
    facts: dict[str, Facts] = {}
    memberships: dict[str, Membership] = {}
    rechecks: dict[str, Instant] = {}
    stage: str | None = None
    stage_by: str = ""
    stage_at: Instant = BEGINNING
    enrollments: list[Enrollment] = []
    visits: dict[str, list[Visit]] = {}
    reservations: list[Reservation] = []
    used: dict[str, int] = {}


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(ProfileState)


def new_state(subject: str) -> ProfileState:
    """The state of a profile that nothing has happened to yet."""
    return ProfileState(subject)


def encode(state: ProfileState) -> bytes:
    """The stored form."""
    return FORMAT + _encoder.encode(state)


def decode(data: bytes) -> ProfileState:
    """The state of a stored form.

    Raises:
        OperationFailed: The bytes are not a state that this version can read.
    """
    if data[:1] != FORMAT:
        raise OperationFailed(
            f"a stored profile has format {data[:1].hex() or 'nothing'}, and this version reads {FORMAT.hex()}",
            code="state-format",
            fix="run the version of Innkeeper that wrote it, or `innkeeper rebuild`",
        )
    try:
        return _decoder.decode(memoryview(data)[1:])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise OperationFailed(
            f"a stored profile cannot be read: {error}", code="state-damaged", fix="run `innkeeper rebuild`"
        ) from error


def visit_key(journey: str, key: str | None) -> str:
    """The name of a (journey, key) in `ProfileState.visits`.

    >>> visit_key("pre-arrival", "b1") == visit_key("pre-arrival", None)
    False
    """
    return journey if key is None else f"{journey}\n{key}"


def used_key(identifier: str, visit: str) -> str:
    """The name of an identifier's visits of a (journey, key) in `ProfileState.used`."""
    return f"{identifier}\n{visit}"
