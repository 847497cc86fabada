"""Delivery: claim, compose, send, record, with the ledger on disk before every step that cannot be taken back.

The ledger's transactions are `store/ledger.py`, composing is `content/compose.py`, sending is a provider of
`channels/`. Several slots (threads, `slots.py`) send at a time. A slot's result and its next commitment go to disk in
one transaction, shared with the other slots: at most one delivery per slot is ever between commitment and result.

Slots may go on while the engine folds. The ledger is written only while `deliver` runs: it has the turn, and whoever
wants to commit meanwhile waits for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from innkeeper.channels import DEFAULT_EMAIL, make_provider
from innkeeper.channels.contract import Outgoing, Provider, Result
from innkeeper.channels.group import GroupCommit
from innkeeper.content.addresses import email_problem
from innkeeper.content.dates import with_zones
from innkeeper.content.errors import MissingValue, TemplateFailed, UnsafeHeader
from innkeeper.kernel.errors import InnkeeperError, InternalError
from innkeeper.kernel.failpoints import failpoint
from innkeeper.kernel.json import loads
from innkeeper.kernel.time import MINUTE, SECOND, Clock, Instant, SystemClock, format_instant
from innkeeper.objects.fold import dates_of
from innkeeper.runtime.items import Catalogs
from innkeeper.runtime.slots import MOST_UNDER_WAY, Slots
from innkeeper.store.delivery_states import ENDS, MOST_ATTEMPTS, backoff, honest_end
from innkeeper.store.home_rules import HomeRules
from innkeeper.store.ledger import Change, Claim, Ledger, Row, resolve_doubt
from innkeeper.store.state import State
from innkeeper.strategy.content_reads import content_reads_items

if TYPE_CHECKING:
    from innkeeper.strategy.types import Definitions

#: Sending at a time. More than eight gain nothing here: composing is bound by the processor.
SLOTS = 8
#: How long a claim is good for, by the machine's clock; a provider that takes longer is given up. RFC 5321 gives a
#: server ten minutes for its last answer alone.
LEASE = 20 * MINUTE
#: After how long the answer to one delivery no longer holds up others.
SLOW_SECONDS = 5.0
#: How long those under way have to end when the deliverer closes.
_CLOSING_SECONDS = 5.0
GROUP = 256


class Lost(InternalError):
    """Another worker has taken the delivery over; this one must not send it."""


class _Entry(NamedTuple):
    """One thing for the ledger: a result, or a row that is about to be committed."""

    result: Change | None = None
    committing: Row | None = None


class Deliverer:
    """Sends what is planned. One per engine; `recover` comes first after a start."""

    def __init__(
        self,
        state: State,
        definitions: Definitions,
        providers: Mapping[str, Provider],
        worker: str = "engine",
        *,
        slots: int = SLOTS,
        lease: int = LEASE,
        slow_seconds: float = SLOW_SECONDS,
        clock: Clock | None = None,
        live: bool = False,
    ) -> None:
        self.definitions, self.providers, self.lease, self.live = definitions, providers, lease, live
        self.clock: Clock = clock or SystemClock()
        messages = [name for name, message in definitions.messages.items() if message.one_per_home]
        homes = HomeRules.of(definitions.policies, messages, definitions.workspace.zone)
        self.ledger = Ledger(state, worker, homes)
        self._group: GroupCommit[_Entry] = GroupCommit(self._write)
        self._lost: set[tuple[str, int]] = set()
        self._committed: dict[str, Row] = {}
        self._ended: list[str] = []
        self._guard = threading.Lock()
        self._slots = Slots(self._send, slots, slow_seconds=slow_seconds, lease_seconds=lease / SECOND)
        #: Who holds it may use the state: whoever calls this object, but while `_round` lends it to the slots.
        self._turn = threading.Lock()
        self._turn.acquire()
        #: The call of `deliver` that runs: its number, and what time it is.
        self._call = 0
        self._now: Instant | None = None
        #: Rows whose end is not written down, and the call that claimed them.
        self._claimed_in: dict[str, int] = {}
        self._state = state
        #: Items as they are in this round; None where no content reads them.
        self._items: Catalogs | None = None
        self._reads_items = content_reads_items(definitions)

    @classmethod
    def open(cls, home: Path, state: State, definitions: Definitions, *, live: bool = False) -> Deliverer:
        """The deliverer of a workspace, its providers open.

        Args:
            home: The workspace's folder.
            state: Its open state.
            definitions: The applied strategy.
            live: Send as the channels say; else everything goes into the Maildir of the provider `file`.
        """
        providers: dict[str, Provider] = {}
        for name, config in {"email": DEFAULT_EMAIL, **definitions.channels}.items():
            providers[name] = make_provider(config if live else replace(config, provider="file"), home)
        for provider in providers.values():
            provider.open()
        return cls(state, definitions, providers, live=live)

    def close(self) -> None:
        """Let go of the providers; what has no answer soon is settled at the next start."""
        for row in self._slots.take_back():
            self._add(_put_back(row, ""))
        deadline = time.monotonic() + _CLOSING_SECONDS
        try:
            while self._claimed_in and (left := deadline - time.monotonic()) > 0:
                self._round([], left, wait_for_slow=True)
        finally:
            for provider in self.providers.values():
                provider.close()

    @property
    def is_remote(self) -> bool:
        """Whether a round may take long."""
        return any(provider.is_remote for provider in self.providers.values())

    @property
    def is_sending(self) -> bool:
        """Whether the next call of `deliver` has something to wait for, besides answers that take long."""
        return self._slots.is_busy

    # Rounds

    def recover(self, now: Instant | None = None) -> list[str]:
        """Bring rows that a dead worker left behind to where they belong; the ids of those that ended.

        Args:
            now: Only leases that are over by then; None: all, because this is the only worker.
        """
        changes = [self._recovered(row) for row in self.ledger.stranded(now)]
        self.ledger.write(changes, (), lambda row: row.state_at)
        return [change.row.id for change in changes if change.after in ENDS]

    def deliver(
        self,
        now: Instant | None = None,
        subjects: Collection[str] | None = None,
        limit: int | None = None,
        seconds: float | None = None,
    ) -> list[str]:
        """Send what is due; the ids of the deliveries that have ended.

        Args:
            now: The wall clock's instant; None: every row at its own instant, until all have ended (as in a run over
                the past), or, when it goes out live, all that are due by the clock.
            subjects: Only these profiles.
            limit: About how many rows at most; None: all that is due.
            seconds: No longer than this; what is under way then ends in a later call.
        """
        self._call, self._now = self._call + 1, now
        ended: list[str] = [] if now is None else self.ledger.expire_held(now)
        deadline = None if seconds is None else time.monotonic() + seconds
        left = limit
        while left is None or left > 0:
            claim = self._claim(now, subjects, GROUP if left is None else min(GROUP, left))
            ended += claim.ended
            touched = len(claim.rows) + len(claim.ended) + claim.put_back
            if touched == 0 and not self._claimed_in:
                break
            remaining = None if deadline is None else max(deadline - time.monotonic(), 0)
            ended += self._round(claim.rows, remaining, wait_for_slow=touched == 0 and deadline is None)
            if deadline is not None and (touched == 0 or time.monotonic() >= deadline):
                break
            left = None if left is None else left - touched
        return ended

    def _claim(self, now: Instant | None, subjects: Collection[str] | None, limit: int) -> Claim:
        room = limit - self._slots.waiting if self._slots.under_way < MOST_UNDER_WAY else 0
        if room <= 0:
            return Claim([], [], 0)
        claim = self.ledger.claim(
            now=now,
            subjects=subjects,
            limit=room,
            due_by=self.clock.now() if self.live else None,
            lease_until=self.clock.now() + self.lease,
            needs_consent=self._needs_consent,
            needs_confirmation=self._needs_confirmation,
        )
        failpoint("deliver.claimed")
        self._claimed_in.update((row.id, self._call) for row in claim.rows)
        self._items = Catalogs(self._state, self.definitions) if claim.rows and self._reads_items else self._items
        return claim

    def _round(self, rows: Sequence[Row], seconds: float | None, *, wait_for_slow: bool = False) -> list[str]:
        """Let the slots work, with the turn, and write down what they know; the ids that ended."""
        self._ended = []
        self._slots.add(rows)
        self._turn.release()
        try:
            for row in self._slots.work(seconds, wait_for_slow=wait_for_slow):
                self._give_up(row)
            error = self._slots.take_error()
            if error is not None:
                for row in self._slots.take_back():
                    self._add(_put_back(row, ""))
            try:
                self._group.commit()
            finally:
                if error is not None:
                    raise error
        except BaseException:
            # What was to be written down may be lost with it; the next start settles those rows.
            self._claimed_in.clear()
            raise
        finally:
            self._turn.acquire()
        failpoint("deliver.recorded")
        return self._ended

    def _give_up(self, row: Row) -> None:
        """The provider has not answered within the lease; its thread may be stuck for ever, and may answer late."""
        with self._guard:
            committed = row.id in self._committed
        self._add(
            self._doubtful(row, self.providers[row.channel], "no answer")
            if committed
            else _try_again(row, "claimed", "no answer")
        )

    # One delivery

    def _send(self, row: Row) -> None:
        at = row.state_at
        try:
            provider, outgoing = self._prepare(row)
        except (MissingValue, TemplateFailed, UnsafeHeader, _Unsendable) as error:
            reason = f"{error.code}:{error.path}" if isinstance(error, MissingValue) else error.code
            self._add(Change(row, "claimed", honest_end("cancelled", row.doubts), at, reason))
            return
        committed = False

        def committing() -> None:
            nonlocal committed
            self._group.commit(_Entry(committing=row))
            with self._guard:
                if (row.id, row.attempts) in self._lost:
                    raise Lost(f"delivery {row.id} was taken over", code="lease-lost")
            committed = True
            failpoint("deliver.committing")

        try:
            result = provider.send(outgoing, committing)
        except Lost:
            return
        except BaseException as error:
            # Before the commitment nothing was sent; after it only the provider can know.
            self._add(self._doubtful(row, provider, str(error)) if committed else _put_back(row, str(error)))
            raise
        failpoint("deliver.sent")
        self._add(self._outcome(row, result, committed=committed))

    def _prepare(self, row: Row) -> tuple[Provider, Outgoing]:
        message = self.definitions.messages.get(row.message)
        provider = self.providers.get(row.channel)
        if message is None:
            raise _Unsendable(f"there is no message '{row.message}' any more", code="no_message")
        if provider is None:
            raise _Unsendable(f"there is no channel '{row.channel}' any more", code="no_channel")
        if row.channel == "email" and email_problem(row.address) is not None:
            raise _Unsendable("mail cannot go to this address", code="no_address")
        from innkeeper.content.compose import render_message

        rendered = render_message(message, self._context(row))
        return provider, Outgoing(
            delivery_id=row.id, address=row.address, subject=rendered.subject, text=rendered.text, html=rendered.html,
            headers={}, at=row.planned_at, kind=row.kind,
        )  # fmt: skip

    def _context(self, row: Row) -> dict[str, object]:
        known: dict[str, object] = loads(row.context)
        profile = known.get("profile")
        zone = profile.get("timezone") if isinstance(profile, Mapping) else None
        known.setdefault("zone", zone or self.definitions.workspace.zone)
        known["journey"] = {"name": row.journey, "key": row.key}
        known["message"] = row.message
        known["workspace"] = {"name": self.definitions.workspace.name}
        known["now"] = format_instant(row.planned_at)
        for name, declared in self.definitions.workspace.objects.items():
            values = known.get(name)
            if isinstance(values, dict):
                known[name] = with_zones(values, *dates_of(declared, values))
        if self._items is not None:
            known["items"] = self._items
        return known

    def _needs_consent(self, purpose: str) -> bool:
        known = self.definitions.policies.purposes.get(purpose)
        return known is None or known.basis == "consent"

    def _needs_confirmation(self, purpose: str) -> bool:
        known = self.definitions.policies.purposes.get(purpose)
        return known is not None and known.double_opt_in

    # What became of it

    def _outcome(self, row: Row, result: Result, *, committed: bool) -> Change:
        at, before = row.state_at, "committing" if committed else "claimed"
        match result.outcome:
            case "accepted":
                if not committed:
                    raise InternalError("a provider accepted without committing", code="provider-contract")
                return Change(row, before, "accepted", at, provider_id=result.provider_id)
            case "rejected":
                return Change(row, before, honest_end("rejected", row.doubts), at, result.reason)
            case "in_doubt":
                return resolve_doubt(row, result.reason, at) if committed else _put_back(row, result.reason)
            case "retry":
                return _try_again(row, before, result.reason)

    def _doubtful(self, row: Row, provider: Provider, reason: str) -> Change:
        """A committed row without an answer: what the provider's own record says, else in doubt."""
        settled = provider.settle(row.id) if provider.settles else None
        if settled is None or settled.outcome == "in_doubt":
            return resolve_doubt(row, reason, row.state_at)
        if settled.outcome == "retry":
            return Change(row, "committing", "planned", row.state_at, settled.reason)
        return self._outcome(row, settled, committed=True)

    def _recovered(self, row: Row) -> Change:
        provider = self.providers.get(row.channel)
        if row.state == "claimed":
            return Change(row, "claimed", "planned", row.state_at, "the worker stopped")
        if provider is None:
            return resolve_doubt(row, "the worker stopped", row.state_at)
        return self._doubtful(row, provider, "the worker stopped")

    # The ledger, through the group

    def _add(self, change: Change) -> None:
        self._group.add(_Entry(result=change))

    def _write(self, entries: Sequence[_Entry]) -> None:
        # Whoever leads writes for all, while `_round` lends the turn.
        with self._turn:
            self._write_down(entries)

    def _write_down(self, entries: Sequence[_Entry]) -> None:
        results = [entry.result for entry in entries if entry.result is not None]
        asked = [entry.committing for entry in entries if entry.committing is not None]
        back = self._withdrawn(asked)
        committing = [row for row in asked if row.id not in back]
        lost = self.ledger.write([*results, *back.values()], committing, lambda row: row.state_at) | set(back)
        with self._guard:
            self._lost.update((row.id, row.attempts) for row in asked if row.id in lost)
            self._committed.update((row.id, row) for row in committing if row.id not in lost)
            for change in results:
                self._committed.pop(change.row.id, None)
            for id in [*lost, *(change.row.id for change in results)]:
                self._claimed_in.pop(id, None)
            self._ended += [change.row.id for change in results if change.after in ENDS and change.row.id not in lost]

    def _withdrawn(self, rows: Sequence[Row]) -> dict[str, Change]:
        """Those of an earlier call that may not go any more: the profile may have said something since."""
        earlier = [row for row in rows if self._claimed_in.get(row.id) != self._call]
        changes = self.ledger.withdrawn(earlier, self._now, self._needs_consent, self._needs_confirmation)
        return {change.row.id: change for change in changes}


class _Unsendable(InnkeeperError):
    """The row cannot be sent as the strategy is now."""


def _put_back(row: Row, reason: str) -> Change:
    return Change(row, "claimed", "planned", row.state_at, reason)


def _try_again(row: Row, before: str, reason: str) -> Change:
    if row.attempts >= MOST_ATTEMPTS:
        return Change(row, before, honest_end("rejected", row.doubts), row.state_at, f"gave up: {reason}")
    return Change(row, before, "planned", row.state_at, reason, not_before=row.state_at + backoff(row.attempts))
