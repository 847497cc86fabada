"""Who is in an audience, as slowly and plainly as docs/expressions.md says it. Shares the tree with what it judges."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import Any

from innkeeper.audiences import nodes as n
from innkeeper.audiences.catalog import Catalog
from innkeeper.audiences.spans import Span
from innkeeper.events.types import Event
from innkeeper.kernel.time import DAY
from innkeeper.kernel.zones import country_zone, start_of_day, try_zone
from oracle.identity_oracle import Rules, Who
from oracle.trait_oracle import memories_of, traits_of

PLAIN = Rules()
ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?( ?[Zz]|[+-]\d\d(:?\d\d)?)", re.ASCII)
NOTHING = object()


class Person:
    """A profile as of an instant: its events and what follows from them."""

    def __init__(self, subject: str, events: list[Event], anonymous: set[str], at: int, catalog: Catalog, zone: str):
        self.subject, self.anonymous, self.at, self.catalog, self.workspace_zone = subject, anonymous, at, catalog, zone
        self.account: Any = None
        self.accounts: list[Any] = []
        self.events = [event for event in events if event.is_input]
        changes = [event for event in events if event.is_input or event.name == "Traits Updated"]
        self.traits = traits_of(changes, catalog.merges, at)
        self.memories = memories_of(self.events)

    @property
    def zone(self) -> str:
        """The zone whose calendar counts."""
        own, country = self.traits.get("timezone"), self.traits.get("country")
        if isinstance(own, str) and try_zone(own):
            return own
        if isinstance(country, str) and country_zone(country):
            return str(country_zone(country))
        return self.workspace_zone

    def stage(self) -> Any:
        """The first stage whose rule holds."""
        return next((name for name, rule in self.catalog.stages if holds(rule, self)), NOTHING)


def people(events: Iterable[Event], at: int, catalog: Catalog, zone: str = "UTC", rules: Rules = PLAIN) -> list[Person]:
    """All profiles as of an instant."""
    known = list(events)
    who = Who(known, rules, at)
    groups: dict[str, list[Event]] = {}
    for event in known:
        if event.timestamp <= at:
            groups.setdefault(who.subject(event), []).append(event)
    found = []
    for subject, own in groups.items():
        if not any(event.is_input for event in own):
            continue
        anonymous = {each.removeprefix("anonymous_id:") for each in who.claimed(subject, "anonymous_id")}
        found.append(Person(subject, own, anonymous, at, catalog, zone))
    return found


def members(
    expression: n.Expression, events: Iterable[Event], at: int, catalog: Catalog, zone: str = "UTC",
    rules: Rules = PLAIN,
) -> list[str]:  # fmt: skip
    """Sorted subjects of the profiles for which the expression holds."""
    return sorted(person.subject for person in people(events, at, catalog, zone, rules) if holds(expression, person))


def number_of(value: Any) -> Any:
    """A JSON number with six places, as a fraction."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 10**30:
        return NOTHING
    exact = Decimal(repr(value)).quantize(Decimal("0.000001"), context=Context(prec=80, rounding=ROUND_HALF_UP))
    return Fraction(exact)


def instant_of(value: Any) -> Any:
    """An instant (as a one-element tuple, to tell it from numbers) of a text in ISO 8601 with a zone."""
    if not isinstance(value, str) or not ISO.fullmatch(value):
        return NOTHING
    from innkeeper.kernel.time import try_parse_instant

    found = try_parse_instant(value)
    return NOTHING if found is None else (found,)


def look(value: Any, parts: tuple[str, ...]) -> Any:
    """The value at a path of objects."""
    for part in parts:
        if not isinstance(value, dict) or value.get(part) is None:
            return NOTHING
        value = value[part]
    return value


def back(at: int, span: Span, zone: str) -> int:
    """The instant *at* minus a span."""
    if not span.days:
        return at - span.duration
    from innkeeper.kernel.zones import from_local, to_local

    midnight = start_of_day(at, zone)
    day = to_local(midnight, zone).date() - timedelta(days=span.days - 1)
    return from_local(day, to_local(0, "UTC").time(), zone) - 1


def occurrences(node: n.Aggregate, person: Person) -> list[Event]:
    """The events that count, in order of time."""
    low = None if node.within is None else back(person.at, node.within, person.zone)
    high = person.at if node.before is None else back(person.at, node.before, person.zone)
    return sorted(
        (
            event
            for event in person.events
            if event.name == node.event
            and event.timestamp <= high
            and (low is None or event.timestamp > low)
            and (node.where is None or holds(node.where, person, event.properties))
        ),
        key=lambda event: event.timestamp,
    )


def aggregate(node: n.Aggregate, person: Person) -> Any:
    """The value of a function over events."""
    events = occurrences(node, person)
    stamps = [event.timestamp for event in events]
    values = [look(event.properties, node.path or ()) for event in events]
    numbers = [found for value in values if (found := number_of(value)) is not NOTHING]
    match node.function:
        case "did":
            return bool(events)
        case "count":
            return Fraction(len(events))
        case "sum":
            return sum(numbers, Fraction(0))
        case "avg":
            return sum(numbers) / len(numbers) if numbers else NOTHING
        case "min":
            return min(numbers, default=NOTHING)
        case "max":
            return max(numbers, default=NOTHING)
        case "distinct":
            different: set[Any] = set()
            for value in values:
                if isinstance(value, str | bool):
                    different.add((type(value), value))
                elif (found := number_of(value)) is not NOTHING:
                    different.add((Fraction, found))
            return Fraction(len(different))
        case "first":
            return (stamps[0],) if stamps else NOTHING
        case "last":
            return (stamps[-1],) if stamps else NOTHING
        case "days_since_first":
            return Fraction(person.at - stamps[0], DAY) if stamps else NOTHING
        case "days_since_last":
            return Fraction(person.at - stamps[-1], DAY) if stamps else NOTHING
    raise AssertionError(node.function)


def value_of(node: n.Expression, person: Person, properties: Any) -> Any:
    """A value: Fraction, str, bool, (instant,) or another JSON value; NOTHING when missing."""
    match node:
        case n.Text(value=value):
            found = instant_of(value)
            return value if found is NOTHING else found
        case n.Number(micro=micro):
            return Fraction(micro, 1_000_000)
        case n.Boolean(value=value):
            return value
        case n.Path(root="traits", parts=parts):
            return look(person.traits, parts)
        case n.Path(root="memory", parts=parts):
            return look(person.memories, parts)
        case n.Path(root="property", parts=parts):
            return look(properties, parts)
        case n.Path(root="id", parts=("user_id",)):
            return person.subject.removeprefix("user_id:") if person.subject.startswith("user_id:") else NOTHING
        case n.Path(root="id"):
            return min(person.anonymous, default=NOTHING)
        case n.Path(root="account", parts=parts):
            from oracle.account_oracle import account_value

            return account_value(person, parts)
        case n.Stage():
            return person.stage()
        case n.Now():
            return (person.at,)
        case n.Offset(base=base, duration=duration):
            moment = value_of(base, person, properties)
            return NOTHING if moment is NOTHING else (moment[0] + duration,)
        case n.Aggregate():
            return aggregate(node, person)
        case n.OfObjects(object=n.ACCOUNT):
            from oracle.account_oracle import of_accounts

            return Fraction(of_accounts(node, person))
    raise AssertionError(node)


def order(op: str, a: Any, b: Any) -> bool:
    """a op b."""
    if op in ("=", "!="):
        return (a == b) is (op == "=")
    return bool({"<": lambda: a < b, "<=": lambda: a <= b, ">": lambda: a > b, ">=": lambda: a >= b}[op]())


def compare(op: str, left: n.Expression, right: n.Expression, person: Person, properties: Any) -> bool:
    """A comparison under two-valued logic: values of different types are missing to each other."""
    a, b = value_of(left, person, properties), value_of(right, person, properties)
    if isinstance(a, tuple) and isinstance(b, str):
        b = instant_of(b)
    if isinstance(b, tuple) and isinstance(a, str):
        a = instant_of(a)
    if a is NOTHING or b is NOTHING:
        return False
    if isinstance(a, bool) and isinstance(b, bool):
        literals = n.Boolean
        return (op in ("=", "!=") or isinstance(left, literals) or isinstance(right, literals)) and order(op, a, b)
    if (isinstance(a, str) and isinstance(b, str)) or (isinstance(a, tuple) and isinstance(b, tuple)):
        return order(op, a, b)
    x, y = (value if isinstance(value, Fraction) else number_of(value) for value in (a, b))
    return x is not NOTHING and y is not NOTHING and order(op, x, y)


def holds(node: n.Expression, person: Person, properties: Any = None) -> bool:
    """Whether a condition holds."""
    match node:
        case n.And(items=items):
            return all(holds(item, person, properties) for item in items)
        case n.Or(items=items):
            return any(holds(item, person, properties) for item in items)
        case n.Not(item=item):
            return not holds(item, person, properties)
        case n.Boolean(value=value):
            return value
        case n.Path():
            return value_of(node, person, properties) is True
        case n.Aggregate():
            return bool(aggregate(node, person))
        case n.InAudience(name=name) if name in person.catalog.account_audiences:
            from oracle.account_oracle import Account, of_account

            when = of_account(person.catalog.account_audiences[name])
            account = person if isinstance(person, Account) else person.account and person.account[0]
            return account is not None and holds(when, account)
        case n.InAudience(name=name):
            return holds(person.catalog.audiences[name], person)
        case n.OfObjects():
            return bool(value_of(node, person, properties))
        case n.Compare(op=op, left=left, right=right):
            return compare(op, left, right, person, properties)
        case n.Between(value=value, low=low, high=high):
            return compare(">=", value, low, person, properties) and compare("<=", value, high, person, properties)
        case n.In(value=value, items=items):
            return any(compare("=", value, item, person, properties) for item in items)
        case n.Like(value=value, pattern=pattern, ignore_case=ignore_case):
            return like(value_of(value, person, properties), pattern, ignore_case)
        case n.Missing(value=value):
            return value_of(value, person, properties) is NOTHING
    raise AssertionError(node)


def like(value: Any, pattern: str, ignore_case: bool) -> bool:
    """SQL's like, by way of a regular expression."""
    if not isinstance(value, str):
        return False
    if ignore_case:
        value, pattern = lower(value), lower(pattern)
    regex = "".join({"%": ".*", "_": "."}.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(regex, value, re.DOTALL) is not None


def lower(text: str) -> str:
    """Lower case, one character for one."""
    return "".join("i" if character == "İ" else character.lower() for character in text)
