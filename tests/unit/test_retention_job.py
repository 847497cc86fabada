"""The retention job where it refuses, keeps, or has little to do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from support.workspace import Workspace, event, message

from innkeeper.kernel.errors import OperationFailed, UsageError
from innkeeper.kernel.time import FixedClock, parse_instant
from innkeeper.runtime.audience import Audiences
from innkeeper.runtime.checkpoint import checkpoints
from innkeeper.runtime.retention import retain, survey
from innkeeper.runtime.retention_report import Line, Report
from innkeeper.store.bulk import Bulk

PURPOSES = "purposes:\n  offers: {kind: marketing, basis: legitimate_interest}\n"
RETENTION = "retention:\n  events: {default: 30 days}\n  ledger: 30 days\n  decisions: 30 days\n  logs: 30 days\n"
BIG = 99 * 10**28


def shop(folder: Path, **files: str) -> Workspace:
    workspace = Workspace(folder / "home")
    workspace.apply({"policies.yaml": PURPOSES + RETENTION, **files})
    return workspace


def lines(report: Report) -> dict[str, Line]:
    return {line.what: line for line in report.lines}


def inputs(workspace: Workspace) -> list[Any]:
    with Bulk.open(workspace.home) as bulk:
        return [name for (name,) in bulk.rows("SELECT message_id FROM events WHERE is_input ORDER BY ts")]


def test_without_a_strategy_or_a_run_it_refuses(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home")
    workspace.add(event("Login", "u1", "2026-01-01T00:00:00Z"))
    with pytest.raises(UsageError, match="no state yet"):
        survey(workspace.home)
    workspace.apply({"policies.yaml": PURPOSES + RETENTION})
    with pytest.raises(UsageError, match="has not run yet"):
        survey(workspace.home)


def test_without_a_declaration_nothing_is_due(tmp_path: Path) -> None:
    workspace = shop(tmp_path, **{"policies.yaml": PURPOSES})
    workspace.add(event("Login", "u1", "2026-01-01T00:00:00Z"))
    workspace.run("2030-01-01T00:00:00Z")
    report = retain(workspace.home)
    assert (report.declared, report.goes, checkpoints(workspace.home)) == (False, 0, [])
    assert "no retention is declared" in workspace.shell("retention").stdout


def test_what_is_due_to_the_microsecond(tmp_path: Path) -> None:
    workspace = shop(tmp_path)
    workspace.add(
        event("Login", "u1", "2026-01-01T00:00:00Z", id="due"),
        event("Login", "u1", "2026-01-01T00:00:00.000001Z", id="young"),
        event("Login", "u1", "2026-01-02T00:00:00Z", id="younger"),
    )
    workspace.run("2026-01-31T00:00:00Z")
    assert retain(workspace.home).goes == 1
    assert inputs(workspace) == ["young", "younger"]


def test_what_was_not_taken_does_not_go(tmp_path: Path) -> None:
    workspace = shop(tmp_path)
    workspace.add(event("Login", "u1", "2026-01-01T00:00:00Z", id="taken"))
    workspace.run("2026-06-01T00:00:00Z")
    workspace.add(event("Login", "u2", "2026-01-01T00:00:00Z", id="late"), event("Login", "u3", "2026-05-31T00:00:00Z"))
    assert retain(workspace.home).goes == 1
    assert inputs(workspace)[0] == "late"
    workspace.run("2026-06-01T00:00:00Z")
    assert retain(workspace.home).goes == 1
    audiences = Audiences(workspace.home)
    assert audiences.ids(audiences.understand("id.user_id is present"), None) == ["u1", "u2", "u3"]


def test_a_sum_that_cannot_be_carried_keeps_everything(tmp_path: Path) -> None:
    workspace = shop(tmp_path, **{"audiences/rich.yaml": "when: sum('Order Completed', total) > 5\n"})
    workspace.add(*(event("Order Completed", "u1", f"2026-01-{day:02d}T00:00:00Z", total=BIG) for day in range(1, 29)))
    workspace.add(event("Order Completed", "u1", "2026-05-30T00:00:00Z", total=1))
    workspace.run("2026-06-01T00:00:00Z")
    before = inputs(workspace)
    with pytest.raises(OperationFailed, match="too large to be carried"):
        retain(workspace.home)
    assert inputs(workspace) == before


def test_an_earlier_version_of_a_journey_keeps_what_it_reads(tmp_path: Path) -> None:
    journey = (
        "journey: wait\nenter: {event: Booking}\npurpose: offers\n"
        "when: not did('Login', within => 'DAYS days')\nsteps: [{wait: 300 days}, {send: hello}]\n"
    )
    files = {"messages/hello.md": message(), "channels.yaml": "email: {provider: file, from: a@example.com}\n"}
    workspace = shop(tmp_path, **files, **{
        "policies.yaml": PURPOSES + RETENTION.replace("30 days}", "90 days}"),
        "journeys/wait.yaml": journey.replace("DAYS", "80"),
    })  # fmt: skip
    workspace.add(
        event("Booking", "u1", "2026-01-01T00:00:00Z", booking_id="b"),
        event("Login", "u2", "2026-01-05T00:00:00Z"),
        event("Login", "u2", "2026-03-01T00:00:00Z"),
    )
    workspace.run("2026-03-01T00:00:00Z")
    workspace.apply(
        {"policies.yaml": PURPOSES + RETENTION, **files, "journeys/wait.yaml": journey.replace("DAYS", "20")}
    )
    workspace.run("2026-03-02T00:00:00Z")
    kept = lines(retain(workspace.home))["Login"].kept
    assert list(kept.values()) == [1]
    assert "the journey 'wait' reads it over 80 days in its earlier version" in next(iter(kept))


def test_files_of_refused_lines_go_by_the_machines_clock(tmp_path: Path) -> None:
    workspace = shop(tmp_path)
    workspace.add(event("Login", "u1", "2026-01-01T00:00:00Z"))
    workspace.run("2026-01-02T00:00:00Z")
    folder = workspace.home / "rejects"
    folder.mkdir()
    now = parse_instant("2026-11-24T00:00:00Z")
    for name, days in (("old.jsonl", 31), ("young.jsonl", 29)):
        (folder / name).write_text("{}\n")
        os.utime(folder / name, (now / 1e6 - days * 86_400,) * 2)
    dry = survey(workspace.home, clock=FixedClock(now))
    assert (lines(dry)["files of refused lines"].goes, len(list(folder.iterdir()))) == (1, 2)
    retain(workspace.home, clock=FixedClock(now))
    assert [path.name for path in folder.iterdir()] == ["young.jsonl"]


def test_a_checkpoint_lasts_until_something_behind_it_goes(tmp_path: Path) -> None:
    workspace = shop(tmp_path)
    workspace.add(*(event("Login", "u1", f"2026-0{month}-01T00:00:00Z") for month in range(1, 9)))
    clocks = []
    for until in ("2026-03-10T00:00:00Z", "2026-04-02T00:00:00Z", "2026-05-02T00:00:00Z", "2026-06-15T00:00:00Z"):
        workspace.run(until)
        retain(workspace.home)
        clocks.append([checkpoint.clock for checkpoint in checkpoints(workspace.home)])
    instants = [[parse_instant(text) for text in texts] for texts in (
        ["2026-03-10T00:00:00Z"],
        # What goes on 2 April was taken before the first one, which is old by then.
        ["2026-03-10T00:00:00Z", "2026-04-02T00:00:00Z"],
        ["2026-04-02T00:00:00Z", "2026-05-02T00:00:00Z"],
        ["2026-05-02T00:00:00Z", "2026-06-15T00:00:00Z"],
    )]  # fmt: skip
    assert clocks == instants


def test_it_is_not_for_two_at_once(tmp_path: Path) -> None:
    from innkeeper.runtime.lock import hold

    workspace = shop(tmp_path)
    workspace.add(event("Login", "u1", "2026-01-01T00:00:00Z"))
    workspace.run("2026-06-01T00:00:00Z")
    with hold(workspace.home), pytest.raises(OperationFailed, match="in use by the process"):
        retain(workspace.home)
    assert workspace.shell("retention", "--yes", "--dry-run").returncode == 2
