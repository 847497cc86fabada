"""Random lives of members of accounts and of people who ask for items, for what a retraction has to bring along: who is
a member, roll-ups of what members did, audiences of accounts, items that come back, wishes.

The oracles are those of `retraction.py`. Accounts are shared by all families, so one bad event reaches many.
"""

from __future__ import annotations

from typing import Any

import msgspec

from innkeeper.kernel.time import Instant
from innkeeper.profiles.state import ProfileState, decode
from innkeeper.profiles.ties import VERSION
from innkeeper.store import things
from innkeeper.store.state import State
from support import retraction
from support.workspace import Workspace

STRATEGY = """name: test
zone: UTC
events: { Order Completed: [total], Login: [], Booking: [booking_id, total], Booking Cancelled: [booking_id],
  Wanted: [item] }
traits: [plan]
accounts: { traits: { seats: number, tier: text }, roles: [admin, member] }
"""
ITEMS = """kind: product
wished_by: { event: Wanted, item: item }
items:
  - { id: soap, price: 9, stock: 0 }
  - { id: robe, price: 80, stock: 3 }
"""
ACCOUNTS = ("acme", "bolt", "7")
#: What audiences of accounts ask.
OF_ACCOUNTS = (
    "distinct('Login', member, within => '2 days') >= 3", "count('Order Completed') >= 4", "account.seats >= 10",
    "not did('Login', within => '1 day')", "sum('Order Completed', total, within => '5 days') > 150",
    "in_audience('busy') or account.tier = 'gold'",
)  # fmt: skip
#: What audiences of customers ask of their account.
OF_MEMBERS = (
    "in_audience('busy')", "in_audience('large') and account.role = 'admin'", "account.seats >= 10",
    "account.tier = 'gold' and did('Login')", "account.id = 'acme' and in_audience('large')", "not in_audience('busy')",
    "any(account, seats >= 10 and role = 'admin')",
    "count(account, in_audience('busy')) >= 2 or sum(account, seats) > 25",
)  # fmt: skip
BY_ITEM = """journey: {name}
enter: {{ item: products, change: {change} }}
{more}steps:
  - {first}
  - wait: 20 hours
  - {second}
"""


class ManyCase(retraction.Case):
    """A case with accounts and items in it."""

    def __init__(self, seed: int, *, families: int = 4) -> None:
        super().__init__(seed, families=families)
        chance = self.chance
        self.files["strategy.yaml"] = STRATEGY
        self.files["catalogs/products.yaml"] = ITEMS
        self.of_accounts = {"busy": chance.choice(OF_ACCOUNTS[:-1]), "large": chance.choice(OF_ACCOUNTS)}
        for name, condition in self.of_accounts.items():
            self.files[f"audiences/{name}.yaml"] = f'of: account\nwhen: "{condition}"\n'
        for name in ("ma", "mb"):
            self.audiences[name] = chance.choice(OF_MEMBERS)
            self.files[f"audiences/{name}.yaml"] = f'name: {name}\ndescription: x\nwhen: "{self.audiences[name]}"\n'
        entered = f"enter: {{audience: {chance.choice(['ma', 'mb'])}, change: {chance.choice(['entered', 'left'])}}}"
        self.files["journeys/of-members.yaml"] = (
            f"journey: of-members\n{entered}\nreentry: {chance.choice(['never', 'after_exit', 'always'])}\nsteps:\n"
            + "".join(f"  - {chance.choice(retraction.STEPS)}\n" for _ in range(3))
        )
        for name, change in (("back", "back_in_stock"), ("drop", chance.choice(["price_drop", "changed"]))):
            more = "exit: [\"in_audience('ma')\"]\n" if chance.random() < 0.4 else ""
            self.files[f"journeys/{name}.yaml"] = BY_ITEM.format(
                name=name, change=change, more=more, first=chance.choice(retraction.STEPS[:2]),
                second=chance.choice(retraction.STEPS),
            )  # fmt: skip
        #: What is in force at first, where it changes in the middle.
        self.first = dict(self.files)
        if chance.random() < 0.3:
            self.first["audiences/busy.yaml"] = f'of: account\nwhen: "{chance.choice(OF_ACCOUNTS[:-1])}"\n'

    def workspace(self, home: Any) -> Workspace:
        """A home with the first strategy in force."""
        made = Workspace(home)
        made.apply(self.first)
        return made

    def phase(self, space: Workspace, number: int, *, without: bool, tick_size: int = 2_000) -> None:
        """As for others; before the second phase the second strategy comes into force."""
        if number == 1 and self.first != self.files:
            space.apply(self.files, at="2026-01-11T00:00:00Z")
        super().phase(space, number, without=without, tick_size=tick_size)

    def _random(self, family: int, at: Instant, id: str) -> Any:
        chance = self.chance
        kind = chance.random()
        who = f"{family}{chance.choice(retraction.USERS)}"
        if kind < 0.4:
            made = super()._random(family, at, id)
            if made["type"] == "track" and chance.random() < 0.15:
                made["context"] = {"groupId": chance.choice(ACCOUNTS)}
            return made
        if kind < 0.6:
            traits = {"seats": chance.choice([3, 12]), "tier": chance.choice(["gold", "plain"])}
            said = {name: value for name, value in traits.items() if chance.random() < 0.3}
            said |= {"role": chance.choice(["admin", "member"])} if chance.random() < 0.4 else {}
            group = self._message("group", at, who, None, id=id, traits=said)
            return group | {"groupId": chance.choice(ACCOUNTS)}
        if kind < 0.72:
            name = chance.choice(["Left Account", "Account Updated"])
            properties: dict[str, Any] = {"account_id": chance.choice(ACCOUNTS)}
            if name == "Account Updated":
                properties["set"] = {"seats": chance.choice([3, 12, None])}
                who = chance.choice([who, "desk"])
            return self._message("track", at, who, None, event=name, id=id, properties=properties)
        named = {"catalog": "products", "id": chance.choice(["soap", "robe"])}
        if kind < 0.84:
            name = chance.choice(["Item Requested", "Item Requested", "Item Request Withdrawn", "Wanted"])
            asked = {"item": named["id"]} if name == "Wanted" else named
            return self._message("track", at, who, None, event=name, id=id, properties=asked)
        values = chance.choice([{"stock": 0}, {"stock": 4}, {"stock": 4, "price": 5}, {"price": 70}, {"price": None}])
        return self._message(
            "track", at, chance.choice(["staff", who]), None, event="Item Updated", id=id,
            properties=named | {"set": values},
        )  # fmt: skip


def compare(real: Workspace, oracle: Workspace, case: retraction.Case) -> None:
    """As for others, and: accounts and items are the same, who is a member, who waits for what, what members know."""
    assert accounts(real) == accounts(oracle)
    for sql in (
        "SELECT * FROM account_words", "SELECT * FROM members", "SELECT * FROM wishes",
        "SELECT kind, type, id, body FROM things WHERE kind = 'item'",
    ):  # fmt: skip
        mine, theirs = (_rows(space, sql) for space in (real, oracle))
        assert mine == theirs, (sql, mine - theirs, theirs - mine)
    retraction.compare(real, oracle, case)
    a, b = retraction.states(real), retraction.states(oracle)
    for subject in sorted(a.keys() & b.keys()):
        assert _known(a[subject]) == _known(b[subject]), subject


def accounts(space: Workspace) -> dict[str, Any]:
    """Every account, but for how many inputs it has had and when the last one was."""
    with State.open(space.home, readonly=True) as state:
        found = [decode(row.body) for page in things.pages(state, "account") for row in page]
    return {
        each.subject: msgspec.to_builtins(msgspec.structs.replace(each, inputs=0, last_at=0), order="sorted")
        for each in found
    }


def _known(state: ProfileState) -> Any:
    copies = {
        account: ({name: value for name, value in copy.view.items() if name != VERSION}, copy.holders)
        for account, copy in state.accounts.items()
    }
    ties = {name: facts.accounts for name, facts in state.facts.items() if facts.accounts}
    return msgspec.to_builtins((copies, ties), order="sorted")


def _rows(space: Workspace, sql: str) -> set[Any]:
    with State.open(space.home, readonly=True) as state:
        return set(state.connection.execute(sql))
