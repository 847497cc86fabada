"""What the engine announces is what a question about the past answers: entered and left, to the microsecond.

Everybody here has a user id from the first event on: what profiles announce when they join or come apart follows rules
of its own, which are tested where profiles are.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from oracle.audience_cases import START, Dice

from innkeeper.kernel.ids import display_id
from innkeeper.kernel.time import DAY, format_instant
from innkeeper.runtime.audience import Audiences
from innkeeper.store.bulk import Bulk

AUDIENCES = (
    "count('Order Completed', within => '7 days') >= 2",
    "did('Login', within => '3 days') and not did('Order Completed', within => '2 days')",
    "days_since_last('Login') > 4.5",
    "did('Login', before => '6 days') or sum('Order Completed', n, within => '9 days') > 1",
    "did('Page Viewed', within => 'today')",
    "count('Login', within => '3 calendar days', before => 'today') = 1",
    "distinct('Page Viewed', total, within => '5 days') >= 2",
    "traits.vip or traits.score >= 2",
    "last('Login') < now() - '5 days' and first('Page Viewed') > '2026-03-01T00:00:00Z'",
    "avg('Order Completed', total, within => '12 days') >= 1 or max('Login', total) is missing",
    "now() > traits.seen_at",
    "stage = 'busy' and in_audience('a7')",
)
STAGES = "- stage: busy\n  when: count('Login', within => '10 days') >= 2\n- stage: calm\n  when: did('Login')\n"


def innkeeper(home: Path, *arguments: str) -> Any:
    """The JSON answer of a command."""
    done = subprocess.run(
        [sys.executable, "-m", "innkeeper", "--home", str(home), "--json", *arguments],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def write(folder: Path) -> None:
    """A strategy of these audiences, and a file of invented events."""
    for number, text in enumerate(AUDIENCES):
        path = folder / "strategy" / "audiences" / f"a{number}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"name: a{number}\nwhen: |\n  {text}\n")
    declared = "events: {Order Completed: [total, n], Login: [total], Page Viewed: [total]}"
    traits = "traits: [vip, score, seen_at]"
    (folder / "strategy" / "strategy.yaml").write_text(f"name: t\nzone: Europe/Lisbon\n{declared}\n{traits}\n")
    (folder / "strategy" / "stages.yaml").write_text(STAGES)
    with (folder / "events.jsonl").open("w") as file:
        for seed in range(12):
            for index, event in enumerate(Dice(seed).history(people=2, events=40)):
                line = {
                    "type": "track", "event": event.name, "userId": f"{seed}-{index % 2}",
                    "messageId": f"{seed}-{index}", "timestamp": format_instant(event.timestamp),
                    "properties": event.properties, "context": {"traits": event.traits},
                }  # fmt: skip
                file.write(json.dumps(line) + "\n")


def announced(home: Path) -> dict[str, list[tuple[int, str, bool]]]:
    """What the engine announced of each audience, without what cancels out within one instant."""
    changes: dict[tuple[str, int, str], int] = {}
    with Bulk.open(home) as bulk:
        for at, identifier, name, properties in bulk.rows(
            "SELECT ts, identifier, name, properties FROM events WHERE source = 'innkeeper' AND name LIKE 'Audience %'"
        ):
            key = (json.loads(properties)["audience"], at, display_id(identifier))
            changes[key] = changes.get(key, 0) + (1 if name == "Audience Entered" else -1)
    found: dict[str, list[tuple[int, str, bool]]] = {}
    for (audience, at, each), change in sorted(changes.items()):
        if change:
            found.setdefault(audience, []).append((at, each, change > 0))
    return found


def test_announcements_are_flips(tmp_path: Path) -> None:
    write(tmp_path)
    home, until = tmp_path / "home", START + 70 * DAY
    innkeeper(home, "import", str(tmp_path / "events.jsonl"))
    innkeeper(home, "apply", str(tmp_path / "strategy"), "--yes")
    innkeeper(home, "run", "--until", format_instant(until), "--deliver", "none")
    said, audiences = announced(home), Audiences(home)
    for number, text in enumerate(AUDIENCES):
        asked = audiences.understand(f"in_audience('a{number}')")
        flips = audiences.flips(asked, START - 365 * DAY, until)
        assert said.get(f"a{number}", []) == flips, text
        members = {each for at, each, member in flips if member} - {
            each for _, each, member in {each: (at, each, member) for at, each, member in flips}.values() if not member
        }
        assert audiences.ids(asked, until) == sorted(members), text
    assert sum(map(len, said.values())) > 300
