"""Subscriptions as people make them: created, looked at, paused, tested, told again.

What is told is `outward.py`; who tells is the relay (`relay.py`), which heeds a command from the next moment on: nobody
has to stop for it.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from pathlib import Path
from typing import Any, Final

from innkeeper.channels.http_out import CallFailed, HttpOut, Resolver, looked_at
from innkeeper.channels.targets import Target, read_target
from innkeeper.channels.webhook import Result, new_secret, post
from innkeeper.kernel.errors import UsageError, did_you_mean
from innkeeper.kernel.json import dumps_bytes
from innkeeper.kernel.time import Clock, Duration, Instant, format_instant
from innkeeper.runtime import definitions
from innkeeper.runtime.outward import Selection, notice_id
from innkeeper.store.bulk import Bulk
from innkeeper.store.log import Log
from innkeeper.store.state import State
from innkeeper.store.subscriptions import Subscription, Subscriptions, exist

TEST_EVENT: Final = "Subscription Test"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")


def create(
    home: Path, name: str, url: str, selection: Selection, clock: Clock, *, private: bool, since: Instant | None
) -> dict[str, Any]:
    """A new subscription, with the secret that its notices are signed with.

    Args:
        home: The workspace's folder.
        name: Of the subscription.
        url: The receiver.
        selection: What it is told.
        clock: The time of day.
        private: The receiver may be in a private network.
        since: Tell also what happened since then; None: what happens from now on.

    Raises:
        UsageError: The name or the URL is none, is taken, or leads where we do not go.
    """
    if not _NAME.match(name):
        raise UsageError(
            f"{name!r} cannot name a subscription: letters, digits, dots, - and _ are taken", code="bad-name",
            fix="choose a short name: crm",
        )  # fmt: skip
    _check_target(read_target(url), private)
    _check_audiences(home, selection)
    secret = new_secret()
    cursor = _newest(home) if since is None else place_before(home, since)
    with Subscriptions.open(home) as store:
        store.create(
            name, url, selection.kept(), private=private, at=clock.now(), cursor=cursor, secret=secret
        )  # fmt: skip
        return told(store, store.get(name), home) | {"secret": secret}


def _check_target(target: Target, private: bool) -> None:
    """Refuse early what the relay would refuse at every attempt; a name that leads nowhere yet may later."""

    async def look() -> None:
        resolver = Resolver()
        try:
            await looked_at(target.host, target.port, private=private, resolve=resolver)
        finally:
            resolver.close()

    try:
        asyncio.run(look())
    except CallFailed as failed:
        if failed.code == "address-refused":
            raise UsageError(failed.message, code=failed.code, fix=failed.fix) from failed


def _check_audiences(home: Path, selection: Selection) -> None:
    if not selection.audiences or not State.exists(home):
        return
    with State.open(home, readonly=True) as state:
        applied = definitions.applied(state)
    if applied is None:
        return
    known = {*applied.audiences, *applied.account_audiences}
    for name in sorted(selection.audiences - known):
        raise UsageError(
            f"there is no audience '{name}'",
            code="unknown-audience",
            fix=did_you_mean(name, known) or "see: audiences/",
        )


def listing(home: Path) -> list[dict[str, Any]]:
    """Every subscription, by name; none where there never was one."""
    if not exist(home):
        return []
    with Subscriptions.open(home) as store:
        return [told(store, each, home) for each in store.all()]


def show(home: Path, name: str) -> dict[str, Any]:
    """One subscription.

    Raises:
        UsageError: There is none of this name.
    """
    with Subscriptions.open(home) as store:
        return told(store, store.get(name), home)


def told(store: Subscriptions, one: Subscription, home: Path) -> dict[str, Any]:
    """The JSON form of a subscription."""
    return {
        "subscription": one.name, "url": one.url, **Selection.of(one.selection).kept(), "allow_private": one.private,
        "created_at": format_instant(one.created_at), "state": one.state, "reason": one.reason,
        "delivered": one.delivered, "delivered_at": _instant(one.delivered_at), "waiting": store.waiting(one.id),
        "unread": max(0, _newest(home) - one.cursor), "given_up": store.given_up(one.id), "failures": one.failures,
        "failing_since": _instant(one.failing_since), "resting_until": _instant(one.not_before or None),
        "error": one.error,
    }  # fmt: skip


def set_state(home: Path, name: str, *, active: bool) -> None:
    """Pause a subscription, or let it go on; what happens meanwhile is told later.

    Raises:
        UsageError: There is none of this name.
    """
    with Subscriptions.open(home) as store:
        store.get(name)
        store.set_state(name, "active" if active else "paused", "" if active else "by hand")


def remove(home: Path, name: str) -> None:
    """Forget a subscription.

    Raises:
        UsageError: There is none of this name.
    """
    with Subscriptions.open(home) as store:
        store.get(name)
        store.remove(name)


def rotate(home: Path, name: str, grace: Duration, clock: Clock) -> str:
    """A new secret; notices are signed with the old one too for *grace* longer.

    Raises:
        UsageError: There is no such subscription.
    """
    with Subscriptions.open(home) as store:
        store.get(name)
        secret, now = new_secret(), clock.now()
        store.rotate(name, secret, now, now + grace)
        return secret


def test(home: Path, name: str, clock: Clock) -> Result:
    """Post a notice that says nothing, now, from this process.

    Raises:
        UsageError: There is no such subscription.
    """
    now = clock.now()
    id_ = f"evt_test_{secrets.token_hex(8)}"
    body = dumps_bytes({"id": id_, "type": TEST_EVENT, "timestamp": format_instant(now), "data": {}})
    with Subscriptions.open(home) as store:
        one = store.get(name)
        keys = store.secrets(one.id, now)

    async def once() -> Result:
        client = HttpOut(private=one.private)
        try:
            return await post(client, read_target(one.url), keys, id_, now, body)
        finally:
            await client.close()

    return asyncio.run(once())


def redeliver(home: Path, name: str, since: Instant | None) -> dict[str, Any]:
    """Tell again everything since an instant, or else what was given up.

    Raises:
        UsageError: There is no such subscription.
    """
    with Subscriptions.open(home) as store:
        store.get(name)
        if since is None:
            return {"subscription": name, "again": store.retry(name)}
        cursor = place_before(home, since)
        store.go_back(name, cursor)
        return {"subscription": name, "from": format_instant(since), "after_seq": cursor}


def failures(home: Path, name: str, last: int) -> list[dict[str, Any]]:
    """What was not told at the first attempt, the newest first.

    Raises:
        UsageError: There is no such subscription.
    """
    with Subscriptions.open(home) as store:
        rows = store.failures(store.get(name).id, last)
    with Log.open(home, read_only=True) as log:
        events = log.get([row.seq for row in rows])
    return [
        {
            "seq": row.seq, "id": notice_id(events[row.seq]) if row.seq in events else None,
            "event": events[row.seq].name if row.seq in events else None, "attempts": row.attempts, "error": row.error,
            "first_at": _instant(row.first_at), "given_up_at": _instant(row.given_up_at),
        }
        for row in rows
    ]  # fmt: skip


def place_before(home: Path, at: Instant) -> int:
    """The place of the log behind which everything stands that came at an instant or later."""
    with Bulk.open(home) as bulk:
        first = bulk.rows("SELECT min(seq) FROM every_event WHERE received_at >= ?", (at,))[0][0]
    return _newest(home) if first is None else int(first) - 1


def _newest(home: Path) -> int:
    with Log.open(home, read_only=True) as log:
        return log.last_seq()


def _instant(at: Instant | None) -> str | None:
    return None if at is None else format_instant(at)
