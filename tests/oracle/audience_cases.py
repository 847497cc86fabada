"""Random histories and random expressions, from a seed: mixed types, equal instants, window edges, odd names."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from innkeeper.audiences import nodes as n
from innkeeper.audiences.merges import Merges, TraitRule
from innkeeper.audiences.spans import Span
from innkeeper.events.types import Event
from innkeeper.kernel.time import DAY, HOUR, SECOND, format_instant, parse_instant
from oracle.identity_cases import People

START = 1_772_000_000 * SECOND  # 2026-02-25, so that the year's clock changes lie within reach
#: When the days begin in Havana on 8 March and in Beirut on 29 March 2026, an hour late.
MIDNIGHTS = (parse_instant("2026-03-08T05:00:00Z"), parse_instant("2026-03-28T22:00:00Z"))
NAMES = ("Order Completed", "Login", "Page Viewed", 'it\'s "odd"; --', "Ünïcode 😀")
PATHS = (
    ("total",), ("n",), ("Total",), ("$x",), ("odd key",), ("a.b",), ("a", "b"), ('q"t',), ("it's",), ("obj", "0"),
    ("a", "b", "c"), ("0",), ("sl/ash~",), ("back\\slash",), ("*",),
)  # fmt: skip
TRAITS = (
    ("plan",),
    ("vip",),
    ("score",),
    ("seen_at",),
    ("address", "city"),
    ("$key",),
    ("a.b",),
    ("timezone",),
    ("country",),
    ("is_admin",),
    ("address", "Tenant-Id"),
)
MEMORIES = (("pillow",), ("кофе 😀",), ("coffee",), ("pillow", "b"), ("it's",), ('q"t',))
TEXTS = (
    "pro",
    "Pro",
    "PRO",
    "50",
    "",
    "İstanbul",
    "straße",
    "a%b",
    "a_b",
    "axb",
    "100%",
    "'; drop table events; --",
    "ΣΑΣ",
    "x" * 40,
)
# In Beirut and Havana the clock goes forward at midnight in March, so that a day begins at one.
ZONES = ("Europe/Lisbon", "America/New_York", "Asia/Beirut", "America/Havana", "Pacific/Auckland", "Nowhere/Land")
FLOATS = (
    0.1, 0.2, 0.3, 1.5, -2.5, 1.0, 0.0000005, -0.0000005, 4e-7, 1e22, 9.99e29, 1e30, 1e300, 0.1 + 0.2, 49.9999995,
    1.0000005, 123456789.123456789, -0.0, 5e-324,
)  # fmt: skip
OPERATORS = ("=", "!=", "<", "<=", ">", ">=")
STEPS = (0, 1, -1, HOUR, DAY, 7 * DAY, 30 * DAY)


class Dice:
    """Draws everything from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.moments = [START + self.random.choice(STEPS) + self.random.randrange(60) * DAY // 2 for _ in range(10)]
        self.moments += self.random.choices(MIDNIGHTS, k=2)

    def instant(self) -> int:
        """An instant that others are likely to share, or to miss by a microsecond."""
        base = self.random.choice(self.moments)
        return base + self.random.choice((0, 0, 0, 1, -1, 3 * HOUR, DAY))

    def moment_text(self) -> str:
        """An instant as a text, in one of the spellings."""
        text = format_instant(self.instant())
        shift = ("+00:00", "+0530", "-08", "", "z", "+25:00", " Z")
        spellings = [text.replace("Z", zone) for zone in shift]
        odd = [text[:16] + "Z", text.replace("T", "T2"), text[:19] + ",1234567899Z", "2026-02-30T00:00:00Z"]
        return self.random.choice([text, text.replace("T", " "), "0000-01-01T00:00:00Z", *spellings, *odd])

    def json(self, depth: int = 0) -> Any:
        """A JSON value of any type."""
        kind = self.random.randrange(12)
        if kind < 4:
            return self.random.choice((0, 1, 2, 3, 5, 50, -1, 2**53 + 1, 2**63, 2**64 - 1, -(2**63)))
        if kind < 6:
            return self.random.choice(FLOATS)
        if kind < 8:
            return self.random.choice(TEXTS)
        if kind == 8:
            return self.moment_text()
        if kind == 9:
            return self.random.choice((True, False))
        if kind == 10 or depth:
            return None
        inner = {"b": self.json(1), "0": self.json(1)}
        return self.random.choice(([1, 2], [], {}, inner, [{"b": 1}], {"b": {"c": self.json(1)}}))

    def document(self, paths: tuple[tuple[str, ...], ...]) -> dict[str, Any]:
        """A JSON object that holds some of the paths."""
        document: dict[str, Any] = {}
        for path in self.random.sample(paths, self.random.randrange(len(paths) // 2 + 1)):
            target = document
            for part in path[:-1]:
                inner = target.get(part)
                if not isinstance(inner, dict):
                    inner = target[part] = {}
                target = inner
            target[path[-1]] = self.json()
        return document

    def traits(self) -> dict[str, Any]:
        """Traits of one event; mostly none."""
        if self.random.random() < 0.7:
            return {}
        traits = self.document(TRAITS)
        if self.random.random() < 0.3:
            traits["timezone"] = self.random.choice((*ZONES, None, 5))
        if self.random.random() < 0.3:
            traits["country"] = self.random.choice(("PT", "us", "ZZ", None))
        return traits

    def note(self) -> dict[str, Any]:
        """The properties of an event about a memory; now and then not as they should be."""
        about = self.random.choice((*(path[0] for path in MEMORIES), "", 5, None))
        explicit = self.random.choice((True, False, False, None, "true", 1))
        return {"about": about, "value": self.json(), "explicit": explicit, "by": "Marta"}

    def merges(self) -> Merges:
        """How traits are merged in this world: now and then otherwise than by the newest."""
        rules = {
            path[0]: TraitRule(
                merge=self.random.choice(("newest", "oldest", "trusted", "add", "max", "min")),
                type=self.random.choice(("any", "number", "instant")),
            )
            for path in TRAITS
            if self.random.random() < 0.6
        }
        trust = {source: self.random.randrange(4) for source in ("web", "app") if self.random.random() < 0.7}
        kept = {
            name: self.random.choice((HOUR, DAY, 4 * DAY, 20 * DAY))
            for name in sorted({path[0] for path in TRAITS})
            if self.random.random() < 0.3 and (name not in rules or rules[name].merge != "oldest")
        }
        return Merges(rules=rules, trust=trust, kept=kept)

    def history(self, people: int, events: int) -> list[Event]:
        """A log of some users and browsers: shared browsers, aliases, addresses and words on links included."""
        made = []
        for index in range(events):
            user = f"u{self.random.randrange(people)}" if self.random.random() < 0.6 else None
            anonymous = f"a{self.random.randrange(people)}" if user is None or self.random.random() < 0.15 else None
            ours = self.random.random() < 0.05
            noted = not ours and self.random.random() < 0.12
            name = self.random.choice(("Traits Updated", "Login") if ours else NAMES)
            if noted:
                name = "Memory Noted" if self.random.random() < 0.75 else "Memory Forgotten"
            event: dict[str, Any] = {
                "type": "track", "name": name, "properties": self.note() if noted else self.document(PATHS),
                "traits": self.traits(),
            }  # fmt: skip
            if not ours and self.random.random() < 0.2:
                said = People(self.random, people).said()
                event |= said | {"traits": event["traits"] | said.get("traits", {})}
            made.append(
                Event(
                    source="innkeeper" if ours else self.random.choice(("web", "app", "crm")),
                    message_id=f"m{self.random.randrange(10**6)}-{index}", user_id=user, anonymous_id=anonymous,
                    timestamp=self.instant(), received_at=0, **event,
                )
            )  # fmt: skip
        return [self.after_all_inputs(event, made) for event in made]

    def after_all_inputs(self, event: Event, events: list[Event]) -> Event:
        """The engine says nothing of anybody before it has heard of them."""
        if event.is_input:
            return event
        heard = [each.timestamp for each in events if each.is_input and each.user_id == event.user_id]
        if event.user_id is None or not heard:
            return msgspec.structs.replace(event, source="web")
        return msgspec.structs.replace(event, timestamp=max(event.timestamp, min(heard)))

    def span(self, *, calendar: bool = True) -> Span:
        """The length of a window."""
        if calendar and self.random.random() < 0.25:
            return Span(days=self.random.choice((1, 1, 2, 3, 7, 30)))
        difference = abs(self.random.choice(self.moments) - self.random.choice(self.moments))
        return Span(duration=max(1, self.random.choice((DAY, 7 * DAY, 30 * DAY, difference, difference + 1, HOUR))))

    def literal(self, wanted: str) -> n.Expression:
        """A literal of the wanted type, or now and then of another."""
        if self.random.random() < 0.15:
            wanted = self.random.choice(("number", "text", "boolean", "instant"))
        if wanted == "number":
            return n.Number(
                self.random.choice((0, 1, 500_000, 1_000_000, 2_000_000, 50_000_000, 300_000, -1, 10**22 + 1))
            )
        if wanted == "text":
            return n.Text(self.random.choice(TEXTS))
        if wanted == "boolean":
            return n.Boolean(self.random.random() < 0.5)
        return n.Text(self.moment_text())

    def days(self) -> n.Expression:
        """A number of days that hits an edge now and then."""
        exact = abs(self.random.choice(self.moments) - self.random.choice(self.moments))
        return n.Number(self.random.choice((exact * 1_000_000 // DAY, 1_000_000, 7_500_000, 30_000_000)))

    def aggregate(self, functions: tuple[str, ...]) -> n.Aggregate:
        """A function over events."""
        function = self.random.choice(functions)
        path = self.random.choice(PATHS) if function in ("sum", "avg", "min", "max", "distinct") else None
        within = self.span() if self.random.random() < 0.5 else None
        before = self.span() if self.random.random() < 0.25 else None
        where = self.condition(2, where=True) if self.random.random() < 0.4 else None
        return n.Aggregate(function, self.random.choice(NAMES), path, within, before, where)

    def moment(self) -> n.Expression:
        """An instant that is no literal."""
        base: n.Expression = n.Now() if self.random.random() < 0.5 else self.aggregate(("first", "last"))
        length = self.span(calendar=False).duration
        return base if self.random.random() < 0.5 else n.Offset(base, self.random.choice((length, -length)))

    def path(self, *, where: bool) -> n.Expression:
        """A looked-up value."""
        if where:
            return n.Path("property", self.random.choice(PATHS))
        if self.random.random() < 0.15:
            return n.Path("id", (self.random.choice(("user_id", "anonymous_id")),))
        if self.random.random() < 0.2:
            return n.Path("memory", self.random.choice(MEMORIES))
        return n.Path("traits", self.random.choice(TRAITS))

    def compare(self, *, where: bool) -> n.Expression:
        """A comparison."""
        op: Any = self.random.choice(OPERATORS)
        left: n.Expression
        right: n.Expression
        kind = 0 if where else self.random.randrange(8)
        if kind < 2:
            left, right = (
                self.path(where=where),
                self.literal(self.random.choice(("number", "text", "boolean", "instant"))),
            )
            if self.random.random() < 0.2:
                right = self.path(where=where)
        elif kind < 4:
            left, right = self.aggregate(("count", "sum", "min", "max", "distinct")), self.literal("number")
            if self.random.random() < 0.2:
                right = self.random.choice((self.path(where=False), self.aggregate(("count", "sum", "max"))))
        elif kind == 4:
            left, right = self.aggregate(("avg",)), self.literal("number")
        elif kind == 5:
            left, right = self.aggregate(("days_since_first", "days_since_last")), self.days()
            if self.random.random() < 0.3:
                right = self.random.choice((self.path(where=False), self.aggregate(("days_since_last", "count"))))
        else:
            left = self.moment()
            right = self.random.choice((self.literal("instant"), self.moment(), self.path(where=False)))
        if not isinstance(right, n.Text | n.Number | n.Boolean) and self.random.random() < 0.2:
            return n.Between(left, right, right)
        if self.random.random() < 0.15:
            return n.Between(left, right, self.literal("number"))
        return n.Compare(op, left, right) if self.random.random() < 0.8 else n.Compare(op, right, left)

    def atom(self, *, where: bool) -> n.Expression:
        """A condition without and, or, not."""
        kind = self.random.randrange(10)
        if kind == 0:
            return n.Missing(
                self.path(where=where)
                if where or self.random.random() < 0.5
                else self.aggregate(("avg", "last", "count"))
            )
        if kind == 1:
            items = tuple(self.literal(self.random.choice(("number", "text", "boolean", "instant"))) for _ in range(3))
            return n.In(self.path(where=where), items)
        if kind == 2:
            pattern = self.random.choice(
                ("pro", "%r%", "p_o", "%", "_", "%_%o", "i%", "%ß%", "a\\%b", "%σ", "%'%", "a%x%b", "__", "5_")
            )
            return n.Like(self.path(where=where), pattern, self.random.random() < 0.5)
        if kind == 3:
            found = self.path(where=where)
            return found if isinstance(found, n.Path) and found.root != "id" else n.Boolean(True)
        if kind < 6 and not where:
            return self.aggregate(("did",))
        if kind == 6 and not where:
            return self.random.choice(
                (n.InAudience("known"), n.Compare("=", n.Stage(), n.Text("two")), n.Missing(n.Stage()),
                 n.In(n.Stage(), (n.Text("one"), n.Text("three"))), n.Compare("!=", n.Stage(), n.Text("one")))
            )  # fmt: skip
        return self.compare(where=where)

    def condition(self, depth: int, *, where: bool = False) -> n.Expression:
        """A condition."""
        kind = self.random.randrange(6) if depth else 0
        if kind < 2:
            return self.atom(where=where)
        if kind == 2:
            return n.Not(self.condition(depth - 1, where=where))
        items = tuple(self.condition(depth - 1, where=where) for _ in range(self.random.choice((2, 2, 3))))
        return n.And(items) if kind < 5 else n.Or(items)
