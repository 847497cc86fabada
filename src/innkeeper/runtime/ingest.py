"""The door's work on one request: whose it is, its events parsed, written, counted, and shown to who watches.

Over HTTP it is `web/ingest.py` and its neighbours. An event that is acknowledged is on disk (`writer.py`); one that is
refused is answered with its reason and harms no other of its batch.
"""

from __future__ import annotations

import gc
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import structlog

from innkeeper.events import lookalikes
from innkeeper.events.arrival import Arrival
from innkeeper.events.limits import Refusal
from innkeeper.events.lookalikes import Alike, looks_like
from innkeeper.events.parse import Parser
from innkeeper.events.senders import Public, reserved_told
from innkeeper.events.signals import opt_outs
from innkeeper.events.types import LogRow
from innkeeper.kernel.errors import InnkeeperError
from innkeeper.kernel.ids import anonymous
from innkeeper.kernel.time import Clock, Instant
from innkeeper.runtime.debugger import Debugger, Seen, refused, taken
from innkeeper.runtime.minimising import minimise_of
from innkeeper.runtime.sources import Keyring, Sender
from innkeeper.runtime.stream import EventStream
from innkeeper.runtime.user_tokens import user_of
from innkeeper.runtime.writer import LogWriter, Writer
from innkeeper.store.identity import IdentityTables
from innkeeper.store.sources import Sources
from innkeeper.store.state import State

Translate = Callable[[dict[str, Any]], dict[str, Any]]

_SWITCH_SECONDS: Final = 0.0002
_GARBAGE_OBJECTS: Final = 50_000

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The events of one request.

    Attributes:
        lines: Each as it came.
        sent_at: What the sender's clock said, by the envelope or a header.
        token: The user's token of the envelope or a header.
        translate: Makes messages of another dialect's events.
        opts_out: Whether the browser signals Global Privacy Control.
    """

    lines: Sequence[bytes]
    sent_at: Instant | None = None
    token: str | None = None
    translate: Translate | None = None
    opts_out: bool = False


class Taken(NamedTuple):
    """What became of a request: counts, the refused events by their place in it, and those whose name looks like one
    that the engine understands."""

    accepted: int
    duplicates: int
    refused: list[tuple[int, Refusal]]
    alike: list[tuple[int, Alike]]


class Door:
    """What every request goes through; made once, used from one event loop."""

    def __init__(self, home: Path, log: LogWriter, clock: Clock, *, writer: Writer | None = None) -> None:
        self.home, self.keyring, self.debugger = home, Keyring(home, clock), Debugger()
        self.stream = EventStream(home)
        self.clock, self.writer = clock, writer or Writer(log)
        #: What became of events since the start: (source, code) to how many.
        self.became: Counter[tuple[str, str]] = Counter()
        self.minimise = minimise_of(home)
        self._state = State.open(home, readonly=True)
        self._identity = IdentityTables(self._state.connection)
        self._counted: dict[tuple[str, str], tuple[int, Instant]] = {}
        self._counting = threading.Lock()
        self._counts = Sources.open(home)

    def start(self) -> None:
        """Begin to write."""
        # The writer's thread takes Python's lock back after every statement; at the usual 5 ms it would wait for most
        # of a commit while this one parses. Measured: batches of 100 at 47,000 instead of 33,000 events/s.
        sys.setswitchinterval(_SWITCH_SECONDS)
        # A request makes hundreds of objects that end with it; looked through every 700, they and the application's own
        # cost a tenth of the time of single events.
        gc.set_threshold(_GARBAGE_OBJECTS)
        self.writer.start()

    def stop(self) -> None:
        """Write what waits, keep the counts, close the files."""
        self.writer.stop()
        self.keep_counts()
        for each in (self.keyring, self.stream, self._state, self._counts):
            each.close()

    async def take(self, sender: Sender, request: Request) -> Taken:
        """Put the events of a request on disk.

        Raises:
            Full: The log does not keep up; the sender should come again.
            InnkeeperError: Nothing could be written.
        """
        now = self.clock.now()
        rows, bad, left_out = self._parse(sender, request, now)
        # A signal is the browser's, not one of the events that were sent: it is written with them and not counted.
        signals = opt_outs([row for _, row in rows], now) if request.opts_out and sender.kind == "public" else []
        taken = await self.put(sender.source, rows, bad, request.lines.__getitem__, now, beside=signals)
        self.count(sender.source, left_out, now)
        return taken

    async def put(
        self,
        source: str,
        rows: Sequence[tuple[int, LogRow]],
        bad: list[tuple[int, Refusal]],
        sent: Callable[[int], bytes],
        now: Instant,
        *,
        beside: Sequence[LogRow] = (),
    ) -> Taken:
        """Put parsed events on disk, count them and show them.

        Args:
            source: Whose they are.
            rows: The events, with their places in the request.
            bad: What was refused, likewise.
            sent: What came at a place.
            now: When it came.
            beside: What the door says itself because of them; written with them, and not counted.

        Raises:
            Full: The log does not keep up; the sender should come again.
            InnkeeperError: Nothing could be written.
        """
        known = await self.writer.write([*(row for _, row in rows), *beside]) if rows else frozenset()
        repeated = {number for number in known if number < len(rows)}
        alike = {place: Alike(row.name, meant) for place, row in rows if (meant := looks_like(row.name)) is not None}
        seen: dict[int, Seen] = {
            place: taken(now, row, "duplicate" if number in repeated else "accepted", alike.get(place))
            for number, (place, row) in enumerate(rows)
        }
        seen |= {place: refused(now, sent(place), refusal) for place, refusal in bad}
        self.debugger.see(source, [each for _, each in sorted(seen.items())])
        told = ["duplicate"] * len(repeated) + ["accepted"] * (len(rows) - len(repeated))
        self.count(source, [*told, *(refusal.code for _, refusal in bad), *[lookalikes.CODE] * len(alike)], now)
        return Taken(len(rows) - len(repeated), len(repeated), bad, list(alike.items()))

    def _parse(
        self, sender: Sender, request: Request, now: Instant
    ) -> tuple[list[tuple[int, LogRow]], list[tuple[int, Refusal]], list[str]]:
        """Rows and refusals with their places, and the codes of what was left out."""
        arrival = Arrival(now, request.sent_at, lambda: str(uuid.uuid4()))
        public = self._public(sender, request, now) if sender.kind == "public" else None
        left_out: list[str] = [] if public is None else public.left_out

        def prepare(value: dict[str, Any]) -> None:
            # Secrets of the request, where it is a single event.
            value.pop("api_key", None)
            if public is not None:
                public.prepare(value)
            else:
                value.pop("userToken", None)
            left_out.extend(["reserved-trait"] * reserved_told(value))
            arrival.settle(value)

        parser = Parser(source=sender.source, received_at=now, minimise=self.minimise)
        parser.prepare, parser.translate, parser.latest = prepare, request.translate, now
        parser.thorough = public is not None or request.translate is not None or arrival.is_skewed
        rows, bad = [], []
        for place, line in enumerate(request.lines):
            answer = parser.parse(line)
            if type(answer) is LogRow:
                rows.append((place, answer))
            else:
                assert isinstance(answer, Refusal)
                bad.append((place, answer))
        return rows, bad, left_out

    def _public(self, sender: Sender, request: Request, now: Instant) -> Public:
        def token_of(token: str) -> str | Refusal:
            if sender.signing is None:
                return Refusal(
                    "bad-user-token", "this source takes no user tokens", "innkeeper source user-tokens --help"
                )
            return user_of(token, sender.signing, sender.source, now)

        return Public(
            user=None if request.token is None else token_of(request.token), is_known=self._is_known, token_of=token_of
        )

    def _is_known(self, anonymous_id: str) -> bool:
        """Whether a browser is somebody's, as far as the engine has come."""
        identifier = anonymous(anonymous_id)
        turns = self._identity.turns([identifier]).get(identifier, ())
        return any(not turn.reason for turn in turns)

    def count(self, source: str, told: Iterable[str], now: Instant) -> None:
        """Count what became of a source's events; written by `keep_counts`."""
        with self._counting:
            for what in told:
                self.became[source, what] += 1
                count, _ = self._counted.get((source, what), (0, 0))
                self._counted[source, what] = (count + 1, now)

    def keep_counts(self) -> None:
        """Write what was counted since the last time; what cannot be written waits for the next."""
        with self._counting:
            counted, self._counted = self._counted, {}
        if not counted:
            return
        try:
            self._counts.count(counted)
        except InnkeeperError as error:
            logger.warning("counts wait", action="count", reason=error.code)
            with self._counting:
                for key, (count, at) in counted.items():
                    now_count, now_at = self._counted.get(key, (0, at))
                    self._counted[key] = (now_count + count, max(now_at, at))
