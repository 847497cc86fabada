"""A shop with a million customers as it stands after a year, made by the commands that a user has: import, apply, run.

It takes a quarter of an hour, so a folder that INNKEEPER_BENCH_HOME names is made once and copied for each bench. Used
by `bench_up.py`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.harness import progress
from innkeeper.kernel.json import dumps_bytes
from innkeeper.kernel.time import DAY, Instant, format_instant, parse_instant

#: The end of the past that every customer has.
BEGINNING: Instant = parse_instant("2026-11-01T00:00:00Z")
_PAST_DAYS = 365
_SEED = 20261101
_COUNTRIES = ("NL", "PT", "DE", "GB")
_PLANS = ("free", "free", "pro", "team")
_NAMES = ("Page Viewed", "Page Viewed", "Product Viewed", "Login", "Cart Updated", "Order Completed")

_FILES = {
    "strategy.yaml": """name: Shop
zone: Europe/Amsterdam
locale: en
currency: EUR
events:
  Page Viewed: [path, seconds]
  Product Viewed: [product, price]
  Cart Updated: [items, total]
  Order Completed: [order_id, total]
  Login: []
traits: [plan, country, first_name]
""",
    "policies.yaml": "purposes:\n  order: { kind: transactional, basis: contract, priority: 100 }\n",
    "channels.yaml": "email: { provider: file, from: 'Shop <shop@example.com>' }\n",
    "stages.yaml": """- stage: customer
  when: did('Order Completed', within => '90 days')
- stage: lapsed
  when: did('Order Completed')
- stage: visitor
  when: did('Page Viewed')
""",
    "audiences/recent.yaml": "name: recent\nwhen: did('Login', within => '30 days')\n",
    "audiences/large.yaml": "name: large\nwhen: sum('Order Completed', total) > 300\n",
    "audiences/pro.yaml": "name: pro\nwhen: traits.plan = 'pro' and did('Login')\n",
    "journeys/receipt.yaml": "journey: receipt\nenter: { event: Order Completed }\nkey: order_id\nreentry: always\n"
    "purpose: order\nsteps:\n  - send: receipt\n",
    "messages/receipt.md": "---\nchannel: email\npurpose: order\nsubject: Your order\nmissing: default\n"
    "defaults: { profile.first_name: you }\n---\nThank you, {{ profile.first_name }}.\n",
}  # fmt: skip


def user_id(number: int) -> str:
    """The id of a customer."""
    return f"c{number:07d}"


def prepare(folder: Path, customers: int) -> Path:
    """A workspace with so many profiles, below *folder*; a copy of one that was made before where there is one."""
    kept = os.environ.get("INNKEEPER_BENCH_HOME", "")
    home = folder / "home"
    if not kept:
        _make(folder, home, customers)
        return home
    source = Path(kept) / f"shop-{customers}"
    if not source.is_dir():
        unfinished = source.with_name(f"{source.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        _make(folder, unfinished, customers)
        unfinished.rename(source)
    shutil.copytree(source, home)
    return home


def _make(folder: Path, home: Path, customers: int) -> None:
    progress(f"  making {customers:,} customers")
    files = folder / "shop"
    for name, text in _FILES.items():
        (files / name).parent.mkdir(parents=True, exist_ok=True)
        (files / name).write_text(text)
    lines = folder / "past.jsonl"
    with lines.open("wb") as file:
        for message in _past(customers):
            file.write(dumps_bytes(message) + b"\n")
    begin = format_instant(BEGINNING)
    for command in (
        ("import", str(lines)),
        ("apply", str(files), "--yes"),
        ("run", "--from", begin, "--until", begin, "--deliver", "none"),
    ):
        progress(f"    innkeeper {command[0]}")
        whole = [sys.executable, "-m", "innkeeper", "--home", str(home), "--json", *command]
        done = subprocess.run(whole, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(whole)}: {done.stderr}")
    lines.unlink()


def _past(customers: int) -> Iterator[dict[str, Any]]:
    """Two events of each customer: who they are, and the last thing that they did."""
    random = Random(_SEED)
    for number in range(customers):
        known = BEGINNING - random.randrange(2 * DAY, _PAST_DAYS * DAY)
        who = {"userId": user_id(number)}
        yield {
            "type": "identify", "messageId": f"i{number}", **who, "timestamp": format_instant(known),
            "traits": {
                "email": f"{user_id(number)}@example.com", "first_name": f"Name{number}",
                "country": random.choice(_COUNTRIES), "plan": random.choice(_PLANS),
            },
        }  # fmt: skip
        name = random.choice(_NAMES)
        yield {
            "type": "track", "messageId": f"t{number}", **who, "event": name,
            "timestamp": format_instant(random.randrange(known + DAY, BEGINNING)),
            "properties": properties(random, name),
        }  # fmt: skip


def properties(random: Random, name: str) -> dict[str, Any]:
    """What belongs to an event of a name."""
    match name:
        case "Page Viewed":
            return {"path": f"/page/{random.randrange(200)}", "seconds": random.randrange(1, 400)}
        case "Product Viewed":
            return {"product": f"sku-{random.randrange(500)}", "price": random.randrange(100, 20_000) / 100}
        case "Cart Updated":
            return {"items": random.randrange(1, 6), "total": random.randrange(500, 40_000) / 100}
        case "Order Completed":
            return {"order_id": f"o{random.randrange(10**12)}", "total": random.randrange(500, 40_000) / 100}
        case _:
            return {}
