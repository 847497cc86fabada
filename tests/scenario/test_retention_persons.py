"""Who is who after retention: the same persons, and a claim that comes late still divides what it has to."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from oracle.identity_cases import START, People
from oracle.identity_oracle import Rules, Who
from support.workspace import Workspace, event

from innkeeper.audiences.owners import Owners
from innkeeper.events.types import Event
from innkeeper.kernel.time import DAY, FOREVER, FixedClock, Instant, format_instant
from innkeeper.lifecycle import decode
from innkeeper.profiles.home import household
from innkeeper.profiles.memories import all_memories
from innkeeper.runtime import definitions
from innkeeper.runtime.identity_reading import IdentityReader
from innkeeper.runtime.replay import replay
from innkeeper.runtime.retention import retain
from innkeeper.store.bulk import Bulk
from innkeeper.store.identity import IdentityTables
from innkeeper.store.state import State

SEED = 20261125
POLICIES = (
    "purposes:\n  offers: {kind: marketing, basis: legitimate_interest}\n"
    "retention:\n  events: {default: 30 days}\n  consent: keep\n"
)
DECLARED = {
    "strategy.yaml": "name: test\nzone: UTC\nevents: {Login: [], Buy: [total]}\ntraits: [plan, card]\n"
    "identity:\n  namespaces:\n    card: { owner: person, from: traits.card }\n"
    "    kiosk: { owner: spans, from: context.kiosk }\n"
    "sources:\n  crm: { verifies: [email] }\n  web: {}\n  app: {}\n",
    "policies.yaml": POLICIES,
}
RULES = Rules(verifying=frozenset({"crm"}), card=True)


class Guests(People):
    """People who also stand at kiosks and have devices, all over half a year; most of it says nothing new."""

    def said(self) -> dict[str, Any]:
        """What an event says besides."""
        kind = self.dice.random()
        if kind < 0.4:
            return {}
        if kind < 0.6:
            return {"context": {"kiosk": f"k{self.dice.randrange(2)}"}}
        if kind < 0.75:
            return {"context": {"device": {"id": f"d{self.dice.randrange(2)}"}}}
        return super().said()


def message_of(one: Event) -> dict[str, Any]:
    """An event as a source sends it."""
    given = {
        "type": one.type, "messageId": one.message_id, "userId": one.user_id, "anonymousId": one.anonymous_id,
        "timestamp": format_instant(one.timestamp), "traits": one.traits, "context": one.context,
    }  # fmt: skip
    if one.type == "track":
        given |= {"event": one.name, "properties": one.properties}
    return given | one.extra


def tables(workspace: Workspace) -> list[Any]:
    """Who is who as the engine keeps it, but for the numbers of rows."""
    with State.open(workspace.home, readonly=True) as state:
        return [
            sorted(state.connection.execute(f"SELECT {columns} FROM {table}"))
            for table, columns in (
                ("turns", "identifier, at, source, message_id, claimant, reason"),
                ("bonds", "a, b, kind, at, source, message_id, reason"), ("words", "a, b, counts"),
                ("persons", "identifier, subject"),
            )
        ]  # fmt: skip


def by_sql(workspace: Workspace) -> tuple[Any, ...]:
    """The same as SQL has it: the joins, and the turns of browsers."""
    with Bulk.open(workspace.home) as bulk, State.open(workspace.home, readonly=True) as state:
        rules = definitions.world(state).identity
        owners = Owners.of(lambda sql, values: bulk.rows(sql, values), rules)
        turns = bulk.rows("SELECT identifier, claimant, ts, since, until FROM turns", {})
        return owners.at(FOREVER).everyone(), [each[:6] for each in owners.joins], sorted(turns)


def settle_anew(workspace: Workspace, until: Instant) -> None:
    """Have the next run make who is who from what is left in the log."""
    with State.open(workspace.home) as state, state.transaction() as connection:
        connection.execute("DELETE FROM meta WHERE key = 'identity_rules'")
    workspace.run(format_instant(until))


def owned_as(workspace: Workspace, who: Who, events: list[Event]) -> None:
    """The tables say of every identifier, whenever it was seen, what the oracle says."""
    with State.open(workspace.home, readonly=True) as state:
        reader = IdentityReader(IdentityTables(state.connection), definitions.world(state).identity)
        for claim in who.claims:
            for at in (claim[0] - 1, claim[0], claim[0] + DAY):
                assert reader.owner(claim[3], at) == who.owner(claim[3], at)
        for one in events:
            assert reader.owner(one.identifier, one.timestamp) == who.subject(one)


def check(seed: int, folder: Path) -> int:
    """One world before and after retention; how many events went."""
    events = Guests(random.Random(seed), people=3, step=8 * DAY).history(150)
    workspace = Workspace(folder)
    workspace.apply(DECLARED)
    for source in ("web", "app", "crm"):
        workspace.add(*(message_of(one) for one in events if one.source == source), source=source)
    workspace.run(format_instant(START + 200 * DAY))
    who = Who(events, RULES)
    owned_as(workspace, who, events)
    before, asked = tables(workspace), by_sql(workspace)
    gone = retain(workspace.home).goes
    assert by_sql(workspace) == asked
    settle_anew(workspace, START + 201 * DAY)
    assert tables(workspace) == before
    owned_as(workspace, who, events)
    return gone


def test_devices_and_declared_namespaces_are_whose_they_were(tmp_path: Path) -> None:
    gone = [check(SEED + number, tmp_path / str(number)) for number in range(2)]
    print(f"seeds from {SEED}: 2 worlds of 150 events, of which {gone} went")
    assert min(gone) > 20


SHARED = {
    "strategy.yaml": "name: test\nzone: UTC\nevents: {Login: [], Buy: [total, order_id]}\n"
    "objects: {order: {id: order_id, roles: {owner: user}, properties: [total], events: {Buy: paid}}}\n",
    "policies.yaml": POLICIES,
    "audiences/buyers.yaml": "when: count('Buy') >= 2\n",
    "audiences/regulars.yaml": "when: count('Buy') >= 4\n",
    "audiences/owners.yaml": "when: sum(order, total) > 15\n",
}


def spoken(day: int, name: str, **properties: Any) -> Any:
    """Somebody says something on the browser that ann and bob use."""
    return event(name, None, format_instant(START + day * DAY), anonymous="b", **properties)


def login(day: int, who: str) -> Any:
    """Somebody logs in there."""
    return event("Login", who, format_instant(START + day * DAY), anonymous="b")


def lives() -> list[Any]:
    """Ann and bob on one browser; long after both have come, somebody says a lot on it."""
    made = [login(0, "ann"), login(20, "bob"), *(spoken(day, "Login") for day in range(1, 40))]
    made += [spoken(day, "Buy", total=9, order_id=f"o{day}") for day in (2, 30, 80, 85, 90, 95)]
    for day, word in ((81, "soft"), (91, "firm")):
        made += [spoken(day, "Memory Noted", about="pillow", value=word)]
        made += [spoken(day, "Household Joined", household_id=f"home of {word}")]
    return made


def known(workspace: Workspace) -> dict[str, Any]:
    """What the engine knows of everybody."""
    found = {}
    with State.open(workspace.home, readonly=True) as state:
        for page in state.pages():
            for subject, body in page:
                one = decode(body)
                orders = sorted(one.objects.get("order", {}))
                found[subject] = (orders, all_memories(one), household(one), sorted(one.memberships))
    return found


def test_a_late_claim_divides_what_it_has_to_in_a_replay_from_a_checkpoint(tmp_path: Path) -> None:
    kept, whole = Workspace(tmp_path / "kept"), Workspace(tmp_path / "whole")
    late = login(88, "ann")
    for workspace in (kept, whole):
        workspace.apply(SHARED)
        workspace.add(*lives())
        workspace.run(format_instant(START + 100 * DAY))
        if workspace is kept:
            assert retain(workspace.home, clock=FixedClock(START + 101 * DAY)).goes > 10
        before = known(workspace)
        # It was ann who said the last of it.
        workspace.add(late, received_at=format_instant(START + 100 * DAY))
        workspace.run(format_instant(START + 110 * DAY))
        assert known(workspace) != before
    assert known(kept) == known(whole)
    assert known(kept) == {
        "user_id:ann": (["o2", "o90", "o95"], {"pillow": "firm"}, "home of firm", ["buyers", "owners"]),
        "user_id:bob": (["o30", "o80", "o85"], {"pillow": "soft"}, "home of soft", ["buyers", "owners"]),
    }
    again = replay(kept.home)
    assert again.begins_at is not None
    assert (again.different, again.examples) == (0, [])
    assert again.outputs == len(kept.outputs("Audience Left")) == 1
