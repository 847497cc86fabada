"""The state of one profile, as a tick reads it, changes it and writes it back.

*Facts* are summaries that do not depend on order, one `Facts` per identifier; *process* (memberships, stage,
enrollments, visits, reservations) is what the fold announced, and every entry names the identifier it was made under.
The structs are positional in MessagePack: fields are only ever added at the end. Next in the flow: `turn.py`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.ids import ANONYMOUS, USER
from innkeeper.kernel.time import BEGINNING, FOREVER, Instant

#: The first byte of every stored state; a change that the decoder cannot read gets the next number and a reader.
FORMAT = b"\x01"


class Trait(msgspec.Struct, array_like=True, gc=False):
    """One word on a trait; the value None: taken back."""

    value: Any
    at: Instant
    source: str
    message_id: str


class MemoryWord(msgspec.Struct, array_like=True, gc=False):
    """One word on what someone is remembered by: who noted it, and in which words."""

    value: Any
    at: Instant
    source: str
    message_id: str
    by: str | None = None
    note: str | None = None


class Memory(msgspec.Struct, array_like=True, gc=False):
    """What is kept about one thing: the newest word of each kind, and when it was last forgotten."""

    explicit: MemoryWord | None = None
    inferred: MemoryWord | None = None
    forgotten_at: Instant = BEGINNING


class Verification(msgspec.Struct, array_like=True, gc=False):
    """That a source has shown an address to be the person's own, and by which event."""

    at: Instant
    source: str
    message_id: str
    event: str


class ConsentWord(msgspec.Struct, array_like=True, gc=False):
    """What was said on one (purpose, channel, topic); None means all.

    Attributes:
        given, at, proof: The latest word; `given` None: only asked to confirm so far.
        requested_at, confirmed_at, withdrawn_at: The latest of each; BEGINNING: never.
        confirmed_by: Proof of the latest confirmation.
        address: That was confirmed.
    """

    purpose: str | None
    channel: str | None
    topic: str | None
    given: bool | None
    at: Instant
    proof: str | None = None
    requested_at: Instant = BEGINNING
    confirmed_at: Instant = BEGINNING
    withdrawn_at: Instant = BEGINNING
    confirmed_by: str | None = None
    address: str | None = None


class SuppressionWord(msgspec.Struct, array_like=True, gc=False):
    """The latest word on one channel; None means all."""

    channel: str | None
    suppressed: bool
    at: Instant
    reason: str


class HouseholdWord(msgspec.Struct, array_like=True, gc=False):
    """The latest word on living in a household; the empty name, said of leaving: whichever it was."""

    household: str
    joined: bool
    at: Instant


class DeathWord(msgspec.Struct, array_like=True, gc=False):
    """Whether the person has died, as the latest word has it."""

    dead: bool
    at: Instant


class Tie(msgspec.Struct, array_like=True, gc=False):
    """An identifier's newest words on one account: whether it is a member, and in what role (None: none was said)."""

    joined: bool = False
    at: Instant = BEGINNING
    source: str = ""
    message_id: str = ""
    role: str | None = None
    role_at: Instant = BEGINNING
    role_source: str = ""
    role_message_id: str = ""


class Facts(msgspec.Struct, array_like=True, gc=False):
    """What is known under one identifier.

    Attributes:
        since: Timestamp of its first event.
        accumulators: Summaries by storage key.
        traits: The newest word on each trait.
        inputs: Of older stores: how many inputs its own profile had taken when it was joined to another.
        others: The newest words of every other source on a trait.
        firsts: The earliest word that is no removal, of the traits that are merged by `oldest`.
        memories: By what they are about.
        verified: By address (`namespace:value`), each source's earliest word.
        accounts: Its ties by account.
        latest: Timestamp of its last event; receipts do not count.
        last: Timestamp of its last event; FOREVER where an older store did not say.
        claims: When it last claimed each span-owned identifier, by that identifier.
    """

    since: Instant
    accumulators: dict[str, Any] = {}
    traits: dict[str, Trait] = {}
    consents: list[ConsentWord] = []
    suppressions: list[SuppressionWord] = []
    inputs: int = 0
    others: dict[str, list[Trait]] = {}
    firsts: dict[str, Trait] = {}
    memories: dict[str, Memory] = {}
    verified: dict[str, list[Verification]] = {}
    households: list[HouseholdWord] = []
    death: DeathWord | None = None
    accounts: dict[str, Tie] = {}
    latest: Instant = BEGINNING
    last: Instant = FOREVER
    claims: dict[str, Instant] = {}


class Membership(msgspec.Struct, array_like=True, gc=False):
    """An announced membership: since when, and under which identifier it came about."""

    at: Instant
    identifier: str


class Aside(msgspec.Struct, array_like=True, gc=False):
    """What a profile announced that became part of another, where the other had announced it too."""

    memberships: dict[str, Membership]
    stage: str | None
    stage_by: str
    stage_at: Instant


class Enrollment(msgspec.Struct, array_like=True, gc=False):
    """One run of a journey.

    Attributes:
        version: The journey's version at entry.
        began_at: When it began, by `taken_at`.
        event: Properties of the entry event.
        step: Path of the current step; empty before the first.
        reached_at: When that step was reached.
        waiting: Whether the step has been reached and holds the enrollment.
        skipping: Always false; it keeps its place in the stored form.
        due_at: When to look at the step again.
        until: Deadline of a wait; for a deferred candidate the end of the deferral.
        recheck_at: When an exit or the goal could come true by time alone.
        facts: By identifier, summaries of what was taken after the enrollment began.
        about: Whether it began with an object that the profile had a role in.
        ended: Whether that object had ended already.
        planned_for: For a wait for an object's date, the instant that was last said.
        said_at: When the word was said that it began by: the event, or what gave the role in its object. None in a
            state that an older Innkeeper has written.
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
    about: bool = False
    ended: bool = False
    planned_for: Instant = FOREVER
    said_at: Instant | None = None

    @property
    def owned_at(self) -> Instant:
        """The instant that says whose it is, under an identifier that changes hands."""
        return self.began_at if self.said_at is None else self.said_at


class Visit(msgspec.Struct, array_like=True, gc=False):
    """How often an identifier has been in a (journey, key), and when last; *said_at*: that of the last enrollment."""

    identifier: str
    count: int
    began_at: Instant
    ended_at: Instant | None
    said_at: Instant | None = None

    @property
    def owned_at(self) -> Instant:
        """The instant that says whose it is, as for an enrollment."""
        return self.began_at if self.said_at is None else self.said_at


class Reservation(msgspec.Struct, array_like=True, gc=False):
    """One planned delivery as the caps count it.

    Attributes:
        enrolled_at: The instant that says whose the enrollment is that planned it; None in a state that an older
            Innkeeper has written.
    """

    delivery_id: str
    identifier: str
    at: Instant
    purpose: str
    channel: str
    message: str
    kind: str
    enrolled_at: Instant | None = None

    @property
    def owned_at(self) -> Instant:
        """The instant that says whose it is, under an identifier that changes hands: it goes with its enrollment."""
        return self.at if self.enrolled_at is None else self.enrolled_at


class Copy(msgspec.Struct, array_like=True, gc=False):
    """A profile's copy of a thing that it has a role in.

    Attributes:
        view: What it may read of it.
        holders: Its roles by identifier.
        said: By identifier, when the word was said that gives the roles, as the profile was last told.
    """

    view: dict[str, Any]
    holders: dict[str, list[str]]
    said: dict[str, Instant] = {}


class Plan(msgspec.Struct, array_like=True, gc=False):
    """A journey that begins at a date of one object: when, and what has come of it.

    Attributes:
        target: The instant that was last said.
        due_at: When to look at it: the target, or the end of an instant in which it moved; FOREVER: by no timer.
        reached: Whether the target has come.
        entered: Whether an enrollment has begun by it.
    """

    journey: str
    type: str
    key: str
    target: Instant
    due_at: Instant = FOREVER
    reached: bool = False
    entered: bool = False


class ProfileState(msgspec.Struct, array_like=True):
    """Everything the engine keeps of one profile.

    Attributes:
        inputs: Number of inputs it has taken.
        last_at: `taken_at` of the last one.
        next_due_at: The next instant at which time alone changes something; FOREVER: never.
        parked: Why it takes no more inputs; None while it does.
        rechecks: By audience (the empty name: the stages), when its answer could next change.
        visits: By journey and key (`visit_key`).
        objects: Copies by type and id.
        accounts: Copies by id.
        plans: Entries by an object's date, by journey and key (`visit_key`).
        identifiers: Everything it is known as, besides its subject.
        numbers: By subject, how many inputs profiles had taken that are part of this one now: no number comes twice.
        asides: By subject, what those profiles had announced.
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
    objects: dict[str, dict[str, Copy]] = {}
    accounts: dict[str, Copy] = {}
    plans: dict[str, Plan] = {}
    identifiers: list[str] = []
    numbers: dict[str, int] = {}
    asides: dict[str, Aside] = {}
    used: dict[str, int] = {}


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(ProfileState)


def new_state(subject: str) -> ProfileState:
    """The state of a profile that nothing has happened to yet."""
    return ProfileState(subject)


def sender_of(state: ProfileState) -> str:
    """The identifier under which a profile speaks for itself: its subject, if events can be stored under it."""
    if state.subject.startswith((USER, ANONYMOUS)):
        return state.subject
    return min(state.facts, default=state.subject)


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


def used_owner(name: str) -> str:
    """The identifier of a `used_key`."""
    return name.partition("\n")[0]
