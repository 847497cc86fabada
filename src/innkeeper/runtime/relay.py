"""The relay: tells receivers what happens, at least once, each at its own pace.

It follows the log with one cursor per subscription, queues the places of what is wanted (`store/subscriptions.py`),
and posts notices (`outward.py`, `channels/webhook.py`). An event leaves the queue when its receiver has said 2xx, so a
kill at any moment tells it again, under the same id. What is in the queue are places: a notice is made when it is sent,
of what the log holds then. In `up` it is a process of its own (`relay_process.py`).

Of one subject only the earliest event is under way, so a receiver hears each customer's events in their order. A
receiver that hangs holds up its own lane and nobody else's.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import structlog

from innkeeper.audiences.types import MISSING
from innkeeper.channels.http_out import HttpOut
from innkeeper.channels.targets import read_target
from innkeeper.channels.webhook import SECONDS, Result, post
from innkeeper.events.types import Event
from innkeeper.kernel.errors import InnkeeperError
from innkeeper.kernel.failpoints import failpoint
from innkeeper.kernel.json import dumps_bytes
from innkeeper.kernel.time import DAY, FOREVER, HOUR, MINUTE, SECOND, Clock, Duration, Instant, SystemClock
from innkeeper.profiles.state import decode
from innkeeper.profiles.traits import trait_at
from innkeeper.runtime import definitions
from innkeeper.runtime.lookup import subject_of
from innkeeper.runtime.outward import Selection, notice, notice_id, subject_hash
from innkeeper.store.log import Log
from innkeeper.store.state import State
from innkeeper.store.subscriptions import (
    MOST_WAITING,
    Failed,
    Rest,
    Standing,
    Subscription,
    Subscriptions,
    Told,
    Waiting,
)
from innkeeper.store.subscriptions import Result as Settled

#: Under way at a time for one subscription.
LANE: Final = 8
#: How long a round goes on, and how many events of one subscription it takes: what ends in it is written down at once.
#: Measured: 1,560 notices/s; with a commit after each answer 440.
_ROUND_SECONDS: Final = 0.05
_HAND: Final = 128
#: So many failures in a row, and the receiver is left alone for a while, then asked with one event at a time.
BREAKER: Final = 10
#: Waits after the first, second, … failure of one event; the last one holds for all that follow.
WAITS: Final[tuple[Duration, ...]] = (
    5 * SECOND, MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR, 12 * HOUR,
)  # fmt: skip
LONGEST_REST: Final = 30 * MINUTE
#: How long one event is tried, and how long a receiver may fail before its subscription is paused.
PATIENCE: Final = 3 * DAY
_LONGEST_ASKED: Final = DAY
_PAGE: Final = 1_000
_PAUSE_SECONDS: Final = 0.2
_LAST_SECONDS: Final = 3.0

logger = structlog.get_logger()


class _Sending(NamedTuple):
    """What is under way."""

    subscription: int
    row: Waiting


class _Hand(NamedTuple):
    """What a round may still begin of one subscription, in its order, and how many may be under way."""

    subscription: Subscription
    lane: int
    rows: deque[tuple[Waiting, Event]]
    keys: Sequence[str]
    at: Instant


class Relay:
    """The relay of one home.

    Args:
        home: The workspace's folder.
        clock: The time of day.
        seconds: What a receiver has to answer in.
        chance: Draws from 0 to 1: retries of many do not come at once.
        make_client: Makes what calls receivers, private ones too or not.
    """

    def __init__(
        self, home: Path, *, clock: Clock | None = None, seconds: float = SECONDS,
        chance: Callable[[], float] = random.random, make_client: Callable[[bool], HttpOut] | None = None,
    ) -> None:  # fmt: skip
        self._clock, self._seconds, self._chance = clock or SystemClock(), seconds, chance
        self._make_client = make_client or (lambda private: HttpOut(private=private))
        self._clients: dict[bool, HttpOut] = {}
        self._log = Log.open(home, read_only=True)
        self._state = State.open(home, readonly=True)
        self._store = Subscriptions.open(home)
        self._traits = TraitReader(self._state)
        self._selections: dict[int, tuple[Selection, Callable[[Event], bool]]] = {}
        self._under_way: dict[asyncio.Task[Result], _Sending] = {}
        self._ended: list[tuple[_Sending, Result]] = []
        self._gone: list[Settled] = []

    async def run(self, stopping: Callable[[], bool]) -> None:
        """Tell what happens until *stopping*; what is under way then has a moment to end."""
        while not stopping():
            await self.step(_PAUSE_SECONDS)
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=_LAST_SECONDS)
            self._collect({})
            self._settle()

    async def step(self, pause_seconds: float) -> None:
        """One round: look at the log, tell what is due for a while (or wait a moment), write down what came of it."""
        subscriptions = self._store.all()
        busy = self._look(subscriptions)
        # A restored or copied store sends nothing until a person arms it.
        armed = self._state.meta("armed") != "no"
        hands = {each.id: hand for each in subscriptions if armed and (hand := self._hand(each))}
        if hands or self._under_way:
            await self._tell(hands, 0 if busy else pause_seconds)
        else:
            await asyncio.sleep(0 if busy else pause_seconds)
        self._settle()

    async def _tell(self, hands: dict[int, _Hand], pause_seconds: float) -> None:
        """Keep the lanes full until the hands are empty or the round is over; then until something has ended."""
        begin = time.monotonic()
        while True:
            for hand in hands.values():
                self._begin(hand)
            more = any(hand.rows for hand in hands.values())
            left = _ROUND_SECONDS - (time.monotonic() - begin)
            if not self._under_way or (more and left <= 0):
                return
            await asyncio.wait(
                self._under_way, timeout=left if more else pause_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            self._collect(hands)
            if not more:
                return

    def _collect(self, hands: dict[int, _Hand]) -> None:
        """Take what has ended; a receiver that failed is told no more before that is written down."""
        for task in [task for task in self._under_way if task.done()]:
            sending, result = self._under_way.pop(task), task.result()
            self._ended.append((sending, result))
            if result.outcome != "told" and sending.subscription in hands:
                hands[sending.subscription].rows.clear()

    async def close(self) -> None:
        """Give up what is under way, and close the files."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        for client in self._clients.values():
            await client.close()
        for each in (self._log, self._state, self._store):
            each.close()

    @property
    def under_way(self) -> int:
        """How many notices wait for their answer."""
        return len(self._under_way)

    # From the log into the queue

    def _look(self, subscriptions: Sequence[Subscription]) -> bool:
        """Queue what is wanted of the next page of the log; whether there was any."""
        newest = self._log.last_seq()
        by_cursor: defaultdict[int, list[Subscription]] = defaultdict(list)
        for each in subscriptions:
            if each.state == "active" and each.cursor < newest and self._store.waiting(each.id) < MOST_WAITING:
                by_cursor[each.cursor].append(each)
        for cursor, lookers in by_cursor.items():
            events = self._log.read(cursor, _PAGE)
            found = [
                (each.id, event.seq, subject_hash(event))
                for each in lookers
                for event in filter(self._selection(each)[1], events)
            ]
            upto = events[-1].seq if events else newest
            self._store.look(cursor, upto, found, self._clock.now(), [each.id for each in lookers])
            failpoint("relay.queued")
        return bool(by_cursor)

    def _selection(self, subscription: Subscription) -> tuple[Selection, Callable[[Event], bool]]:
        found = self._selections.get(subscription.id)
        if found is None:
            selection = Selection.of(subscription.selection)
            found = self._selections[subscription.id] = (selection, selection.matcher())
        return found

    # From the queue to the receiver

    def _hand(self, subscription: Subscription) -> _Hand | None:
        """What is due for a subscription; None where there is nothing, or its lane is full."""
        now = self._clock.now()
        if subscription.state != "active" or now < subscription.not_before:
            return None
        busy = {sending.row.seq for sending in self._under_way.values() if sending.subscription == subscription.id}
        failing = subscription.failures >= BREAKER
        lane = 1 if failing else LANE
        if len(busy) >= lane:
            return None
        # Of a receiver that fails anything may be tried: it is the receiver that is asked after, not the event.
        due = self._store.due(subscription.id, FOREVER if failing else now, len(busy) + (1 if failing else _HAND))
        rows = [row for row in due if row.seq not in busy]
        events = self._log.get([row.seq for row in rows]) if rows else {}
        # Retention has let the others go before they could be told.
        self._gone += [Told(subscription.id, row.seq, counted=False) for row in rows if row.seq not in events]
        found = deque((row, events[row.seq]) for row in rows if row.seq in events)
        if not found:
            return None
        return _Hand(subscription, lane, found, self._store.secrets(subscription.id, now), now)

    def _begin(self, hand: _Hand) -> None:
        """Post what is in a hand, as far as its lane has room."""
        id_ = hand.subscription.id
        room = hand.lane - sum(sending.subscription == id_ for sending in self._under_way.values())
        for _ in range(min(room, len(hand.rows))):
            row, event = hand.rows.popleft()
            sending = asyncio.ensure_future(self._post(hand, event))
            self._under_way[sending] = _Sending(id_, row)

    async def _post(self, hand: _Hand, event: Event) -> Result:
        try:
            subscription = hand.subscription
            selection, _ = self._selection(subscription)
            body = dumps_bytes(notice(event, selection.include, self._traits))
            client = self._client(subscription.private)
            target = read_target(subscription.url)
            return await post(client, target, hand.keys, notice_id(event), hand.at, body, seconds=self._seconds)
        except InnkeeperError as error:
            return Result("failed", f"{error.code}: {error.message}")

    def _client(self, private: bool) -> HttpOut:
        if private not in self._clients:
            self._clients[private] = self._make_client(private)
        return self._clients[private]

    # What came of it

    def _settle(self) -> None:
        """Write down what has ended, in one transaction."""
        ended, self._ended = self._ended, []
        results, self._gone = self._gone, []
        now = self._clock.now()
        as_now = {each.id: each for each in self._store.all()} if ended else {}
        again: Counter[int] = Counter()
        for (id_, row), result in ended:
            if result.outcome == "told":
                results.append(Told(id_, row.seq))
            elif id_ in as_now:
                again[id_] += 1
                results += self._failed(as_now[id_], row, result, now, as_now[id_].failures + again[id_])
        if results:
            failpoint("relay.told")
            self._store.settle(results, now)
            failpoint("relay.settled")

    def _failed(
        self, subscription: Subscription, row: Waiting, result: Result, now: Instant, failures: int
    ) -> Iterable[Settled]:
        """What a failure means for the event and for the receiver, which has failed *failures* times in a row."""
        failing = failures >= BREAKER
        rest = now + self._spread(min(_wait(failures - BREAKER), LONGEST_REST)) if failing else 0
        if result.wait is not None:
            rest = max(rest, now + min(result.wait, _LONGEST_ASKED))
        since = subscription.failing_since
        state: Standing = "active"
        if result.outcome == "gone":
            state = "ended"
        elif failing and since is not None and now - since >= PATIENCE:
            state = "paused"
        reason = "" if state == "active" else f"by its receiver: {result.reason}"
        if state == "paused":
            reason = f"it has failed for {PATIENCE // DAY} days: {result.reason}"
        if state != "active" or failures == BREAKER:
            logger.warning("receiver fails", action="rest", subscription=subscription.name, state=state)
        tried_long = row.first_at is not None and now - row.first_at >= PATIENCE
        again = rest if failing else max(rest, now + self._spread(_wait(row.attempts)))
        yield Failed(subscription.id, row.seq, result.reason, again, tried_long and state == "active")
        yield Rest(subscription.id, result.reason, rest, state, reason)

    def _spread(self, wait: Duration) -> Duration:
        """A wait that is up to a fifth shorter or longer."""
        return round(wait * (0.8 + 0.4 * self._chance()))


def _wait(times: int) -> Duration:
    return WAITS[min(times, len(WAITS) - 1)]


class TraitReader:
    """Looks up what a trait of whoever an event is about is now."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._number, self._applied = -1, definitions.applied(state)

    def __call__(self, event: Event, name: str) -> Any:
        """The value at a dotted path of a trait; None where there is none."""
        number = definitions.number(self._state)
        if number != self._number:
            self._number, self._applied = number, definitions.applied(self._state)
        subject = subject_of(self._state, event.identifier, None, event.timestamp)
        body = self._state.bodies([subject]).get(subject)
        if body is None or self._applied is None:
            return None
        value = trait_at(decode(body), tuple(name.split(".")), self._applied.workspace.merges)
        return None if value is MISSING else value
