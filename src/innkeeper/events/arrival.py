"""When an event that came over HTTP happened: a wrong clock is set right, and nothing is later than its arrival.

Used by `runtime/ingest.py` as `Parser.prepare`. Not here: what the sender may say (`senders.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from innkeeper.events.parse import EARLIEST, quick_instant
from innkeeper.kernel.time import SECOND, Instant, format_instant

#: A clock that differs by less is taken to be right: the difference is the way of the request, and to shift by it would
#: make a true time worse.
TOLERANCE: Final = 5 * SECOND


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a request came.

    Attributes:
        at: When.
        sent_at: What the sender's clock said when it was sent, by the envelope or a header; a message may say its own.
        new_id: Makes a message id for a message that has neither an id nor a time, and so is like no other.
    """

    at: Instant
    sent_at: Instant | None
    new_id: Callable[[], str]

    @property
    def is_skewed(self) -> bool:
        """Whether the sender's clock is wrong."""
        return self.sent_at is not None and abs(self.at - self.sent_at) > TOLERANCE

    def settle(self, value: dict[str, Any]) -> None:
        """Give a decoded message its time; what was sent instead stays as `originalTimestamp`.

        A time that cannot be read is left for the parser to refuse.
        """
        key = "timestamp" if value.get("timestamp") is not None else "originalTimestamp"
        said = value.get(key)
        if said is None:
            if value.get("messageId") in (None, ""):
                value["messageId"] = self.new_id()
            value["timestamp"] = format_instant(self.at)
            return
        instant = quick_instant(said) if isinstance(said, str) else None
        if instant is None:
            return
        sent_at = self._sent_at(value)
        true = instant
        if sent_at is not None and abs(self.at - sent_at) > TOLERANCE:
            moved = true + self.at - sent_at
            true = moved if moved >= EARLIEST else true
        true = min(true, self.at)
        if true != instant:
            value["timestamp"] = format_instant(true)
            value.setdefault("originalTimestamp", said)

    def _sent_at(self, value: dict[str, Any]) -> Instant | None:
        own = value.get("sentAt")
        return (quick_instant(own) if isinstance(own, str) else None) or self.sent_at


def read_sent_at(text: object) -> Instant | None:
    """The instant of a `sentAt`; None where there is none that can be read.

    >>> read_sent_at("1970-01-01T00:00:01.500Z"), read_sent_at("yesterday"), read_sent_at(5)
    (1500000, None, None)
    """
    return quick_instant(text) if isinstance(text, str) and text else None
