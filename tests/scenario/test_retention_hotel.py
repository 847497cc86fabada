"""A year of the hotel with retention in the middle of it, beside the same year without: the engine says the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conftest import ROOT
from scenario.test_examples_played import live_answers
from support.workspace import Workspace

from innkeeper.kernel.time import parse_instant
from innkeeper.profiles.portrait import portrait
from innkeeper.runtime import definitions, harbour_house
from innkeeper.runtime.audience import Audiences
from innkeeper.runtime.imports import Order, import_file
from innkeeper.runtime.past import known
from innkeeper.runtime.replay import replay
from innkeeper.runtime.retention import retain
from innkeeper.runtime.stages import count_stages
from innkeeper.store.bulk import Bulk
from innkeeper.store.doctor import examine
from innkeeper.store.state import State
from innkeeper.strategy.folder import read_folder

END = "2026-11-22T00:00:00Z"
RETENTION = """
retention:
  events:
    { default: 6 months, Page Viewed: 90 days, Screen Viewed: 90 days, Booking Confirmed: 1 year, Checked Out: 1 year,
      Referral Made: 1 year, Review Published: 1 year, Spa Visited: 1 year, Booking Cancelled: 1 year }
  ledger: 6 months
  decisions: 90 days
  consent: keep
"""


def hotel(home: Path) -> Workspace:
    workspace = Workspace(home)
    file = home / "guests.jsonl"
    harbour_house.write_jsonl(file, 11, 90, parse_instant(END))
    import_file(home, Order(file=file), progress=lambda done, total: None)
    files = read_folder(ROOT / "examples" / "harbour-house")
    policies = files["policies.yaml"].partition("\nretention:")[0] + RETENTION
    with State.open(home, create=True) as state:
        definitions.apply(state, {**files, "policies.yaml": policies}, parse_instant(END))
    return workspace


def said(home: Path, since: str) -> list[Any]:
    """What the engine has said since an instant."""
    with Bulk.open(home) as bulk:
        return bulk.rows(
            "SELECT message_id, name, properties, traits FROM events WHERE source = 'innkeeper' AND ts > ?"
            " AND name <> 'Facts Carried' ORDER BY message_id",
            [parse_instant(since)],
        )


def bulk_answers(home: Path) -> tuple[dict[str, set[str]], dict[str, int]]:
    audiences = Audiences(home)
    members = {}
    for name in audiences.definitions.audiences:
        asked = audiences.understand(f"in_audience('{name}')")
        assert audiences.gone(asked, None) == ()
        found = set(audiences.ids(asked, None))
        if found:
            members[name] = found
    counted = count_stages(home, None)[1]
    return members, {name: number for name, number in counted.items() if number}


def test_the_year_goes_on_as_if_nothing_had_gone(tmp_path: Path) -> None:
    whole, thinned = hotel(tmp_path / "whole"), hotel(tmp_path / "thinned")
    for workspace in (whole, thinned):
        workspace.run("2026-08-01T00:00:00Z")
    for until in ("2026-09-15T00:00:00Z", END):
        before = bulk_answers(thinned.home)
        report = retain(thinned.home)
        lines = {line.what: line for line in report.lines}
        assert report.goes > 500
        assert lines["Page Viewed"].goes > 0
        assert lines["Checked Out"].goes == 0
        assert lines["deliveries"].goes > 0
        assert lines["decision records"].goes > 0
        assert bulk_answers(thinned.home) == before == live_answers(thinned.home)
        assert replay(thinned.home).different == 0
        since = "2026-08-01T00:00:00Z" if until != END else "2026-09-15T00:00:00Z"
        for workspace in (whole, thinned):
            workspace.run(until)
        assert said(thinned.home, since) == said(whole.home, since)
        assert live_answers(thinned.home) == live_answers(whole.home) == bulk_answers(thinned.home)
        assert thinned.cli("ledger", "balance") == whole.cli("ledger", "balance")
    assert replay(thinned.home).different == 0
    _knows_the_same_of_then(whole.home, thinned.home)
    assert examine(thinned.home) == []
    with Bulk.open(whole.home) as all_of_it, Bulk.open(thinned.home) as rest:
        counts = [bulk.rows("SELECT count(*) FROM events WHERE is_input")[0][0] for bulk in (all_of_it, rest)]
    assert counts[1] < counts[0] - 1_000


def _knows_the_same_of_then(whole: Path, thinned: Path) -> None:
    """What was known of guests at instants behind a checkpoint."""
    with State.open(thinned, readonly=True) as state:
        subjects = [subject for page in state.pages() for subject, _ in page][::12]
    assert len(subjects) > 5
    for at in ("2026-10-01T00:00:00Z", "2026-11-10T12:00:00Z"):
        instant = parse_instant(at)
        for subject in subjects:
            one, world, _ = known(whole, subject, instant)
            other, _, _ = known(thinned, subject, instant)
            assert (one is None) == (other is None)
            if one is not None and other is not None:
                assert portrait(other, world.profiles.zone, instant) == portrait(one, world.profiles.zone, instant)
