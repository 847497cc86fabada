"""Ten audiences over millions of events: what the engine writes, against SQL written by hand for the same tables.

Both run in the same engine over the same view `events`, both resolve links, both are asked five times, in turns, and
the quickest counts. What they answer must be the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.harness import Row, Scale, Table, progress, ratio, scratch, seconds
from innkeeper.audiences import Catalog, parse
from innkeeper.audiences.ask import Question
from innkeeper.audiences.owners import Owners
from innkeeper.audiences.sql import counting
from innkeeper.events.types import LogRow
from innkeeper.identity.namespaces import DEFAULT_RULES
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import DAY, Instant, parse_instant
from innkeeper.store.bulk import Bulk
from innkeeper.store.log import Log

_EVENTS = 5_000_000
_EVENTS_A_CUSTOMER = 25
_DAYS = 180
_BATCH = 10_000
_AT: Instant = parse_instant("2026-06-30T00:00:00Z")
_TARGET = 1.2
_TURNS = 5

#: The owner of every event that counts, as somebody would write it who knows the tables.
_OWNED = """
WITH links AS (
  SELECT anonymous_id, user_id, min(ts) AS ts FROM events
  WHERE is_input AND anonymous_id IS NOT NULL AND user_id IS NOT NULL GROUP BY ALL
), owned AS (
  SELECT 'anonymous_id:' || anonymous_id AS identifier, 'user_id:' || min(user_id) AS subject
  FROM links WHERE ts <= $at GROUP BY anonymous_id HAVING count(DISTINCT user_id) = 1
), mine AS (
  SELECT coalesce(o.subject, e.identifier) AS who, e.* FROM events e LEFT JOIN owned o USING (identifier)
  WHERE e.is_input AND e.ts <= $at
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One audience: the expression, and the query by hand over `mine`; {n} in it means n days before the instant."""

    expression: str
    by_hand: str
    days: tuple[int, ...] = ()
    properties: tuple[str, ...] = field(default=())


_CASES = (
    Case(
        expression="did('Login', within => '30 days')",
        by_hand="SELECT count(DISTINCT who) FROM mine WHERE name = 'Login' AND ts > $d30",
        days=(30,),
    ),
    Case(
        expression="count('Order Completed', within => '90 days', where => total >= 50) >= 3",
        by_hand="SELECT count(*) FROM (SELECT who FROM mine WHERE name = 'Order Completed' AND ts > $d90 "
        'AND "n:total" >= 50000000 GROUP BY who HAVING count(*) >= 3)',
        days=(90,), properties=("total",),
    ),
    Case(
        expression="sum('Order Completed', total) > 500",
        by_hand="SELECT count(*) FROM (SELECT who FROM mine WHERE name = 'Order Completed' GROUP BY who "
        'HAVING sum("n:total") > 500000000)',
        properties=("total",),
    ),
    Case(
        expression="days_since_last('Order Completed') > 45",
        by_hand="SELECT count(*) FROM (SELECT who FROM mine WHERE name = 'Order Completed' GROUP BY who "
        "HAVING max(ts) < $d45)",
        days=(45,),
    ),
    Case(
        expression="did('Cart Updated', within => '7 days') and not did('Order Completed', within => '7 days')",
        by_hand="SELECT count(*) FROM (SELECT who FROM mine WHERE name IN ('Cart Updated', 'Order Completed') "
        "AND ts > $d7 GROUP BY who HAVING bool_or(name = 'Cart Updated') AND NOT bool_or(name = 'Order Completed'))",
        days=(7,),
    ),
    Case(
        expression="traits.plan = 'pro' and count('Login') >= 5",
        by_hand="SELECT count(*) FROM (SELECT who FROM mine WHERE name = 'Login' GROUP BY who HAVING count(*) >= 5) "
        "JOIN (SELECT who, arg_max(traits ->> '$.plan', (ts, source, message_id)) AS plan FROM mine "
        "WHERE traits <> '{}' AND json_type(traits, '$.plan') IS NOT NULL GROUP BY who) USING (who) WHERE plan = 'pro'",
    ),
    Case(
        expression="avg('Order Completed', total) >= 100",
        by_hand="SELECT count(*) FROM (SELECT who FROM mine WHERE name = 'Order Completed' GROUP BY who "
        'HAVING sum("n:total") >= 100000000 * count("n:total") AND count("n:total") > 0)',
        properties=("total",),
    ),
    Case(
        expression="distinct('Product Viewed', product, within => '30 days') >= 5",
        by_hand="SELECT count(*) FROM (SELECT who FROM mine WHERE name = 'Product Viewed' AND ts > $d30 GROUP BY who "
        'HAVING count(DISTINCT "s:product") >= 5)',
        days=(30,), properties=("product",),
    ),
    Case(
        expression="first('Order Completed') >= '2026-04-01T00:00:00Z'",
        by_hand="SELECT count(*) FROM (SELECT who FROM mine WHERE name = 'Order Completed' GROUP BY who "
        "HAVING min(ts) >= 1775001600000000)",
    ),
    Case(
        expression="max('Order Completed', total) > 350 or "
        "count('Support Ticket Opened', where => severity = 'high') >= 2",
        by_hand="SELECT count(*) FROM (SELECT who FROM mine WHERE name IN ('Order Completed', 'Support Ticket Opened') "
        "GROUP BY who HAVING max(\"n:total\") FILTER (name = 'Order Completed') > 350000000 "
        "OR count(*) FILTER (name = 'Support Ticket Opened' AND \"s:severity\" = 'high') >= 2)",
        properties=("total", "severity"),
    ),
)  # fmt: skip


def run(scale: Scale) -> Table:
    """Measure ten counts over generated events."""
    events = scale.of(_EVENTS, least=50_000)
    table = Table(title=f"Bulk: ten counts over {events:,} events")
    with scratch("bulk") as home:
        progress(f"sealing {events:,} events")
        fill(home, events)
        questions = [Question(parse(case.expression), Catalog(), at=_AT) for case in _CASES]
        properties = {path for question in questions for path in question.properties}
        opened = seconds(lambda: Bulk.open(home, properties=properties).close())
        with Bulk.open(home, properties=properties) as bulk:
            identified = seconds(lambda: Owners.of(bulk.rows, DEFAULT_RULES))
            for case, question in zip(_CASES, questions, strict=True):
                table.rows.append(measure(bulk, case, question, judged=scale.factor >= 0.2))
    table.notes.append(
        f"Each count is the best of {_TURNS} over the same open views; opening them took {opened:.2f} s, "
        f"and working out once who has what when {identified:.2f} s. "
        f"{events // _EVENTS_A_CUSTOMER:,} customers; one event in ten is anonymous; both sides resolve links."
    )
    return table


def measure(bulk: Bulk, case: Case, question: Question, *, judged: bool) -> Row:
    """One expression against its query by hand; their answers must be equal."""
    query = counting(question.sql)
    by_hand = _OWNED + case.by_hand
    values: dict[str, Any] = {"at": _AT} | {f"d{days}": _AT - days * DAY for days in case.days}
    answers = (bulk.rows(query.sql, query.parameters), bulk.rows(by_hand, values))
    assert answers[0] == answers[1], (case.expression, answers)
    # In turns, so that what else goes on in the machine meets both.
    turns = [
        (seconds(lambda: bulk.rows(query.sql, query.parameters)), seconds(lambda: bulk.rows(by_hand, values)))
        for _ in range(_TURNS)
    ]
    ours, theirs = (min(taken) for taken in zip(*turns, strict=True))
    return Row(
        what=f"`{case.expression}` = {answers[0][0][0]:,}", measured=f"{ours * 1000:,.0f} ms",
        bare=f"{theirs * 1000:,.0f} ms", ratio=ratio(ours, theirs), target=f"at most {_TARGET}",
        met=ours <= _TARGET * theirs if judged else None,
    )  # fmt: skip


def fill(home: Path, events: int) -> None:
    """Half a year of events, sealed but for the last few."""
    source = generate(events)
    with Log.open(home) as log:
        while batch := list(islice(source, _BATCH)):
            log.append(batch)


def generate(events: int) -> Iterator[LogRow]:
    """Events in order of time; from a seed."""
    random = Random(20260630)
    customers = max(100, events // _EVENTS_A_CUSTOMER)
    pool = _pool(random)
    span = _DAYS * DAY
    for place in range(events):
        at = _AT - span + span * place // events
        number = min(int(random.expovariate(3) * customers), customers - 1)
        name, properties = pool[int(random.random() * len(pool))]
        user: str | None = f"u{number}"
        anonymous: str | None = None
        dice = random.random()
        if dice < 0.1:
            # Some browsers are shared by two users: their events belong to neither.
            anonymous = f"a{number if dice < 0.098 else number // 2 * 2}"
            if dice > 0.02:
                user = None
        if name == "Identified":
            plan = ("free", "pro", "team")[number % 3]
            yield LogRow("web", f"m{place}", "identify", name, user, anonymous, at, at, "{}", f'{{"plan":"{plan}"}}')
        else:
            yield LogRow("web", f"m{place}", "track", name, user, anonymous, at, at, properties)


def _pool(random: Random) -> list[tuple[str, str]]:
    """What happens, with its properties; drawn from again and again."""
    kinds = {"Page Viewed": 45, "Product Viewed": 20, "Login": 12, "Cart Updated": 9, "Order Completed": 8}
    kinds |= {"Support Ticket Opened": 2, "Identified": 4}
    pool = []
    for _ in range(20_000):
        name = random.choices(list(kinds), list(kinds.values()))[0]
        properties: dict[str, Any] = {"path": f"/p/{random.randrange(300)}"}
        if name == "Product Viewed":
            properties = {"product": f"sku-{random.randrange(400)}", "price": random.randrange(100, 20_000) / 100}
        elif name in ("Cart Updated", "Order Completed"):
            properties = {"total": random.randrange(500, 40_000) / 100, "items": random.randrange(1, 6)}
        elif name == "Support Ticket Opened":
            properties = {"severity": random.choice(("low", "medium", "high"))}
        pool.append((name, dumps(properties)))
    return pool
