"""Homes: caps and letters counted by home, the question after a death, and that the cut of a run changes nothing."""

from __future__ import annotations

import itertools
import json
import random
import signal
from pathlib import Path
from typing import Any

import pytest
from support.workspace import Workspace, event, identify, message

from innkeeper.events.outputs import DeathRecorded, HouseholdRecorded
from innkeeper.events.types import Event
from innkeeper.kernel.errors import Invalid
from innkeeper.kernel.failpoints import VARIABLE
from innkeeper.kernel.time import DAY, HOUR, Instant, format_instant, parse_instant
from innkeeper.profiles.home import home_of, take_home
from innkeeper.profiles.state import Facts
from innkeeper.runtime.definitions import applied
from innkeeper.runtime.deliver import Deliverer
from innkeeper.runtime.replay import replay
from innkeeper.store.homes import Homes
from innkeeper.store.state import State
from innkeeper.strategy.load import load

POLICIES = (
    "purposes:\n  offers: {kind: marketing, basis: legitimate_interest}\n  stay: {kind: service, basis: contract}\n"
    "  bill: {kind: transactional, basis: contract}\n"
)
STRATEGY = {
    "policies.yaml": POLICIES,
    "messages/offer.md": message("Offer"),
    "messages/catalogue.md": message("Catalogue").replace("subject:", "one_per_home: true\nsubject:"),
    "messages/guide.md": message("Guide", purpose="stay"),
    "messages/bill.md": message("Bill", purpose="bill"),
    "journeys/offers.yaml": "enter: {event: Look}\nreentry: always\nshelf_life: 2 days\nsteps: [{send: offer}]\n",
    "journeys/catalogues.yaml": (
        "enter: {event: Ask}\nreentry: always\nshelf_life: 3 days\n"
        "steps: [{send: catalogue}, {wait: 5 hours}, {send: offer}]\n"
    ),
    "journeys/stays.yaml": "enter: {event: Book}\nreentry: always\nsteps: [{send: guide}]\n",
    "journeys/bills.yaml": "enter: {event: Pay}\nreentry: always\nsteps: [{send: bill}]\n",
}
CAPPED = {**STRATEGY, "policies.yaml": POLICIES + "caps: [{unit: household, at_most: 2, per: 1 day}]\n"}
START = parse_instant("2026-03-01T00:00:00Z")


def hour(number: float) -> str:
    return format_instant(START + int(number * HOUR))


def people(*names: str, home: str | None = "h1") -> list[Any]:
    traits = {} if home is None else {"household": home}
    return [identify(name, hour(0), email=f"{name}@example.com", first_name=name, **traits) for name in names]


def filled(home: Path, events: list[Any], strategy: dict[str, str] = STRATEGY) -> Workspace:
    one = Workspace(home)
    one.apply(strategy)
    one.add(*events)
    return one


def ends(one: Workspace) -> list[tuple[str, str, str, str]]:
    """Subject, message, state and reason of every delivery, in the order of planning."""
    with State.open(one.home, readonly=True) as state:
        rows = state.connection.execute(
            "SELECT subject, message, state, reason FROM deliveries ORDER BY planned_at, id"
        )
        return [(subject.removeprefix("user_id:"), *rest) for subject, *rest in rows]


def balanced(one: Workspace) -> dict[str, Any]:
    found = one.cli("ledger", "balance")
    assert found["difference"] == 0
    return found  # type: ignore[no-any-return]


# Caps and letters


def test_a_cap_on_the_home_counts_all_its_members(tmp_path: Path) -> None:
    looks = [event("Look", who, hour(at)) for at, who in enumerate(["ana", "rui", "ana", "eva", "rui"], 1)]
    one = filled(tmp_path, [*people("ana", "rui"), *people("eva", home=None), *looks], CAPPED)
    one.run(hour(48), deliver="file")
    sent, capped = ("offer", "accepted", ""), ("offer", "capped", "household_cap")
    assert ends(one) == [("ana", *sent), ("rui", *sent), ("ana", *capped), ("eva", *sent), ("rui", *capped)]
    refused = next(each for each in one.decisions() if each["outcome"] == "deny")
    assert (refused["gate"], refused["reason"]) == ("delivery", "household_cap")
    facts = refused["facts"]
    assert (facts["household"], facts["count"], facts["at_most"], facts["state"]) == ("h1", 2, 2, "capped")
    balanced(one)
    assert replay(one.home).different == 0


def test_a_calendar_cap_counts_the_day_of_the_workspace(tmp_path: Path) -> None:
    caps = "caps: [{unit: household, at_most: 1, per: day, mode: calendar}]\n"
    looks = [event("Look", who, hour(at)) for at, who in [(20, "ana"), (22, "rui"), (25, "rui")]]
    one = filled(tmp_path, [*people("ana", "rui"), *looks], {**STRATEGY, "policies.yaml": POLICIES + caps})
    one.run(hour(48), deliver="file")
    assert [end[2] for end in ends(one)] == ["accepted", "capped", "accepted"]


def test_service_and_transactional_are_not_capped_by_the_home(tmp_path: Path) -> None:
    happened = [
        event(name, who, hour(at))
        for at, (name, who) in enumerate(itertools.product(["Book", "Pay"] * 2, ["ana", "rui"]), 1)
    ]
    caps = "caps: [{unit: household, at_most: 0, per: 1 day}]\n"
    one = filled(tmp_path, [*people("ana", "rui"), *happened], {**STRATEGY, "policies.yaml": POLICIES + caps})
    one.run(hour(48), deliver="file")
    assert {end[2] for end in ends(one)} == {"accepted"}


def test_one_letter_per_home_while_it_is_fresh(tmp_path: Path) -> None:
    asked = [event("Ask", who, hour(at)) for at, who in [(1, "ana"), (2, "rui"), (3, "eva"), (80, "rui")]]
    one = filled(tmp_path, [*people("ana", "rui"), *people("eva", home="h2"), *asked])
    one.run(hour(100), deliver="file")
    letters = [end for end in ends(one) if end[1] == "catalogue"]
    assert letters == [
        ("ana", "catalogue", "accepted", ""),
        ("rui", "catalogue", "capped", "one_letter_per_home"),
        ("eva", "catalogue", "accepted", ""),
        ("rui", "catalogue", "accepted", ""),
    ]


def test_without_claims_there_is_no_cap_on_the_home(tmp_path: Path) -> None:
    looks = [event("Look", who, hour(at)) for at, who in enumerate(["ana", "rui", "ana"], 1)]
    one = filled(tmp_path, [*people("ana", "rui"), *looks], CAPPED)
    one.run(hour(10), deliver="none")
    assert {end[2:] for end in ends(one)} == {("planned", "virtual")}
    # What was sent virtually counts afterwards.
    one.add(event("Look", "rui", hour(11)))
    one.run(hour(20), deliver="file")
    assert ends(one)[-1] == ("rui", "offer", "capped", "household_cap")


# Homes are facts


def words(seed: int, count: int = 5) -> list[Event]:
    draw = random.Random(seed)
    made = []
    for number in range(count):
        name = draw.choice(["Household Joined", "Household Left", "Identified", "Suppressed", "Suppression Corrected"])
        household = draw.choice(["a", "b", None])
        properties: dict[str, Any] = {} if household is None else {"household_id": household}
        if name.startswith("Suppress"):
            properties = {"reason": "deceased", "by": draw.choice(["Maria", ""])}
        made.append(
            Event(
                source="import", message_id=str(number), type="track", name=name, user_id=draw.choice("xy"),
                timestamp=draw.randrange(4), received_at=0, properties=properties,
                traits={"household": household} if name == "Identified" else {},
            )
        )  # fmt: skip
    return made


def resolved(events: list[Event]) -> tuple[str | None, list[tuple[str, bool]]]:
    facts: dict[str, Facts] = {}
    for one in events:
        take_home(facts.setdefault(one.identifier, Facts(0)), one)
    dead = [(name, each.death.dead) for name, each in sorted(facts.items()) if each.death is not None]
    return home_of(word for each in facts.values() for word in each.households), dead


def by_definition(events: list[Event]) -> str | None:
    """The household by what the words mean, looked at from the end: the newest joining that nobody has undone."""
    joined: list[tuple[Instant, str]] = []
    undone: list[tuple[Instant, str | None]] = []
    for one in events:
        if one.name == "Household Joined" and "household_id" in one.properties:
            joined.append((one.timestamp, one.properties["household_id"]))
        elif one.name == "Household Left":
            undone.append((one.timestamp, one.properties.get("household_id")))
        elif one.name == "Identified" and one.traits["household"] is None:
            undone.append((one.timestamp, None))
        elif one.name == "Identified":
            joined.append((one.timestamp, one.traits["household"]))
    for at, household in sorted(joined, reverse=True):
        if not any(later >= at and name in (None, household) for later, name in undone):
            return household
    return None


def test_homes_and_deaths_do_not_depend_on_the_order_of_arrival() -> None:
    for seed in range(300):
        events = words(seed)
        first = resolved(events)
        assert first[0] == by_definition(events), f"seed {seed}"
        for order in itertools.islice(itertools.permutations(events), 30):
            assert resolved([*order, order[0]]) == first, f"seed {seed}"
    print("300 sets of words in 30 orders each, seed 0 to 299")


def test_the_tables_that_the_claim_reads_say_the_same(tmp_path: Path) -> None:
    for seed in range(6):
        events = words(seed, 8)
        home = tmp_path / str(seed)
        one = filled(home, [])
        told = [
            {
                "type": "identify" if each.name == "Identified" else "track",
                "event": each.name, "userId": each.user_id,
                "messageId": each.message_id, "timestamp": format_instant(START + each.timestamp),
                "properties": each.properties, "traits": each.traits,
            }
            for each in events
        ]  # fmt: skip
        random.Random(seed).shuffle(told)
        one.add(*told[:4])
        one.run(hour(1), deliver="file")
        one.add(*told[4:])
        one.run(hour(2), deliver="file")
        with State.open(home, readonly=True) as state:
            homes = Homes(state.connection)
            for who in "xy":
                mine = [each for each in events if each.user_id == who]
                assert homes.of(f"user_id:{who}") == by_definition(mine), f"seed {seed}"
                died = any(dead for _, dead in resolved(mine)[1])
                assert bool(homes.deaths([f"user_id:{who}"])) == died, f"seed {seed}"


def test_outputs_are_made_only_for_what_stands() -> None:
    facts = Facts(0)
    event_ = words(0)[0]

    def say(name: str, at: Instant, **properties: Any) -> list[str]:
        import msgspec

        told = msgspec.structs.replace(event_, name=name, timestamp=at, properties=properties, traits={})
        return [type(output).__name__ for output in take_home(facts, told)]

    assert say("Household Joined", 5, household_id="h") == [HouseholdRecorded.__name__]
    assert say("Household Joined", 4, household_id="h") == []
    assert say("Household Joined", 6, household_id=" ") == []
    assert say("Suppressed", 5, reason="Deceased", channel="sms") == [DeathRecorded.__name__]
    assert say("Suppressed", 4, reason="deceased") == []
    assert say("Suppression Corrected", 6, reason="deceased") == []  # by nobody
    assert say("Suppression Corrected", 6, reason="deceased", by="Maria") == [DeathRecorded.__name__]


# Death


def test_a_death_closes_every_channel_and_no_other_word_opens_it(tmp_path: Path) -> None:
    happened = [
        event("Suppressed", "ana", hour(1), reason="deceased", channel="sms"),
        event("Unsuppressed", "ana", hour(2)),
        event("Unsuppressed", "ana", hour(2), channel="email"),
        identify("ana", hour(3), email="ana@example.com"),
        event("Consent Given", "ana", hour(3), purpose="offers"),
        event("Look", "ana", hour(4)),
        event("Pay", "ana", hour(5)),
    ]
    one = filled(tmp_path, [*people("ana"), *happened])
    one.run(hour(10), deliver="file")
    assert ends(one) == []
    refused = [each for each in one.decisions() if each["outcome"] == "deny"]
    assert [(each["gate"], each["facts"]["why"]) for each in refused] == [("suppressed", "deceased")] * 2
    one.add(
        event("Suppression Corrected", "ana", hour(11), reason="deceased", by="Maria"), event("Look", "ana", hour(12))
    )
    one.run(hour(20), deliver="file")
    assert ends(one) == [("ana", "offer", "accepted", "")]


def bereaved(home: Path, *more: Any, strategy: dict[str, str] = STRATEGY) -> Workspace:
    """Ana has died; Rui and Eva live on in the home, and something is to be sent to Rui, then to Eva."""
    happened = [
        event("Deceased Reported", "ana", hour(1)),
        event("Look", "rui", hour(2)),
        event("Look", "eva", hour(3)),
        event("Book", "rui", hour(4)),
        event("Pay", "rui", hour(5)),
        *more,
    ]
    return filled(home, [*people("ana", "rui", "eva"), *happened], strategy)


def test_the_next_letter_to_the_home_waits_for_a_person(tmp_path: Path) -> None:
    one = bereaved(tmp_path)
    one.run(hour(10), deliver="file")
    held = ("planned", "ask_bereavement")
    assert ends(one) == [
        ("rui", "offer", *held), ("eva", "offer", *held),
        ("rui", "guide", "accepted", ""), ("rui", "bill", "accepted", ""),
    ]  # fmt: skip
    assert balanced(one)["open"] == {"planned": 2}
    (task,) = one.cli("task", "list")["tasks"]
    assert (task["queue"], task["title"]) == ("front-desk", "ana of the home h1 has died; may we write to rui?")
    assert task["created_at"] == hour(2)
    put_off = [each for each in one.decisions() if each["reason"] == "ask_bereavement"]
    assert [(each["outcome"], each["user_id"], each["at"]) for each in put_off] == [
        ("defer", "rui", hour(2)), ("defer", "eva", hour(3)),
    ]  # fmt: skip
    assert [name for _, name, _ in one.outputs("Message Held", "Task Created")] == [
        "Message Held", "Task Created", "Message Held",
    ]  # fmt: skip
    shown = one.cli("household", "show", "h1")
    assert (shown["deceased"], shown["answer"], len(shown["held"])) == (["ana"], None, 2)
    assert replay(one.home).different == 0


def test_yes_lets_it_go_at_the_instant_of_the_answer(tmp_path: Path) -> None:
    one = bereaved(tmp_path)
    one.run(hour(10), deliver="file")
    assert one.cli("household", "release", "h1", "--yes")["answer"] == "yes"
    one.run(hour(11), deliver="file")
    assert [end[2] for end in ends(one)] == ["accepted"] * 4
    sent = [(at, said["message"]) for at, name, said in one.outputs("Message Sent") if said["message"] == "offer"]
    assert sent == [(hour(10), "offer")] * 2
    one.add(event("Look", "rui", hour(12)))
    one.run(hour(13), deliver="file")
    assert ends(one)[-1] == ("rui", "offer", "accepted", "")
    assert [task["state"] for task in one.cli("task", "list")["tasks"]] == ["done"]
    balanced(one)
    assert replay(one.home).different == 0


def test_no_cancels_it_and_what_comes_after(tmp_path: Path) -> None:
    one = bereaved(tmp_path)
    one.run(hour(10), deliver="file")
    one.cli("household", "release", "h1", "--no")
    one.add(event("Look", "rui", hour(12)))
    one.run(hour(13), deliver="file")
    assert [end[2:] for end in ends(one) if end[1] == "offer"] == [("cancelled", "bereavement")] * 3
    refused = [each for each in one.decisions() if each["reason"] == "bereavement"]
    assert [(each["gate"], each["outcome"]) for each in refused] == [("delivery", "deny")] * 3
    # A person may think again.
    one.cli("household", "release", "h1", "--yes")
    one.add(event("Look", "rui", hour(14)))
    one.run(hour(15), deliver="file")
    assert ends(one)[-1] == ("rui", "offer", "accepted", "")
    balanced(one)
    assert replay(one.home).different == 0


def test_too_late_an_answer_finds_it_expired(tmp_path: Path) -> None:
    one = bereaved(tmp_path)
    one.run(hour(90), deliver="file")
    one.cli("household", "release", "h1", "--yes")
    one.run(hour(91), deliver="file")
    assert [end[2:] for end in ends(one) if end[1] == "offer"] == [("expired", "expired")] * 2
    balanced(one)
    assert replay(one.home).different == 0


def test_what_nobody_answers_ends_with_its_shelf_life_when_the_clock_is_live(tmp_path: Path) -> None:
    one = bereaved(tmp_path)
    one.run(hour(10), deliver="file")
    with State.open(one.home) as state:
        definitions = applied(state)
        assert definitions is not None
        deliverer = Deliverer.open(one.home, state, definitions)
        assert deliverer.deliver(now=parse_instant(hour(49))) == []
        assert len(deliverer.deliver(now=parse_instant(hour(52)))) == 2
        deliverer.close()
    assert {end[2] for end in ends(one) if end[1] == "offer"} == {"expired"}


def test_an_exit_cancels_what_was_held_at_its_own_instant(tmp_path: Path) -> None:
    journey = STRATEGY["journeys/offers.yaml"] + "exit: [\"did('Gone')\"]\n"
    journey = journey.replace("[{send: offer}]", "[{send: offer}, {wait: 9 days}]")
    strategy = {**STRATEGY, "journeys/offers.yaml": journey}
    logs = []
    for size in (1, 2_000):
        one = bereaved(
            tmp_path / str(size), event("Gone", "rui", hour(6)), event("Look", "rui", hour(7)), strategy=strategy
        )
        one.run(hour(40), deliver="file", tick_size=size)
        assert [end[2] for end in ends(one) if end[0] == "rui" and end[1] == "offer"] == ["cancelled", "planned"]
        (refused,) = one.outputs("Message Refused")
        assert (refused[0], refused[2]["state"]) == (hour(6), "cancelled")
        logs.append(one.log_lines())
    assert logs[0] == logs[1]


def test_the_second_death_asks_again(tmp_path: Path) -> None:
    one = bereaved(tmp_path)
    one.run(hour(10), deliver="file")
    one.cli("household", "release", "h1", "--yes")
    one.add(event("Suppressed", "rui", hour(12), reason="deceased"), event("Look", "eva", hour(13)))
    one.run(hour(14), deliver="file")
    assert ends(one)[-1] == ("eva", "offer", "planned", "ask_bereavement")
    assert [task["title"] for task in one.cli("task", "list")["tasks"]] == [
        "ana of the home h1 has died; may we write to rui?", "rui of the home h1 has died; may we write to eva?",
    ]  # fmt: skip


def test_what_waits_is_declared(tmp_path: Path) -> None:
    more = "bereavement: { queue: concierge, purposes: [service] }\n"
    one = bereaved(tmp_path, strategy={**STRATEGY, "policies.yaml": POLICIES + more})
    one.run(hour(10), deliver="file")
    assert [end[1] for end in ends(one) if end[3] == "ask_bereavement"] == ["guide"]
    assert [task["queue"] for task in one.cli("task", "list")["tasks"]] == ["concierge"]
    # Planned only from here on: what a person was asked about does not count as sent.
    one.run(hour(11), deliver="none")
    assert [end[1] for end in ends(one) if end[3] == "ask_bereavement"] == ["guide"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("caps: [{unit: home, at_most: 1, per: day}]", "not-a-choice"),
        ("bereavement: { purposes: [offer] }", "unknown-purpose"),
        ("bereavement: { purposes: [bill] }", "transactional-goes-on"),
        ("bereavement: { que: x }", "unknown-key"),
    ],
)
def test_wrong_rules_are_found(text: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        load({"policies.yaml": POLICIES + text + "\n"})
    assert [problem.code for problem in caught.value.problems] == [code]


def test_a_flag_of_a_message_is_true_or_false() -> None:
    with pytest.raises(Invalid) as caught:
        load(
            {"policies.yaml": POLICIES, "messages/m.md": message().replace("subject:", "one_per_home: maybe\nsubject:")}
        )
    assert [problem.code for problem in caught.value.problems] == ["not-a-flag"]


# Random lives


def life(seed: int) -> list[Any]:
    """Two weeks of three homes on a coarse grid of time, so that much falls into one instant."""
    draw = random.Random(seed)
    names = [f"p{number}" for number in range(8)]
    events = [
        each
        for number, name in enumerate(names)
        for each in people(name, home=f"h{number % 3}" if number < 7 else None)
    ]
    for number in range(60):
        at, who = hour(draw.randrange(1, 300)), draw.choice(names)
        name = draw.choice(["Look"] * 4 + ["Ask"] * 2 + ["Book", "Move", "Die", "Answer", "Correct"])
        household = f"h{draw.randrange(3)}"
        if name == "Move":
            said = draw.choice([("Household Joined", {"household_id": household}), ("Household Left", {})])
            events.append(event(said[0], who, at, id=f"e{number}", **said[1]))
        elif name == "Die" and draw.random() < 0.4:
            events.append(event("Suppressed", who, at, id=f"e{number}", reason="deceased"))
        elif name == "Correct":
            events.append(event("Suppression Corrected", who, at, id=f"e{number}", reason="deceased", by="Maria"))
        elif name == "Answer":
            answer = draw.choice(["yes", "no"])
            events.append(
                event("Bereavement Answered", who, at, id=f"e{number}", household_id=household, answer=answer)
            )
        elif name in ("Look", "Ask", "Book"):
            events.append(event(name, who, at, id=f"e{number}"))
    return events


@pytest.mark.parametrize("seed", range(4))
def test_the_size_of_ticks_changes_nothing_at_home(tmp_path: Path, seed: int) -> None:
    print(f"seed {seed}: {the_same_in_ticks_of_any_size(tmp_path, seed)} deliveries")


def the_same_in_ticks_of_any_size(tmp_path: Path, seed: int) -> int:
    """Live a random life in ticks of three sizes; how many deliveries it had."""
    found = []
    for size in (1, 7, 2_000):
        one = filled(tmp_path / str(size), life(seed), CAPPED)
        one.run(hour(400), deliver="file", tick_size=size)
        with State.open(one.home, readonly=True) as state:
            rows = state.connection.execute(
                "SELECT id, state, reason, not_before, home FROM deliveries ORDER BY id"
            ).fetchall()
        found.append((rows, one.log_lines()))
        balanced(one)
    assert found[0] == found[1] == found[2], f"seed {seed}"
    assert replay(tmp_path / "7").different == 0
    the_law(tmp_path / "7", life(seed))
    return len(found[0][0])


def the_law(home: Path, events: list[Any]) -> None:
    """The caps of homes, by a plain walk over the ledger in time: with who lived where by the events alone."""

    def lives(who: str, before: Instant) -> str | None:
        joined: list[tuple[Instant, str]] = []
        left: list[Instant] = []
        for one in events:
            at = parse_instant(one["timestamp"])
            if one["userId"] != who or at >= before:
                continue
            if one["type"] == "identify" and "household" in one["traits"]:
                joined.append((at, one["traits"]["household"]))
            elif one.get("event") == "Household Joined":
                joined.append((at, one["properties"]["household_id"]))
            elif one.get("event") == "Household Left":
                left.append(at)
        latest = max(joined, default=None)
        return None if latest is None or any(at >= latest[0] for at in left) else latest[1]

    with State.open(home, readonly=True) as state:
        rows = state.connection.execute(
            "SELECT not_before, id, subject, kind, state, reason, home FROM deliveries ORDER BY not_before, id"
        ).fetchall()
    # Letters of one instant go in the order in which their causes were taken: an instant is looked at as a whole.
    sent = [(at, subject.removeprefix("user_id:")) for at, _, subject, kind, end, _, _ in rows if (kind, end) == _SENT]
    for at, _, subject, kind, end, reason, seen in rows:
        who = subject.removeprefix("user_id:")
        mine = lives(who, at)
        if mine is None or not ((kind, end) == _SENT or reason == "household_cap"):
            continue
        count = sum(at - DAY < when <= at and lives(name, at) == mine for when, name in sent)
        if end == "accepted":
            assert count <= 2, (who, format_instant(at))
        else:
            assert count >= 2, (who, format_instant(at))
            assert json.loads(seen)["household"] == mine


_SENT = ("marketing", "accepted")


PLACES = ("tick.committed:2", "deliver.claimed:3", "deliver.recorded:4", "tick.written:5", "deliver.sent:2")


def test_kills_change_nothing_at_home(tmp_path: Path) -> None:
    """Killed where deliveries are between planning and receipt, a run ends as it would have without (I3, I7)."""
    for seed in (4, 5):
        calm, killed = (filled(tmp_path / f"{name}{seed}", life(seed), CAPPED) for name in ("calm", "killed"))
        calm.run(hour(400), deliver="file")
        kills = 0
        for place in PLACES:
            done = killed.shell("run", "--until", hour(400), env={VARIABLE: place})
            kills += done.returncode == -signal.SIGKILL
        killed.run(hour(400), deliver="file")
        print(f"{kills} kills, seed {seed}")
        assert kills >= 4
        assert sorted(ends(killed)) == sorted(ends(calm))
        assert sorted(killed.log_lines()) == sorted(calm.log_lines())
        balanced(killed)
        assert replay(killed.home).different == 0
