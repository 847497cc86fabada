"""What really happened to the enrollments and deliveries of some identifiers, as the fold had heard of it at a place of
the order taken.

A replay must find the same at that place, so a fate counts from the receipt that was taken, not from the ledger's row.
Next in the flow: `runtime/as_if.py` plays against it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import Instant
from innkeeper.profiles.state import Enrollment, Reservation
from innkeeper.store.projections import OWNED, REACHED
from innkeeper.store.state import Receipt, State


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDelivery:
    """A row of the ledger and what the fold had heard of it.

    Attributes:
        owned_at: The instant that says whose it is (`OWNED`).
        fate: The state of the last receipt (`held`: it waits for an answer); `virtual` for one that is only planned and
            counts as accepted; `retracted` for one that a revision cancelled; empty while it is open.
    """

    id: str
    subject: str
    identifier: str
    message: str
    channel: str
    purpose: str
    kind: str
    journey: str
    enrollment: str
    key: str | None
    address: str
    planned_at: Instant
    owned_at: Instant
    fate: str
    reason: str

    @property
    def virtual(self) -> bool:
        """Whether it was only planned."""
        return self.fate == "virtual"

    @property
    def sent(self) -> bool:
        """Whether the customer has it, or may have it."""
        return self.virtual or self.fate in REACHED

    @property
    def open(self) -> bool:
        """Whether nothing has become of it yet."""
        return self.fate in ("", "held")

    @property
    def order(self) -> tuple[Instant, str]:
        """Its place among the deliveries of a profile."""
        return self.planned_at, self.id

    def receipt(self, state: str, reason: str, at: Instant) -> Receipt:
        """Its receipt, as the fold takes it."""
        return Receipt(
            self.id, self.subject, self.identifier, self.message, self.channel, self.purpose, self.journey, self.key,
            state, reason, at, at,
        )  # fmt: skip

    def reservation(self) -> Reservation:
        """How it counts for the caps."""
        return Reservation(
            self.id,
            self.identifier,
            self.planned_at,
            self.purpose,
            self.channel,
            self.message,
            self.kind,
            self.owned_at,
        )


class KnownEntry(NamedTuple):
    """An enrollment that really began: when, and the instant that says whose it is."""

    id: str
    began_at: Instant
    owned_at: Instant


@dataclass(slots=True)
class KnownPast:
    """Deliveries by id, what counts for the caps by identifier, and the enrollments that really began."""

    deliveries: dict[str, KnownDelivery] = field(default_factory=dict)
    sent: dict[str, list[Reservation]] = field(default_factory=dict)
    _under: dict[str, list[KnownDelivery]] = field(default_factory=dict)
    _entries: dict[tuple[str, str, str | None], list[KnownEntry]] = field(default_factory=dict)

    @classmethod
    def read(cls, ledger: State, real: State, identifiers: set[str], position: int) -> KnownPast:
        """What the fold had heard before a position of the order taken.

        Args:
            ledger: Holds the rows; in a replay the scratch store.
            real: Holds the order taken.
            identifiers: Whose rows; each row's profile is one of them.
            position: What was taken before it is known.
        """
        known = cls()
        bound = {"subjects": dumps(sorted(identifiers)), "position": position}
        heard = {row[0]: (row[1], row[2]) for row in real.connection.execute(_HEARD, bound)}
        for row in ledger.connection.execute(_DELIVERIES, bound):
            known._add(row, heard)
        for identifier, journey, key, *entry in ledger.connection.execute(_ENROLLMENTS, bound):
            known._entries.setdefault((identifier, journey, key), []).append(KnownEntry(*entry))
        return known

    def _add(self, row: tuple[object, ...], heard: dict[str, tuple[str, str]]) -> None:
        *told, state, reason = row
        id = str(told[0])
        fate, why = heard.get(id, ("", ""))
        if reason == "virtual" or why == "virtual":
            fate = "virtual"
        elif fate in ("", "held") and state == "cancelled" and reason == "retracted":
            fate = why = "retracted"
        names = KnownDelivery.__dataclass_fields__.keys() - {"fate", "reason"}
        fields = dict(zip([name for name in KnownDelivery.__dataclass_fields__ if name in names], told, strict=True))
        known = self.deliveries[id] = KnownDelivery(**fields, fate=fate, reason=why)  # type: ignore[arg-type]
        self._under.setdefault(known.identifier, []).append(known)
        if known.sent:
            self.sent.setdefault(known.identifier, []).append(known.reservation())

    def under(self, identifier: str) -> list[KnownDelivery]:
        """The deliveries of an identifier, in their order."""
        return self._under.get(identifier, [])

    def virtual(self) -> dict[str, list[KnownDelivery]]:
        """The deliveries that were only planned, by identifier, in their order."""
        found: dict[str, list[KnownDelivery]] = {}
        for each in sorted(self.deliveries.values(), key=lambda one: one.order):
            if each.virtual:
                found.setdefault(each.identifier, []).append(each)
        return found

    def entries(self, enrollment: Enrollment) -> list[KnownEntry]:
        """The enrollments of the same identifier, journey and key that really began."""
        return self._entries.get((enrollment.identifier, enrollment.journey, enrollment.key), [])


# The last receipt of each delivery; those before it was planned again are another story.
_HEARD = """
SELECT delivery, outcome, reason FROM taken
WHERE mode = 'receipt' AND position < :position AND subject IN (SELECT value FROM json_each(:subjects))
  AND position > coalesce((SELECT max(again.position) FROM replanned AS again
    WHERE again.delivery = taken.delivery AND again.position < :position), 0)
ORDER BY position
"""
_DELIVERIES = f"""
SELECT id, subject, identifier, message, channel, purpose, kind, journey, enrollment, key, address, planned_at,
  {OWNED["deliveries"]}, state, reason
FROM deliveries WHERE subject IN (SELECT value FROM json_each(:subjects)) ORDER BY planned_at, id
"""  # noqa: S608 – names of ours
_ENROLLMENTS = """
SELECT identifier, journey, key, id, entered_at, owned_at FROM enrollments
WHERE subject IN (SELECT value FROM json_each(:subjects)) ORDER BY entered_at, id
"""
