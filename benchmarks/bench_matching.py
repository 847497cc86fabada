"""Matching: records whose truth is known, from `match propose` to closed clusters; time, memory and quality together.

The records are those of the data folder (INNKEEPER_DATA). A larger crowd is made here, to see how time and memory grow
with it: people of whom every tenth is there twice, with a slip of the pen.
"""

from __future__ import annotations

import csv
import os
import random
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from benchmarks.harness import Row, Scale, Table, progress, scratch
from innkeeper.identity.matching import FieldKind, MatchRules
from innkeeper.store.match_model import Person, Scored, score

_FEBRL: dict[str, FieldKind] = {
    "given_name": "name", "surname": "name", "date_of_birth": "date", "soc_sec_id": "exact", "street_number": "exact",
    "postcode": "exact",
}  # fmt: skip
_FAKE: dict[str, FieldKind] = {"first_name": "name", "surname": "name", "dob": "date", "email": "email", "city": "name"}
# File, id column, fields, first name, threshold, the F1 to reach (None: there is no published one).
_SETS = [
    ("febrl/dataset1.csv", "rec_id", _FEBRL, "given_name", 0.5, None),
    ("febrl/dataset2.csv", "rec_id", _FEBRL, "given_name", 0.5, 0.9966),
    ("febrl/dataset3.csv", "rec_id", _FEBRL, "given_name", 0.5, 0.9961),
    ("fake_people/fake_1000.csv", "unique_id", _FAKE, "first_name", 0.7, None),
]
_CROWD = 20_000


def run(scale: Scale) -> Table:
    """Measure every set that is there, and a crowd."""
    table = Table(title="Matching: proposed pairs against the truth, after closing clusters")
    folder = Path(os.environ.get("INNKEEPER_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    with scratch("matching") as home:
        for name, identifier, fields, first, threshold, target in _SETS:
            if not (folder / name).is_file():
                table.notes.append(f"{name}: not there; set INNKEEPER_DATA")
                continue
            progress(name)
            rules = MatchRules(fields=fields, swapped=(first, "surname"))
            people, truth = _records(folder / name, identifier)
            table.rows.append(_row(name, people, truth, rules, threshold, target, home))
        progress("a crowd")
        people, truth = _crowd(scale.of(_CROWD))
        rules = MatchRules(fields={**_FAKE, "phone": "phone"}, swapped=("first_name", "surname"))
        table.rows.append(_row(f"{len(people):,} made up", people, truth, rules, 0.9, None, home))
    return table


def _row(
    name: str, people: list[Person], truth: Mapping[str, str], rules: MatchRules, threshold: float,
    target: float | None, home: Path,
) -> Row:  # fmt: skip
    began = time.perf_counter()
    scored = score(home, people, rules, threshold)
    seconds = time.perf_counter() - began
    precision, recall, f1 = _quality(scored, truth)
    return Row(
        what=f"{name}: {scored.people:,} people, {scored.compared:,} pairs compared, from {threshold}",
        measured=f"P {precision:.4f}, R {recall:.4f}, F1 {f1:.4f}; {seconds:.1f} s",
        target="–" if target is None else f"F1 ≥ {target}",
        met=None if target is None else f1 >= target,
    )


def _records(path: Path, identifier: str) -> tuple[list[Person], dict[str, str]]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file, skipinitialspace=True))
    truth = {row[identifier]: row.get("cluster") or row[identifier].split("-")[1] for row in rows}
    return [Person(subject=row[identifier], values=row) for row in rows], truth


def _crowd(size: int) -> tuple[list[Person], dict[str, str]]:
    draw = random.Random(1)
    syllables = [a + b for a in "bcdfglmnprst" for b in ("a", "e", "i", "o", "u", "an", "el", "or")]
    firsts, lasts = (["".join(draw.choices(syllables, k=k)) for _ in range(n)] for k, n in ((2, 900), (3, 9_000)))
    people, truth = [], {}
    for number in range(size):
        first, last = draw.choice(firsts), draw.choice(lasts)
        values: dict[str, object] = {
            "first_name": first, "surname": last, "city": draw.choice(lasts[:200]),
            "dob": f"{draw.randrange(1940, 2006)}{draw.randrange(1, 13):02d}{draw.randrange(1, 29):02d}",
            "email": f"{first}.{last}{draw.randrange(999)}@example.com", "phone": f"9{draw.randrange(10**8):08d}",
        }  # fmt: skip
        people.append(Person(subject=f"p{number}", values=values))
        truth[f"p{number}"] = str(number)
        if number % 10 == 0:
            again = dict(values)
            match draw.randrange(4):
                case 0:
                    again["first_name"], again["surname"] = last, first
                case 1:
                    again["email"] = None
                case 2:
                    again["dob"] = str(values["dob"])[:-1] + "0"
                case _:
                    again["phone"], again["city"] = None, draw.choice(lasts[:200])
            people.append(Person(subject=f"p{number}-again", values=again))
            truth[f"p{number}-again"] = str(number)
    return people, truth


def _quality(scored: Scored, truth: Mapping[str, str]) -> tuple[float, float, float]:
    parents = {who: who for who in truth}

    def root(who: str) -> str:
        while parents[who] != who:
            who = parents[who] = parents[parents[who]]
        return who

    for one in scored.proposals:
        a, b = (root(member) for member in one.members)
        parents[max(a, b)] = min(a, b)
    clusters = {who: root(who) for who in truth}
    right = _pairs({who: (clusters[who], truth[who]) for who in truth})
    precision, recall = right / max(_pairs(clusters), 1), right / _pairs(truth)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


def _pairs(clusters: Mapping[str, object]) -> int:
    return sum(size * (size - 1) // 2 for size in Counter(clusters.values()).values())
