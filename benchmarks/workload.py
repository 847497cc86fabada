"""The invented shop that the benches run on: 50 audiences, 20 journeys, and customers who look, buy and fall silent.

Everything follows from a seed. Used by `bench_fold.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from random import Random
from typing import Any

from innkeeper.events.types import LogRow
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import DAY, Instant, format_instant, parse_instant

#: The end of the past that every customer has, and the beginning of what is measured.
BEGINNING: Instant = parse_instant("2026-01-01T00:00:00Z")
#: One customer does something this often; so that more customers mean more events a day, not busier customers.
DAYS_PER_EVENT = 10
_PAST_EVENTS = 12
_PAST_DAYS = 180
_SEED = 20260101

_KINDS = (
    ("Page Viewed", 46), ("Product Viewed", 18), ("Login", 12), ("Cart Updated", 10), ("Order Completed", 9),
    ("Support Ticket Opened", 3), ("Newsletter Joined", 2),
)  # fmt: skip
_NAMES = [name for name, _ in _KINDS]
_WEIGHTS = [weight for _, weight in _KINDS]
_COUNTRIES = (("NL", "Europe/Amsterdam"), ("PT", "Europe/Lisbon"), ("DE", "Europe/Berlin"), ("GB", "Europe/London"))


def user_id(number: int) -> str:
    """The id of a customer; all are equally long, so that one customer's bytes can be made another's."""
    return f"u{number:08d}"


def past(customers: int) -> Iterator[dict[str, Any]]:
    """Half a year of events of the first customers, as Segment-style messages, each beginning with their traits."""
    for number in range(customers):
        random = Random(f"{_SEED}/past/{number}")
        days = sorted(random.uniform(0, _PAST_DAYS) for _ in range(_PAST_EVENTS))
        instants = [BEGINNING - int((_PAST_DAYS - day) * DAY) - 1 for day in days]
        country, zone = random.choice(_COUNTRIES)
        traits = {
            "email": f"{user_id(number)}@example.com", "first_name": f"Name{number}", "country": country,
            "timezone": zone, "plan": random.choice(("free", "free", "pro", "team")),
        }  # fmt: skip
        yield {
            "type": "identify", "messageId": f"p{number}-i", "userId": user_id(number),
            "timestamp": format_instant(instants[0]), "traits": traits,
        }  # fmt: skip
        for place, instant in enumerate(instants):
            name, properties = _happening(random)
            yield {
                "type": "track", "messageId": f"p{number}-{place}", "userId": user_id(number),
                "timestamp": format_instant(instant), "event": name, "properties": properties,
            }  # fmt: skip


def period(customers: int, events: int) -> int:
    """How long so many customers take for so many events."""
    return events * DAYS_PER_EVENT * DAY // customers


def present(customers: int, events: int) -> Iterator[LogRow]:
    """What all customers do from the beginning on, as rows of the log, in order of time."""
    random = Random(f"{_SEED}/present")
    length = period(customers, events)
    for place in range(events):
        instant = BEGINNING + 1 + length * place // events
        name, properties = _happening(random)
        yield LogRow(
            "shop", f"m{place}", "track", name, user_id(random.randrange(customers)), None, instant, instant,
            dumps(properties),
        )  # fmt: skip


def _happening(random: Random) -> tuple[str, dict[str, Any]]:
    name = random.choices(_NAMES, _WEIGHTS)[0]
    match name:
        case "Page Viewed":
            return name, {"path": f"/page/{random.randrange(200)}", "seconds": random.randrange(1, 400)}
        case "Product Viewed":
            return name, {"product": f"sku-{random.randrange(500)}", "price": random.randrange(100, 20_000) / 100}
        case "Cart Updated":
            return name, {"items": random.randrange(1, 6), "total": random.randrange(500, 40_000) / 100}
        case "Order Completed":
            order = f"o{random.randrange(10**9)}"
            return name, {
                "order_id": order,
                "total": random.randrange(500, 40_000) / 100,
                "coupon": random.random() < 0.2,
            }
        case "Support Ticket Opened":
            return name, {"severity": random.choice(("low", "medium", "high"))}
        case _:
            return name, {}


def strategy() -> dict[str, str]:
    """The files of the shop's strategy."""
    files = {"strategy.yaml": _STRATEGY, "policies.yaml": _POLICIES, "channels.yaml": _CHANNELS, "stages.yaml": _STAGES}
    for name, when in _audiences().items():
        files[f"audiences/{name}.yaml"] = f"name: {name}\nwhen: >-\n  {when}\n"
    for name, text in _journeys().items():
        files[f"journeys/{name}.yaml"] = f"journey: {name}\n{text}"
    for name in _MESSAGES:
        files[f"messages/{name}.md"] = _MESSAGE.format(name=name, purpose="order" if name == "receipt" else "marketing")
    return files


def _audiences() -> dict[str, str]:
    found: list[str] = []
    found += [f"count('Page Viewed', within => '{d} days') >= {k}" for d, k in product((7, 30, 90), (1, 3, 6))]
    found += [
        f"sum('Order Completed', total, within => '{d} days') > {x}" for d, x in product((30, 90, 365), (100, 500))
    ]
    found += [f"days_since_last('Order Completed') > {days}" for days in (14, 30, 60, 90, 120, 180)]
    found += [
        f"did('Login', within => '{d} days') and not did('Support Ticket Opened', within => '{d} days')"
        for d in (7, 14, 30, 60, 90)
    ]
    found += [f"distinct('Product Viewed', product, within => '{d} days') >= {k}" for d, k in product((30, 90), (2, 4))]
    found += [f"{f}('Order Completed', total) > {x}" for f, x in product(("avg", "min", "max"), (50, 200))]
    found += [f"traits.plan = 'pro' and count('Login', within => '{d} days') >= 2" for d in (7, 30, 60, 90)]
    found += [f"traits.country = '{country}' and did('Order Completed')" for country, _ in _COUNTRIES]
    found += [
        "count('Order Completed', where => coupon = true) >= 1",
        "count('Order Completed', where => total >= 200, within => '365 days') >= 2",
        "days_since_first('Page Viewed') > 200 and not did('Order Completed')",
        "did('Cart Updated', within => '2 days') and not did('Order Completed', within => '2 days')",
        "did('Page Viewed', within => '60 days', before => '30 days') and not did('Page Viewed', within => '30 days')",
        "did('Newsletter Joined') and traits.plan in ('free', 'pro')",
    ]  # fmt: skip
    if len(found) != 50:
        raise AssertionError(f"the bench promises 50 audiences and has {len(found)}")
    return {f"a{number:02d}": when for number, when in enumerate(found)}


def _journeys() -> dict[str, str]:
    found = _BY_EVENT.split("---\n")
    found += [
        f"enter: {{ audience: a{number:02d}, change: {change} }}\nreentry: {{ after: 30 days }}\nsteps:\n"
        f"  - wait: {wait}\n  - send: {message}\n"
        for (number, change), wait, message in zip(
            [(4, "entered"), (9, "entered"), (11, "left"), (15, "entered"), (16, "entered"), (18, "entered"),
             (21, "left"), (26, "entered"), (30, "entered"), (36, "entered"), (40, "entered"), (44, "entered"),
             (47, "entered"), (48, "entered")],
            ["1 hour", "1 day", "3 days", "7 days"] * 4,
            ["news", "offer", "hello"] * 5,
            strict=False,
        )
    ]  # fmt: skip
    if len(found) != 20:
        raise AssertionError(f"the bench promises 20 journeys and has {len(found)}")
    return {f"j{number:02d}": text for number, text in enumerate(found)}


_MESSAGES = ("receipt", "cart", "hello", "news", "offer")
_MESSAGE = """---
channel: email
purpose: {purpose}
subject: "{name} for {{{{ profile.first_name }}}}"
missing: default
defaults: {{ profile.first_name: you }}
---
Hello {{{{ profile.first_name }}}}, this is {name}.
"""
_BY_EVENT = """enter: { event: Order Completed }
key: order_id
reentry: always
purpose: order
steps:
  - send: receipt
---
enter: { event: Cart Updated }
exit:
  - did('Order Completed')
steps:
  - wait: 4 hours
  - send: cart
---
enter: { event: Newsletter Joined }
steps:
  - send: hello
  - wait: 2 days
  - send: news
  - wait: { until: "10:00" }
  - send: offer
---
enter: { event: Support Ticket Opened, where: severity = 'high' }
steps:
  - task: { queue: care, title: "Call {{ profile.first_name }}", due: 1 day }
---
enter: { event: Product Viewed, where: price > 150 }
goal: { event: Order Completed, within: 7 days }
steps:
  - wait: { until: did('Cart Updated'), at_most: 1 day }
  - branch:
      - if: did('Cart Updated', within => '1 day')
        steps:
          - stop: in the cart
      - else:
          - send: offer
---
enter: { event: Login }
reentry: { after: 60 days }
steps:
  - update: { traits: { seen: recently } }
"""
_STRATEGY = """name: Shop
zone: Europe/Amsterdam
locale: en
currency: EUR
events:
  Page Viewed: [path, seconds]
  Product Viewed: [product, price]
  Cart Updated: [items, total]
  Order Completed: [order_id, total, coupon]
  Support Ticket Opened: [severity]
  Login: []
  Newsletter Joined: []
traits: [plan, seen]
"""
_POLICIES = """purposes:
  order: { kind: transactional, basis: contract, priority: 100 }
  marketing: { kind: marketing, basis: legitimate_interest, priority: 10 }
caps:
  - { purpose: marketing, channel: email, at_most: 3, per: 7 days, mode: rolling }
quiet_hours: { from: "22:00", to: "08:00" }
"""
_CHANNELS = "email: { provider: file, from: 'Shop <shop@example.com>' }\n"
_STAGES = """- stage: customer
  when: did('Order Completed', within => '90 days')
- stage: lapsed
  when: did('Order Completed')
- stage: visitor
  when: did('Page Viewed')
"""
