"""Proposals: what is compared, what people decide, and the events that come of it."""

from __future__ import annotations

import itertools
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from support.workspace import Workspace, event, identify

from innkeeper.identity.homes import homes
from innkeeper.identity.matching import FIELD_KINDS, HomeRules, MatchRules, comparable, decided
from innkeeper.kernel.errors import Invalid, OperationFailed
from innkeeper.runtime.replay import replay
from innkeeper.store import match_model
from innkeeper.store.bulk import Bulk
from innkeeper.store.match_model import Person, score
from innkeeper.store.state import State
from innkeeper.strategy.load import load

FIELDS = "{ first_name: name, last_name: name, birth_date: date, email: email, phone: phone }"
HOME = "{ address: [street, postcode], surname: last_name }"
STRATEGY = f"name: test\nmatching:\n  fields: {FIELDS}\n  threshold: 0.9\n  household: {HOME}\n"
FIRST = ["Ana", "Bruno", "Carla", "Duarte", "Elsa", "Filipe", "Gina", "Hugo", "Irene", "Jorge", "Katia", "Luis"]
LAST = ["Almeida", "Barros", "Castro", "Dias", "Esteves", "Faria", "Gomes", "Henriques", "Inacio", "Jardim", "Leal"]


def crowd(seed: int, size: int = 300) -> dict[str, dict[str, str]]:
    """People of whom every fifth is there twice, with a slip of the pen; the double of `pN` is `pN-again`."""
    random_ = random.Random(seed)
    people: dict[str, dict[str, str]] = {}
    for number in range(size):
        first, last = random_.choice(FIRST), random_.choice(LAST)
        year, month, day = random_.randrange(1940, 2005), random_.randrange(1, 13), random_.randrange(1, 29)
        traits = {
            "first_name": first,
            "last_name": last,
            "phone": f"+351 9{random_.randrange(10**8):08d}",
            "birth_date": f"{year}-{month:02d}-{day:02d}",
            "email": f"{first}.{last}{number}@example.com".lower(),
            "street": f"Rua {number // 3}",
            "postcode": "1100-048",
        }
        people[f"p{number}"] = traits
        if number % 5 == 0:
            again = dict(traits)
            slip = random_.choice(["swap", "mail", "date", "phone"])
            if slip == "swap":
                again["first_name"], again["last_name"] = last, first
            elif slip == "mail":
                again["email"] = again["email"].replace("a", "e", 1)
            elif slip == "date":
                again["birth_date"] = again["birth_date"][:-1] + "0"
            else:
                again["phone"] = again["phone"].replace("+351 ", "")
            people[f"p{number}-again"] = again
    return people


def workspace(home: Path, people: dict[str, dict[str, str]]) -> Workspace:
    one = Workspace(home)
    one.apply({"strategy.yaml": STRATEGY})
    one.add(*(identify(who, "2026-01-01T00:00:00Z", **traits) for who, traits in people.items()))
    one.run("2026-01-02T00:00:00Z")
    return one


def told(home: Path) -> list[tuple[str, str, dict[str, Any]]]:
    """The events that people at the command line have caused: identifier, name, properties."""
    from innkeeper.kernel.json import loads

    with Bulk.open(home) as bulk:
        rows = bulk.rows("SELECT identifier, name, properties FROM events WHERE source = 'cli' ORDER BY seq")
    return [(identifier, name, loads(properties)) for identifier, name, properties in rows]


def test_doubles_are_found_accepted_and_rejected(tmp_path: Path) -> None:
    pytest.importorskip("splink")
    one = workspace(tmp_path, crowd(1))
    report = one.cli("match", "propose", "--kind", "person")
    assert (report["proposed"], report["new"], report["decided"]) == (60, 60, 0)
    listed = one.cli("match", "list", "--kind", "person")["proposals"]
    for each in listed:
        a, b = each["members"]
        assert b == f"{a}-again"
        assert each["probability"] >= 0.9

    best, worst = listed[0], listed[-1]
    shown = one.cli("match", "show", best["id"])
    assert {item["field"] for item in shown["evidence"]} == {
        "first_name and last_name", "birth_date", "email", "phone",
    }  # fmt: skip
    assert shown["weight"] > sum(item["weight"] for item in shown["evidence"]) - 20  # evidence and what was expected

    assert one.cli("match", "accept", best["id"])["accepted"] == [best["id"]]
    assert one.cli("match", "accept", best["id"])["accepted"] == []
    assert one.cli("match", "reject", worst["id"])["rejected"] == [worst["id"]]
    refused = one.shell("match", "reject", best["id"])
    assert (refused.returncode, "already-accepted" in refused.stderr) == (2, True)

    a, b = best["members"]
    assert told(tmp_path) == [
        (a, "Link Added", {"a": a, "b": b, "by": "match", "proposal": best["id"], "probability": best["probability"],
                           "evidence": best["evidence"]}),
        (worst["members"][0], "Match Rejected", {"a": worst["members"][0], "b": worst["members"][1],
                                                "proposal": worst["id"], "probability": worst["probability"]}),
    ]  # fmt: skip
    again = one.cli("match", "propose", "--kind", "person")
    assert (again["proposed"], again["new"], again["decided"]) == (58, 0, 2)
    rest = one.cli("match", "accept", "--above", "0.5")["accepted"]
    assert len(rest) == 58
    assert one.cli("match", "list", "--kind", "person")["proposals"] == []
    assert one.run("2026-01-03T00:00:00Z").counts.events == 60


def test_an_accepted_match_is_one_customer_until_the_link_is_taken_back(tmp_path: Path) -> None:
    pytest.importorskip("splink")
    one = workspace(tmp_path, crowd(1))
    one.cli("match", "propose", "--kind", "person")
    best = one.cli("match", "list", "--kind", "person")["proposals"][0]
    a, b = best["members"]
    names = sorted(each.removeprefix("user_id:") for each in (a, b))
    one.cli("match", "accept", best["id"])
    one.run("2026-01-03T00:00:00Z")
    assert [one.cli("profile", "show", name)["id"] for name in names] == [names[0]] * 2
    shown = one.cli("profile", "show", names[1])
    assert shown["identifiers"] == sorted((a, b))
    assert [merge["what"] for merge in shown["merges"]] == ["joined"]
    assert replay(tmp_path).different == 0

    one.cli("link", "remove", *names)
    one.run("2026-01-04T00:00:00Z")
    assert [one.cli("profile", "show", name)["id"] for name in names] == names
    assert replay(tmp_path).different == 0


def test_what_people_decided_is_read_from_the_log(tmp_path: Path) -> None:
    """The table of proposals is a copy: without it a rejected pair stays rejected, and so does a link taken back."""
    pytest.importorskip("splink")
    one = workspace(tmp_path, crowd(2))
    one.cli("match", "propose", "--kind", "person")
    first, second, third, *_ = one.cli("match", "list", "--kind", "person")["proposals"]
    one.cli("match", "reject", first["id"])
    one.cli("match", "accept", second["id"], third["id"])
    a, b = second["members"]
    one.add(event("Link Removed", a.removeprefix("user_id:"), "2026-01-02T00:00:00Z", a=a, b=b))
    with State.open(tmp_path) as state, state.transaction() as connection:
        connection.execute("DELETE FROM proposals")
    assert one.cli("match", "propose", "--kind", "person")["decided"] == 3
    states = {each["id"]: each["state"] for each in one.cli("match", "list", "--state", "all")["proposals"]}
    assert [states[each["id"]] for each in (first, second, third)] == ["rejected", "rejected", "accepted"]


def test_the_same_people_give_the_same_proposals_in_any_order(tmp_path: Path) -> None:
    pytest.importorskip("splink")
    rules = load({"strategy.yaml": STRATEGY}).workspace.matching
    assert rules is not None
    people = [Person(subject=who, values=traits) for who, traits in crowd(3).items()]
    first = score(tmp_path, people, rules, 0.5)
    random.Random(3).shuffle(people)
    assert score(tmp_path, people, rules, 0.5) == first


@pytest.mark.parametrize("size", [0, 1, 2, 12])
def test_few_people_are_no_error(tmp_path: Path, size: int) -> None:
    pytest.importorskip("splink")
    rules = MatchRules(fields={"first_name": "name", "email": "email"})
    people = [Person(subject=f"p{n}", values={"first_name": "Ana", "email": "ana@example.com"}) for n in range(size)]
    found = score(tmp_path, people, rules, 0.01)
    assert found.trained_on == []
    assert found.compared == size * (size - 1) // 2


def test_values_are_data_never_sql(tmp_path: Path) -> None:
    pytest.importorskip("splink")
    nasty = "x'); DROP TABLE people; --"
    rules = MatchRules(fields={nasty: "name", 'a"b': "exact"})
    people = [Person(subject=f"{nasty}{n}", values={nasty: nasty, 'a"b': f"{n % 2}'"}) for n in range(4)]
    assert score(tmp_path, people, rules, 0.001).people == 4


def test_without_the_extra_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "splink", None)
    with pytest.raises(OperationFailed, match="splink") as caught:
        match_model.score(tmp_path, [], MatchRules(), 0.9)
    assert "pip install 'innkeeper[matching]'" in caught.value.fix


def test_nothing_declared_says_what_to_declare(tmp_path: Path) -> None:
    one = Workspace(tmp_path)
    one.apply({})
    done = one.shell("match", "propose")
    assert (done.returncode, "matching: { fields:" in done.stderr) == (2, True)
    done = one.shell("match", "propose", "--fields", "first_nam")
    assert (done.returncode, "unknown-field" in done.stderr) == (2, True)
    done = one.shell("match", "show", "nothing")
    assert (done.returncode, "unknown-proposal" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{ fields: { first_name: nam, email: email } }", "not-a-choice"),
        ("{ fields: { email: email } }", "too-few-fields"),
        ("{ fields: [email] }", "not-a-mapping"),
        ("{ fields: { a: name, b: date }, swapped: [a, b] }", "bad-swapped"),
        ("{ fields: { a: name, b: date }, block_on: [[a, c]] }", "unknown-field"),
        ("{ fields: { a: name, b: date }, threshold: 95 }", "not-a-probability"),
        ("{ threshold: 0.9 }", "missing-key"),
        ("{ household: { surname: last_name } }", "missing-key"),
        ("{ household: { address: [street], at_most: 1 } }", "too-few"),
        ("{ fields: { a: name, b: date }, blok_on: [a] }", "unknown-key"),
    ],
)
def test_wrong_rules_are_found(text: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        load({"strategy.yaml": f"matching: {text}\n"})
    assert [problem.code for problem in caught.value.problems] == [code]


def test_the_latest_decision_on_a_pair_counts() -> None:
    pair = {"a": "user_id:x", "b": "user_id:y"}
    events = [("Match Rejected", pair), ("Link Added", {"a": "user_id:y", "b": "user_id:x"})]
    assert decided(events) == {frozenset(pair.values()): "accepted"}
    assert decided([*events, ("Link Removed", pair)]) == {frozenset(pair.values()): "rejected"}


def test_homes_are_those_with_one_whole_address() -> None:
    rules = HomeRules(address=("street", "postcode"), surname="last_name", at_most=3)
    people = [
        ("a", {"street": "Rua das Flores 1", "postcode": "1100", "last_name": "Silva"}),
        ("b", {"street": " rua das  flores, 1", "postcode": "1100 ", "last_name": "SILVA"}),
        ("c", {"street": "Rua das Flores 1", "postcode": "1100", "last_name": "Costa"}),
        ("d", {"street": "Rua das Flores 1", "last_name": "Silva"}),
        *((f"office{n}", {"street": "Cais 7", "postcode": "1200", "last_name": "Hotel"}) for n in range(4)),
    ]
    for order in itertools.permutations(people[:4]):
        found = homes([*order, *people[4:]], rules, {})
        assert [one.members for one in found.proposals] == [("a", "b")]
        assert found.too_large == 1
    assert homes(people, rules, {"a": "home-1"}).proposals[0].household_id == "home-1"
    assert homes(people, rules, {"a": "home-1", "b": "home-1"}).proposals == []


def test_homes_are_proposed_without_the_extra(tmp_path: Path) -> None:
    one = workspace(tmp_path, {
        "ana": {"last_name": "Silva", "street": "Rua 1", "postcode": "1100"},
        "rui": {"last_name": "Silva", "street": "Rua 1", "postcode": "1100"},
    })  # fmt: skip
    report = one.cli("match", "propose", "--kind", "household")
    assert (report["homes"], report["new_homes"]) == (1, 1)
    (home,) = one.cli("match", "list")["proposals"]
    assert (home["kind"], home["probability"], home["members"]) == ("household", None, ["user_id:ana", "user_id:rui"])
    assert one.cli("match", "accept", "--homes")["accepted"] == [home["id"]]
    properties = {"household_id": home["household_id"], "by": "match", "proposal": home["id"]}
    assert told(tmp_path) == [(f"user_id:{who}", "Household Joined", properties) for who in ("ana", "rui")]


def test_comparable_values_say_nothing_where_there_is_nothing() -> None:
    nothing: list[object] = [None, "", "   ", True, [], {}]
    for kind in FIELD_KINDS:
        for value in nothing:
            assert comparable(kind, value) is None
