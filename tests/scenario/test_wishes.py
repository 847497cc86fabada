"""Wishes under browsers that several people use: each has theirs, and hears once; against a plain Python model."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from oracle.wish_oracle import WishOracle, Word
from scenario.test_items import update, wish
from support.workspace import Workspace, event

from innkeeper.kernel.time import format_instant, parse_instant
from innkeeper.runtime.items import list_items
from innkeeper.runtime.replay import replay
from innkeeper.runtime.retract import retract
from innkeeper.store.state import State

ITEMS = [f"i{number}" for number in range(8)]
STRATEGY = {
    "strategy.yaml": "name: shop\nevents: {Wanted: [product_id], Login: []}\n",
    "catalogs/products.yaml": "kind: product\nwished_by: { event: Wanted, item: product_id }\nitems:\n"
    + "".join(f"  - {{ id: {item}, stock: 0 }}\n" for item in [*ITEMS, "soap"]),
    "journeys/back.yaml": "enter: { item: products, change: back_in_stock }\nreentry: always\nsteps:\n"
    '  - task: { queue: shop, title: "{{ item.id }}" }\n',
}
START, MINUTE = parse_instant("2026-01-01T00:00:00Z"), 60_000_000


def shop(home: Path) -> Workspace:
    made = Workspace(home)
    made.apply(STRATEGY)
    return made


def entered(space: Workspace) -> list[tuple[int, str, str]]:
    """Who entered because of which item, and when: (instant, item, identifier)."""
    with State.open(space.home, readonly=True) as state:
        rows = state.connection.execute("SELECT entered_at, key, identifier FROM enrollments ORDER BY 1, 2, 3")
        return [(at, item, identifier.partition(":")[2]) for at, item, identifier in rows]


class Life:
    """Random events of a shop, and what the oracle says comes of them.

    Attributes:
        told: Who heard of which item, and when, in one half.
    """

    def __init__(self, seed: int) -> None:
        self.draw, self.oracle = random.Random(seed), WishOracle()
        self.told: Counter[tuple[int, str, str]] = Counter()

    def half(self, steps: Iterable[int], *, late: bool = False) -> list[Any]:
        """Events of some minutes; with *late* they happened before, and change no item."""
        made = []
        for step in steps:
            minute = 2 * self.draw.randrange(300) + 1 if late else 2 * step
            made.append(self._event(step, START + minute * MINUTE, late))
        return made

    def _event(self, step: int, now: int, late: bool) -> Any:
        draw, at = self.draw, format_instant(now)
        item, browser, who = draw.choice(ITEMS), f"b{draw.randrange(6)}", f"p{draw.randrange(9)}"
        match draw.choices(
            ["login", "Item Requested", "Item Request Withdrawn", "update"], [2, 9, 2, 0 if late else 4]
        ):
            case ["login"]:
                self.oracle.login(now, browser, who)
                return event("Login", who, at, anonymous=browser)
            case ["update"]:
                stock = draw.choice([0, 0, 3])
                self.told.update((now, item, each) for each in self.oracle.update(now, item, stock))
                return update(at, item, stock=stock)
            case said:
                name = draw.choice([who, None])
                self.oracle.words.append(Word(now, name or browser, item, asks=said == ["Item Requested"]))
                word = wish(said[0], "", at, item)
                return {**word, "userId": name, "anonymousId": None if name else browser, "messageId": f"m{step}"}

    def owned(self, heard: Iterable[tuple[int, str, str]]) -> Counter[tuple[int, str, str]]:
        """By the people they were, as far as is known by now."""
        return Counter((at, item, self.oracle.owner(who, at)) for at, item, who in heard)


def test_each_owner_of_a_shared_browser_has_their_wishes_and_hears_once(tmp_path: Path) -> None:
    life, space = Life(20261125), shop(tmp_path)
    middle, end = START + 600 * MINUTE, START + 1200 * MINUTE
    space.add(*life.half(range(300)))
    space.run(format_instant(middle), tick_size=50)
    assert life.owned(entered(space)) == life.owned(life.told.elements())
    assert set(life.told.values()) == {1}
    assert len(life.told) > 40
    # Late logins and wishes: whose a word was is another's now; who has heard has heard, and the others hear next time.
    life.told.clear()
    space.add(*life.half(range(300, 330), late=True), received_at="2026-01-02T00:00:00Z")
    space.add(*life.half(range(330, 600)), received_at="2026-01-02T00:00:00Z")
    space.run(format_instant(end), tick_size=50)
    heard = [each for each in entered(space) if each[0] > middle]
    assert life.owned(heard) == life.owned(life.told.elements())
    assert set(life.told.values()) == {1}
    assert len(life.told) > 40
    assert {each["id"]: each["wishes"] for each in list_items(space.home, "products")} == {
        item: len(life.oracle.standing(item)) for item in [*ITEMS, "soap"]
    }
    assert replay(space.home).different == 0


def shared(home: Path) -> Workspace:
    """On the phone a logs in and asks for soap, then b (of another source) logs in and asks too."""
    space = shop(home)
    space.add(event("Login", "b", "2026-01-03T00:00:00Z", anonymous="phone"), source="desk")
    space.add(
        event("Login", "a", "2026-01-02T00:00:00Z", anonymous="phone"),
        event("Wanted", None, "2026-01-02T12:00:00Z", anonymous="phone", product_id="soap"),
        event("Wanted", None, "2026-01-03T12:00:00Z", anonymous="phone", product_id="soap"),
    )
    space.run("2026-01-03T18:00:00Z")
    return space


def heard(space: Workspace) -> list[tuple[str, str | None]]:
    """Who has an enrollment, and its outcome."""
    with State.open(space.home, readonly=True) as state:
        rows = state.connection.execute("SELECT subject, outcome FROM enrollments ORDER BY entered_at, subject")
        return [(subject.partition(":")[2], outcome) for subject, outcome in rows]


BACK = update("2026-01-04T00:00:00Z", "soap", stock=5)
BACK_AGAIN = (update("2026-01-06T00:00:00Z", "soap", stock=0), update("2026-01-07T00:00:00Z", "soap", stock=1))


@pytest.mark.parametrize("way", ["unlink", "retract"])
def test_what_comes_apart_again_leaves_one_wish_and_nobody_hears_twice(tmp_path: Path, way: str) -> None:
    space = shared(tmp_path)
    space.add(BACK, received_at="2026-01-03T18:00:00Z")
    space.run("2026-01-05T00:00:00Z")
    assert heard(space) == [("a", "finished"), ("b", "finished")]
    if way == "unlink":
        away = event("Link Removed", "b", "2026-01-05T00:00:00Z", a="b", b="anonymous_id:phone")
        space.add(away, received_at="2026-01-05T00:00:00Z")
        space.run("2026-01-05T12:00:00Z")
    else:
        retract(space.home, "desk", begin=START, end=START + 9_000 * MINUTE, do=True)
    assert heard(space) == [("a", "finished"), ("b", "retracted")]
    space.add(*BACK_AGAIN, received_at="2026-01-05T12:00:00Z")
    space.run("2026-01-08T00:00:00Z")
    assert heard(space) == [("a", "finished"), ("b", "retracted")]
    assert replay(space.home).different == 0


def test_who_takes_a_wish_back_after_logging_in_does_not_hear(tmp_path: Path) -> None:
    space = shop(tmp_path)
    space.add(
        event("Wanted", None, "2026-01-02T00:00:00Z", anonymous="phone", product_id="soap"),
        event("Login", "a", "2026-01-03T00:00:00Z", anonymous="phone"),
        wish("Item Request Withdrawn", "a", "2026-01-03T12:00:00Z", "soap"),
        update("2026-01-04T00:00:00Z", "soap", stock=5),
    )
    space.run("2026-01-05T00:00:00Z")
    assert heard(space) == []


def test_a_store_of_an_older_innkeeper_finds_the_other_wishes_again(tmp_path: Path) -> None:
    space = shared(tmp_path)
    # Until then the newest word of a browser was all that was kept.
    with State.open(space.home) as state, state.transaction() as connection:
        connection.execute("DELETE FROM wishes WHERE at < ?", (parse_instant("2026-01-03T00:00:00Z"),))
        for statement in (files("innkeeper.store") / "sql" / "state_0014.sql").read_text().split(";"):
            connection.execute(statement)
    space.add(BACK, received_at="2026-01-03T18:00:00Z")
    space.run("2026-01-06T00:00:00Z")
    assert heard(space) == [("a", "finished"), ("b", "finished")]
