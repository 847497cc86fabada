"""How the demo is told: in the terminal, as one JSON document, and its progress while it plays."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import click

from innkeeper.kernel.time import Instant, format_instant
from innkeeper.measurement.overview import JourneyFigures, Overview, clock, reason_words

if TYPE_CHECKING:
    from innkeeper.runtime.demo import Played, Watcher

#: Lines of the story in the terminal; the page has them all.
_LINES = 70
_MARKS = {
    "guest": ("·", "green"),
    "house": (" ", None),
    "letter": ("✉", "blue"),
    "refused": ("×", "red"),
    "task": ("☐", "yellow"),
}


@contextmanager
def watching(stream: TextIO, end: Instant) -> Iterator[Watcher]:
    """Progress on a terminal; silence elsewhere."""
    from innkeeper.cli.progress import instants
    from innkeeper.runtime.demo import Watcher

    with instants(end, stream) as running:
        yield Watcher(importing=lambda done, size: None, running=running)


def as_dict(played: Played, *, seed: int, guests: int) -> dict[str, Any]:
    """The one JSON document of `demo --json`."""
    overview = played.overview
    balance, story = overview.balance, overview.story
    return {
        "home": str(played.home),
        "seed": seed,
        "guests": guests,
        "end": format_instant(overview.until),
        "events": played.imported.accepted,
        "run": played.report.as_dict(),
        "profiles": overview.profiles,
        "stages": _latest_stages(overview),
        "journeys": [
            {"journey": one.name, "entered": one.entered, "open": one.open, "outcomes": dict(one.outcomes),
             "deliveries": dict(one.deliveries), "refused": dict(one.refused), "tasks": one.tasks}
            for one in overview.journeys
        ],
        "refused": [
            {"outcome": one.outcome, "gate": one.gate, "reason": one.reason, "purpose": one.purpose,
             "messages": one.candidates}
            for one in overview.refusals
        ],
        "tasks": dict(overview.tasks),
        "balance": {"planned": balance.planned, "ends": dict(balance.ends), "open": dict(balance.open),
                    "difference": balance.difference},
        "story": None if story is None else {
            "id": story.id, "name": story.name,
            "lines": [{"at": format_instant(line.at), "voice": line.voice, "text": line.text, "detail": line.detail}
                      for line in story.lines],
        },
        "mail": str(played.mail),
        "page": str(played.page),
    }  # fmt: skip


def tell(played: Played, *, guests: int) -> None:
    """Tell it to a person."""
    overview = played.overview
    since, until = clock(overview.since, overview.zone), clock(overview.until, overview.zone)
    click.secho(f"\n{overview.workspace}", bold=True)
    click.echo(f"{since} to {until}: {overview.events:,} events of {guests:,} guests")
    if overview.profiles > guests:
        click.echo(f"They make {overview.profiles:,} profiles: a device nobody signs in on has one of its own.")
    _stages(overview)
    _journeys(overview.journeys)
    _refusals(overview)
    _balance(overview)
    _story(overview)
    click.echo(f"\nmails    {played.mail}  (a Maildir: any mail program opens it)")
    click.echo(f"page     {played.page}")
    click.echo(f"ask it   {_program()} --home {played.home} decision list --message river-suite")


def _program() -> str:
    """How the reader calls this program: by its name where that is found, else as it was called."""
    return "innkeeper" if shutil.which("innkeeper") else sys.argv[0]


def _latest_stages(overview: Overview) -> dict[str, int]:
    latest = overview.stage_counts[-1].counts if overview.stage_counts else {}
    return {name or "none": latest.get(name, 0) for name in (*overview.stages, "") if name or latest.get("")}


def _title(text: str) -> None:
    click.echo()
    click.secho(text, bold=True)


def _stages(overview: Overview) -> None:
    counts = _latest_stages(overview)
    _title("Profiles per stage")
    largest = max(counts.values(), default=1) or 1
    for name, count in reversed(counts.items()):
        bar = "█" * (count * 40 // largest) or ("▏" if count else "")
        click.echo(f"  {name:<14}{count:>7,}  {click.style(bar, fg='blue')}")


def _journeys(journeys: Sequence[JourneyFigures]) -> None:
    _title("What each journey did")
    head = ("entered", "goal", "finished", "exited", "open", "sent", "refused", "tasks")
    click.secho(f"  {'':<22}" + "".join(f"{name:>10}" for name in head), dim=True)
    for one in journeys:
        outcomes: Mapping[str, int] = one.outcomes
        figures = (
            one.entered, outcomes.get("goal", 0), outcomes.get("finished", 0) + outcomes.get("stopped", 0),
            outcomes.get("exit", 0) + outcomes.get("left", 0), one.open, one.deliveries.get("accepted", 0),
            sum(one.refused.values()), one.tasks,
        )  # fmt: skip
        click.echo(f"  {one.name:<22}" + "".join(f"{figure:>10,}" for figure in figures))


def _refusals(overview: Overview) -> None:
    _title("What was not sent, and why")
    for outcome, words in (("deny", "refused"), ("defer", "put off")):
        for one in sorted(overview.refusals, key=lambda one: -one.candidates):
            if one.outcome == outcome:
                click.echo(f"  {one.candidates:>7,}  {words:<8} {one.purpose:<10} {reason_words(one.reason)}")


def _balance(overview: Overview) -> None:
    balance = overview.balance
    _title("The ledger")
    parts = [f"{count:,} {state}" for state, count in sorted({**balance.ends, **balance.open}.items()) if count]
    click.echo(f"  {balance.planned:,} planned = {' + '.join(parts) or '0'}; difference {balance.difference}")


def _story(overview: Overview) -> None:
    story = overview.story
    if story is None:
        return
    _title(f"The story of {story.name or story.id} ({story.id})")
    for line in story.lines[:_LINES]:
        mark, colour = _MARKS[line.voice]
        text = click.style(line.text, fg=colour) if colour else click.style(line.text, dim=True)
        detail = click.style(f"  {line.detail}", dim=True) if line.detail else ""
        click.echo(f"  {clock(line.at, overview.zone):>17}  {mark} {text}{detail}")
    if len(story.lines) > _LINES:
        click.echo(f"  … and {len(story.lines) - _LINES} more lines on the page")
