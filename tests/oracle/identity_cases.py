"""Random histories of people, browsers, devices, aliases, verified addresses and words on links, from a seed."""

from __future__ import annotations

import random
from typing import Any

from innkeeper.events.types import Event
from innkeeper.identity.namespaces import BUILT_IN, IdentityRules, Namespace, Source
from innkeeper.kernel.time import DAY, SECOND
from oracle.identity_oracle import Rules

START = 1_772_000_000 * SECOND
WORLDS = ("plain", "limits", "crm", "tight")


def rules(kind: str) -> tuple[IdentityRules, Rules]:
    """The same rules for the product and for the oracle."""
    if kind == "plain":
        return IdentityRules(), Rules()
    card = Namespace(name="card", paths=(("traits", "card"),), limit=2 if kind == "limits" else None)
    namespaces = {**BUILT_IN, "card": card}
    limits = {"card": 2} if kind == "limits" else {}
    if kind in ("limits", "tight"):
        limits["anonymous_id"] = 2
        namespaces["anonymous_id"] = Namespace(name="anonymous_id", owner="spans", limit=2)
    fan_in = 4 if kind == "tight" else 100
    sources = {"crm": Source(verifies=frozenset({"email"})), "web": Source(may_link=kind == "limits")}
    product = IdentityRules(fan_in=fan_in, namespaces=namespaces, sources=sources)
    not_linking = frozenset() if kind == "limits" else frozenset({"web"})
    return product, Rules(fan_in, limits, frozenset({"crm"}), not_linking, card=True)


class People:
    """Makes events of a few people who share browsers."""

    def __init__(self, dice: random.Random, people: int = 3, *, start: int = START, step: int = DAY) -> None:
        self.dice, self.people, self.start, self.step = dice, people, start, step

    def who(self) -> dict[str, Any]:
        """Which ids an event carries."""
        dice = self.dice
        anonymous = dice.choice([f"a{dice.randrange(self.people)}"] * 9 + ["null"])
        user = dice.choice([f"u{dice.randrange(self.people)}"] * 19 + ["undefined"])
        kind = dice.random()
        return {
            "user_id": None if kind < 0.4 else user,
            "anonymous_id": anonymous if kind < 0.4 or kind > 0.7 else None,
        }

    def said(self) -> dict[str, Any]:
        """What an event says besides."""
        dice = self.dice
        kind = dice.random()
        ids = [f"user_id:u{n}" for n in range(self.people)] + [f"anonymous_id:a{n}" for n in range(self.people)]
        ids += [f"email:p{n}@example.com" for n in range(2)] + ["u0", "u1"]
        if kind < 0.1:
            a, b = dice.sample(ids, 2)
            return {"name": dice.choice(("Link Added", "Link Removed")), "properties": {"a": a, "b": b}}
        if kind < 0.2:
            previous = dice.choice([f"u{dice.randrange(self.people)}", f"a{dice.randrange(self.people)}"])
            return {"type": "alias", "name": "Aliased", "extra": {"previousId": previous}}
        if kind < 0.35:
            traits = {"email": f"p{dice.randrange(2)}@{dice.choice(('example.com', 'Example.COM'))}"}
            if dice.random() < 0.5:
                traits["card"] = dice.choice(("1", "2", "3", "0"))
            return {"type": "identify", "name": "Identified", "traits": traits}
        if kind < 0.4:
            address = f"p{dice.randrange(2)}@example.com"
            return dice.choice(
                [
                    {"name": "Identifier Verified", "properties": {"namespace": "email", "value": address}},
                    {"name": "Double Opt-In Confirmed", "properties": {"channel": "email", "address": address}},
                ]
            )
        return {"context": {"device": {"id": f"d{dice.randrange(2)}"}}} if kind > 0.95 else {}

    def event(self, number: int) -> Event:
        """One event; several share an instant."""
        dice = self.dice
        made: dict[str, Any] = {
            "type": "track", "name": dice.choice(("Login", "Buy", "Consent Given", "Consent Withdrawn")),
            "traits": {"plan": dice.choice(("free", "pro", None))} if dice.random() < 0.3 else {},
            "properties": {"total": dice.randrange(5), "purpose": "offers"}, "extra": {}, "context": {},
        }  # fmt: skip
        made |= self.who() | self.said()
        at = self.start + dice.randrange(20) * self.step + dice.choice((0, 0, 1))
        if dice.random() < 0.05:
            made |= {"name": "Suppressed", "type": "track", "properties": {"channel": "email"}}
        return Event(
            seq=number + 1, source=dice.choice(("web", "app", "crm")), message_id=f"m{dice.randrange(10**6)}-{number}",
            timestamp=at, received_at=at, **made,
        )  # fmt: skip

    def history(self, events: int) -> list[Event]:
        """A log."""
        return [self.event(number) for number in range(events)]
