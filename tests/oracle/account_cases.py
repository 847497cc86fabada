"""Random histories of accounts, and random conditions on them and on their members."""

from __future__ import annotations

from typing import Any

from innkeeper.audiences import Catalog, parse
from innkeeper.audiences import nodes as n
from innkeeper.events.types import Event
from oracle.audience_cases import TRAITS, Dice
from oracle.audience_equality import CATALOG_TEXTS

ACCOUNTS = ("acme", "bolt", "7")
ROLES = ("admin", "member", "", None, 5)


def account_catalog() -> Catalog:
    """Two audiences of accounts, two of profiles, a stage."""
    return Catalog(
        audiences={name: parse(text) for name, text in CATALOG_TEXTS.items()},
        stages=(("two", parse("in_audience('nested') or traits.vip")),),
        account_traits={},
        account_audiences={
            "busy": parse("distinct('Login', member, within => '7 days') >= 2", "account"),
            "many": parse("distinct('Page Viewed', member) >= 2 or in_audience('busy')", "account"),
        },
    )


class AccountDice(Dice):
    """Draws everything from one seed."""

    def history(self, people: int, events: int) -> list[Event]:
        """As that of profiles; a third of the events has to do with accounts."""
        return [self._of_account(event) for event in super().history(people, events)]

    def _of_account(self, event: Event) -> Event:
        kind = self.random.random()
        if event.source == "innkeeper" or event.type != "track" or kind > 0.5:
            return event
        changed: dict[str, Any] = {field: getattr(event, field) for field in event.__struct_fields__}
        account: Any = self.random.choice((*ACCOUNTS, *ACCOUNTS, 7, None, "", 7.5, True))
        if kind < 0.25:
            traits: Any = self.document(TRAITS) if self.random.random() < 0.9 else self.random.choice((None, [1], "x"))
            extra = {"groupId": self.random.choice(ACCOUNTS), "traits": self._with_role(traits)}
            return Event(**{**changed, "type": "group", "name": "Grouped", "extra": extra, "traits": {}})
        if kind < 0.33:
            return Event(**{**changed, "name": "Left Account", "properties": {"account_id": account}})
        if kind < 0.41:
            said = self._with_role({"account_id": account, "set": self._with_role(self.document(TRAITS))})
            return Event(**{**changed, "name": "Account Updated", "properties": said})
        return Event(**{**changed, "context": {"groupId": account}})

    def _with_role(self, traits: Any) -> Any:
        if isinstance(traits, dict) and self.random.random() < 0.4:
            return {**traits, "role": self.random.choice(ROLES)}
        return traits

    def of_account(self, depth: int) -> n.Expression:
        """A condition on an account."""
        return _on_account(self.condition(depth), self)

    def of_member(self, depth: int) -> n.Expression:
        """A condition on a profile that may read its account, and all that it is a member of."""
        own = _on_member(self.condition(depth), self)
        if self.random.random() < 0.5:
            return own
        both = (self.of_accounts(), own)
        return self.random.choice((n.And(both), n.Or(both), n.Or((n.Not(both[0]), own)), both[0]))

    def of_accounts(self) -> n.Expression:
        """A condition on the accounts of a profile."""
        function, where = self.random.choice(("any", "any", "count", "sum")), None
        if self.random.random() < 0.8:
            where = _on_one(self.condition(2, where=True), self)
        path = self.random.choice(TRAITS) if function == "sum" else None
        asked = n.OfObjects(function, n.ACCOUNT, path, where)
        return (
            asked
            if function == "any"
            else n.Compare(self.random.choice((">=", "=", "<")), asked, self.literal("number"))
        )


def _on_account(node: n.Expression, dice: AccountDice) -> n.Expression:
    match node:
        case n.Path(root="traits", parts=parts):
            return n.Path("account", parts)
        case n.Path(root="id"):
            return n.Path("account", ("plan",))
        case n.InAudience():
            return n.InAudience("busy")
        case n.Compare(left=n.Stage()) | n.Missing(value=n.Stage()) | n.In(value=n.Stage()):
            return n.InAudience("busy")
        case n.Aggregate(path=path) if path is not None and dice.random.random() < 0.4:
            return n.Aggregate(node.function, node.event, ("member",), node.within, node.before, node.where)
        case n.Aggregate():
            return node
    return _map(node, lambda part: _on_account(part, dice))


def _on_one(node: n.Expression, dice: AccountDice) -> n.Expression:
    match node:
        case n.Path():
            return n.Path("property", dice.random.choice((*TRAITS, ("plan",), ("role",), ("id",))))
        case n.Like() if dice.random.random() < 0.5:
            return n.InAudience(dice.random.choice(("busy", "many")))
        case n.Compare(op=op, left=n.Path()) if dice.random.random() < 0.3:
            return n.Compare(op, _on_one(node.left, dice), n.Offset(n.Now(), dice.span(calendar=False).duration))
    return _map(node, lambda part: _on_one(part, dice))


def _on_member(node: n.Expression, dice: AccountDice) -> n.Expression:
    match node:
        case n.Path(root="traits", parts=parts) if dice.random.random() < 0.7:
            return n.Path("account", dice.random.choice((parts, parts, ("role",), ("id",))))
        case n.InAudience() if dice.random.random() < 0.7:
            return n.InAudience(dice.random.choice(("busy", "many")))
        case n.Aggregate():
            return node
    return _map(node, lambda part: _on_member(part, dice))


def _map(node: n.Expression, change: Any) -> n.Expression:
    changed: dict[str, Any] = {}
    for name in node.__dataclass_fields__:
        value = getattr(node, name)
        if isinstance(value, n.Expression):
            changed[name] = change(value)
        elif isinstance(value, tuple) and value and isinstance(value[0], n.Expression):
            changed[name] = tuple(change(part) for part in value)
    return type(node)(**{name: getattr(node, name) for name in node.__dataclass_fields__} | changed)
