"""Delivery: claim, compose, send, record, with the ledger on disk before every step that cannot be taken back.

The ledger's transactions are `store/ledger.py`, composing is `content/compose.py`, sending is a provider of
`channels/`. Several slots (threads) send at a time. A slot's result and its next commitment go to disk in one
transaction, shared with the other slots: at most one delivery per slot is ever between commitment and result.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from innkeeper.channels import DEFAULT_EMAIL, make_provider
from innkeeper.channels.contract import Outgoing, Provider, Result
from innkeeper.channels.group import GroupCommit
from innkeeper.content.addresses import email_problem
from innkeeper.content.errors import MissingValue, TemplateFailed, UnsafeHeader
from innkeeper.kernel.errors import InnkeeperError, InternalError
from innkeeper.kernel.failpoints import failpoint
from innkeeper.kernel.json import loads
from innkeeper.kernel.time import MINUTE, Clock, Instant, SystemClock, format_instant
from innkeeper.runtime.items import Catalogs
from innkeeper.store.delivery_states import ENDS, MOST_ATTEMPTS, backoff, honest_end
from innkeeper.store.home_rules import HomeRules
from innkeeper.store.ledger import Change, Ledger, Row, resolve_doubt
from innkeeper.store.state import State
from innkeeper.strategy.content_reads import content_reads_items

if TYPE_CHECKING:
    from innkeeper.strategy.types import Definitions

#: Sending at a time. More than eight gain nothing here: composing is bound by the processor.
SLOTS = 8
#: How long a claim is good for, by the machine's clock; a provider that takes longer is given up.
LEASE = 10 * MINUTE
GROUP = 256


class Lost(InternalError):
    """Another worker has taken the delivery over; this one must not send it."""


class _Work:
    """What the slots of one round share: rows that wait, rows under way, the first error."""

    def __init__(self, waiting: deque[Row]) -> None:
        self.waiting = waiting
        self.under_way: dict[str, Row] = {}
        self.error: BaseException | None = None
        self.stop = False


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
        clock: Clock | None = None,
    ) -> None:
        self.definitions, self.providers, self.slots, self.lease = definitions, providers, slots, lease
        self.clock: Clock = clock or SystemClock()
        messages = [name for name, message in definitions.messages.items() if message.one_per_home]
        homes = HomeRules.of(definitions.policies, messages, definitions.workspace.zone)
        self.ledger = Ledger(state, worker, homes)
        self._group: GroupCommit[_Entry] = GroupCommit(self._write)
        self._lost: set[tuple[str, int]] = set()
        self._committed: dict[str, Row] = {}
        self._ended: list[str] = []
        self._guard = threading.Lock()
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
        return cls(state, definitions, providers)

    def close(self) -> None:
        """Let go of the providers."""
        for provider in self.providers.values():
            provider.close()

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
        self, now: Instant | None = None, subjects: Collection[str] | None = None, limit: int | None = None
    ) -> list[str]:
        """Send what is due; the ids of the deliveries that have ended.

        Args:
            now: The wall clock's instant; None: every row at its own instant, until all have ended (as in a run over
                the past).
            subjects: Only these profiles.
            limit: About how many rows at most; None: all that is due.
        """
        ended: list[str] = [] if now is None else self.ledger.expire_held(now)
        left = limit
        while left is None or left > 0:
            claim = self.ledger.claim(
                now=now,
                subjects=subjects,
                limit=GROUP if left is None else min(GROUP, left),
                lease_until=self.clock.now() + self.lease,
                needs_consent=self._needs_consent,
                needs_confirmation=self._needs_confirmation,
            )
            failpoint("deliver.claimed")
            self._items = Catalogs(self._state, self.definitions) if claim.rows and self._reads_items else None
            ended += claim.ended
            touched = len(claim.rows) + len(claim.ended) + claim.put_back
            if touched == 0:
                break
            ended += self._send_all(claim.rows)
            left = None if left is None else left - touched
        return ended

    def _send_all(self, rows: Sequence[Row]) -> list[str]:
        self._ended = []
        work = _Work(deque(rows))
        if len(rows) <= 2 or self.slots == 1:
            self._slot(work)
        else:
            self._in_slots(work)
        for row in work.waiting:
            self._add(_put_back(row, ""))
        try:
            self._group.commit()
        finally:
            if work.error is not None:
                raise work.error
        failpoint("deliver.recorded")
        return self._ended

    def _in_slots(self, work: _Work) -> None:
        # Daemon threads: one that is stuck in a provider must not keep the process from ending.
        threads = [
            threading.Thread(target=self._slot, args=(work,), name=f"slot-{number}", daemon=True)
            for number in range(min(self.slots, len(work.waiting)))
        ]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + self.lease / 1_000_000
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0))
        work.stop = True
        for row in list(work.under_way.values()):
            self._give_up(row)

    def _slot(self, work: _Work) -> None:
        """One slot: row after row, until there are none, one fails, or the time is up."""
        while not work.stop:
            try:
                row = work.waiting.popleft()
            except IndexError:
                return
            work.under_way[row.id] = row
            try:
                self._send(row)
            except BaseException as error:  # noqa: BLE001 - handed to the thread that waits, which raises it
                work.error = work.error or error
                work.stop = True
            work.under_way.pop(row.id, None)

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
        results = [entry.result for entry in entries if entry.result is not None]
        committing = [entry.committing for entry in entries if entry.committing is not None]
        lost = self.ledger.write(results, committing, lambda row: row.state_at)
        with self._guard:
            self._lost.update((row.id, row.attempts) for row in committing if row.id in lost)
            self._committed.update((row.id, row) for row in committing if row.id not in lost)
            for change in results:
                self._committed.pop(change.row.id, None)
            self._ended += [change.row.id for change in results if change.after in ENDS and change.row.id not in lost]


class _Unsendable(InnkeeperError):
    """The row cannot be sent as the strategy is now."""


def _put_back(row: Row, reason: str) -> Change:
    return Change(row, "claimed", "planned", row.state_at, reason)


def _try_again(row: Row, before: str, reason: str) -> Change:
    if row.attempts >= MOST_ATTEMPTS:
        return Change(row, before, honest_end("rejected", row.doubts), row.state_at, f"gave up: {reason}")
    return Change(row, before, "planned", row.state_at, reason, not_before=row.state_at + backoff(row.attempts))
