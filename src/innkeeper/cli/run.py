"""`innkeeper run`."""

from __future__ import annotations

import sys

import click

from innkeeper.cli.main import Call
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import Instant, SystemClock, format_instant, parse_instant


def parse_time(text: str | None, *, option: str) -> Instant | None:
    """The instant of a command line option: `now`, or ISO 8601 with a zone.

    Raises:
        UsageError: It is neither.
    """
    if text is None:
        return None
    if text == "now":
        return SystemClock().now()
    try:
        return parse_instant(text)
    except UsageError as error:
        raise UsageError(f"{option}: {error.message}", code=error.code, fix=f"{error.fix}, or: now") from error


@click.command()
@click.option("--from", "begin", metavar="TIME", help="Take everything up to TIME as history, unannounced.")
@click.option("--until", metavar="TIME", required=True, help="Where the clock stands afterwards: now, or ISO 8601.")
@click.option(
    "--deliver",
    type=click.Choice(["none", "file", "live"]),
    default="file",
    show_default=True,
    help="Plan only, put into a Maildir under the home, or send as the channels say.",
)
@click.option("--tick", type=click.IntRange(1, 100_000), default=2_000, hidden=True)
@click.pass_obj
def command(call: Call, begin: str | None, until: str, deliver: str, tick: int) -> None:
    """Advance the workspace to a time: every event and every timer up to it, each at its own instant."""
    from innkeeper.cli.progress import instants
    from innkeeper.cli.served import refuse
    from innkeeper.runtime.audit import by_command
    from innkeeper.runtime.run import Deliver, run

    choices: dict[str, Deliver] = {"none": "none", "file": "file", "live": "live"}
    goal = parse_time(until, option="--until")
    history = parse_time(begin, option="--from")
    refuse(
        call.home, "it runs by the wall clock, and takes every event and timer when its time has come",
        "stop it, run, and start it again; to look ahead, run a copy of the home: --home COPY",
    )  # fmt: skip
    with by_command(call.home, "run", "workspace", f"until {until}"), instants(goal, sys.stderr) as progress:
        report = run(
            call.home,
            until=goal,
            history_until=history,
            deliver=choices[deliver],
            tick_size=tick,
            progress=progress,
        )

    def tell() -> None:
        counts = report.counts
        ticks = "1 tick" if counts.ticks == 1 else f"{counts.ticks} ticks"
        click.echo(f"{format_instant(report.begin)} -> {format_instant(report.until)} in {ticks}")
        click.echo(f"  events taken      {counts.events:>9,}")
        click.echo(f"  audiences         {counts.entered:>9,} entered, {counts.left:,} left")
        click.echo(f"  enrollments       {counts.enrollments:>9,}")
        click.echo(f"  decisions         {counts.decisions:>9,}")
        click.echo(f"  deliveries        {counts.planned:>9,} planned, {counts.accepted:,} accepted")
        if counts.accepted and deliver == "file":
            click.echo(f"  the mails lie in  {call.home / 'mail'}")

    call.answer(report.as_dict(), tell)
