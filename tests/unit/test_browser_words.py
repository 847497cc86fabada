"""A browser that is divided takes along what was said on it, whatever kind it is of, each to whoever had it then.

The oracle is another engine that takes the same events in the order of time, each sent by the person to whom the plain
identity oracle gives it: there is no browser in it, so nothing is ever divided.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import msgspec
import pytest
from oracle.identity_cases import START
from oracle.identity_oracle import Rules, Who
from oracle.identity_order import late_order, taken, world

from innkeeper.events.types import Event
from innkeeper.identity.namespaces import IdentityRules
from innkeeper.kernel.time import HOUR
from innkeeper.lifecycle import World, decode
from innkeeper.profiles.consent import standing
from innkeeper.profiles.home import home_of
from innkeeper.profiles.memories import all_memories
from innkeeper.store.state import State

SEED = 20261125
PEOPLE = ("u0", "u1", "u2")
#: The rows that are kept of words besides the profiles, without what says under which identifier and when it was taken.
#: Of homes and deaths the newest words: which older ones are there depends on what was taken first.
ROWS = (
    "SELECT subject, household, max(2 * at - joined) FROM household_words GROUP BY subject, household",
    "SELECT subject, max(2 * at + dead) FROM deaths GROUP BY subject",
    "SELECT subject, purpose, channel, topic, given, at FROM consents",
    "SELECT subject, purpose, channel, topic, confirmed_at, withdrawn_at FROM optins",
    "SELECT subject, channel, suppressed, reason, at FROM suppressions",
)
KINDS = ("memories", "home", "death", "opt-in")


def said(dice: random.Random) -> tuple[str, dict[str, Any]]:
    """A word of one of the kinds: the event's name and its properties."""
    about, home = dice.choice(("pillow", "coffee")), dice.choice(("h1", "h2"))
    consent = {"purpose": "offers", "channel": "email"}
    words: list[tuple[str, dict[str, Any]]] = [
        ("Memory Noted", {"about": about, "value": dice.randrange(9), "explicit": dice.random() < 0.5}),
        ("Memory Forgotten", {"about": about}),
        ("Household Joined", {"household_id": home}),
        ("Household Left", {"household_id": home}),
        ("Deceased Reported", {}),
        ("Suppression Corrected", {"by": "ann", "reason": "deceased"}),
        ("Double Opt-In Requested", consent),
        ("Double Opt-In Confirmed", consent | {"proof": f"p{dice.randrange(9)}"}),
        ("Consent Withdrawn", consent),
    ]
    return dice.choice(words)


def history(dice: random.Random) -> list[Event]:
    """Words of somebody on one browser, and people who log in there: the later ones are late, or claims are divided."""
    events = []
    for number in range(dice.randrange(8, 40)):
        login = dice.random() < 0.25
        name, properties = ("Login", {}) if login else said(dice)
        at = START + dice.randrange(200) * HOUR
        events.append(
            Event(
                seq=number + 1, source="web", message_id=f"m{number:03}", type="track", name=name, timestamp=at,
                received_at=at, user_id=dice.choice(PEOPLE) if login else None, anonymous_id="b", properties=properties,
            )
        )  # fmt: skip
    return events


def look(state: State) -> dict[str, Any]:
    """Every profile and what was said of it, and the rows that are kept beside."""
    found: dict[str, Any] = {}
    for page in state.pages():
        for subject, body in page:
            profile = decode(body)
            facts = profile.facts.values()
            deaths = [each.death for each in facts if each.death is not None]
            opted = standing(profile, "offers", "email", None)
            found[subject] = {
                "memories": all_memories(profile),
                "home": home_of([word for each in facts for word in each.households]),
                "death": [(word.dead, word.at) for word in deaths],
                "opt-in": (opted.given, opted.at, opted.confirmed, opted.requested),
            }  # fmt: skip
    rows = [sorted(state.connection.execute(sql).fetchall(), key=repr) for sql in ROWS]
    return {"profiles": {name: each for name, each in found.items() if state.bodies([name])}, "rows": rows}


def alone(events: list[Event], known: World) -> dict[str, Any]:
    """The same where everybody speaks for themselves."""
    who, own = Who(events, Rules()), []
    for event in sorted(events, key=lambda each: (each.timestamp, each.source, each.message_id)):
        kind, _, name = who.subject(event).partition(":")
        user = kind == "user_id"
        own.append(msgspec.structs.replace(event, user_id=name if user else None, anonymous_id=None if user else name))
    with taken(own, known, 1) as state:
        return look(state)


def check(seed: int) -> Counter[str]:
    """Compare one history in several orders with the oracle; which kinds of words two people had."""
    dice = random.Random(seed)
    known, events = world(IdentityRules()), history(dice)
    expected = alone(events, known)
    for number in range(3):
        order = list(events) if number == 0 else late_order(dice, events)
        if number == 1:
            dice.shuffle(order)
        with taken(order, known, dice.choice((1, 3, 100))) as state:
            assert look(state) == expected, f"seed {seed}, order {number}"
    empty: dict[str, Any] = {"memories": {}, "home": None, "death": [], "opt-in": (None, None, False, False)}
    people = expected["profiles"].values()
    return Counter(kind for kind in KINDS if sum(each[kind] != empty[kind] for each in people) > 1)


def test_what_was_said_on_a_browser_is_divided_with_it() -> None:
    found: Counter[str] = Counter()
    for number in range(60):
        found += check(SEED + number)
    print(f"seeds from {SEED}: 60 histories, on two sides of a browser {dict(found)}")
    assert min(found[kind] for kind in KINDS) > 5


@pytest.mark.torture
def test_what_was_said_on_a_browser_is_divided_with_it_many_times() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}, 2,000 histories")
    for number in range(2_000):
        check(seed + number)
