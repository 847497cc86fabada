"""`innkeeper status`."""

from __future__ import annotations

from typing import Any

import click

from innkeeper.cli.main import Call
from innkeeper.kernel.time import SystemClock, format_instant


@click.command()
@click.pass_obj
def command(call: Call) -> None:
    """Counts by stage, journey and step, the lag of each part, and whether sending is armed."""
    told = look(call)

    def tell() -> None:
        click.echo(f"clock      {told['clock'] or 'not started: innkeeper run --until now'}")
        click.echo(f"profiles   {told['profiles']:,}")
        click.echo(f"events     {told['events']:,}")
        if told["retracted"]["retractions"]:
            gone = told["retracted"]
            click.echo(f"  retracted {gone['events']:,} events by {gone['retractions']:,} retractions")
        for stage, number in told["stages"].items():
            click.echo(f"  stage    {stage:<24} {number:>9,}")
        for journey, counts in told["journeys"].items():
            click.echo(f"  journey  {journey:<24} {counts['entered']:>9,} entered, {counts['active']:,} active")
        for parked in told["parked"]:
            click.echo(f"  parked   {parked['id']}: {parked['error']}")
        for reason, number in told["refused_links"].items():
            click.echo(f"  alert    {number:,} links refused ({reason}): innkeeper profile links ID")
        for source in sorted({each["source"] for each in told["reserved"]}):
            mine = [each for each in told["reserved"] if each["source"] == source]
            times = sum(each["count"] for each in mine)
            names = ", ".join(each["name"] for each in mine)
            click.echo(
                f"left out   {source} told reserved names {'once' if times == 1 else f'{times:,} times'}: {names}"
            )
        for one in told["subscriptions"]:
            failing = f", failing since {one['failing_since']}" if one["failing_since"] else ""
            click.echo(f"told       {one['subscription']}: {one['state']}, {one['waiting']:,} waiting{failing}")
        lag = told["lag"]
        click.echo(f"waiting    {lag['outbox']:,} outputs for the log, {lag['deliveries']:,} deliveries")
        click.echo(f"sending    {'armed' if told['armed'] else 'disarmed'}")

    call.answer(told, tell)


def look(call: Call) -> dict[str, Any]:
    """The JSON of `status`."""
    from innkeeper.kernel.ids import display_id
    from innkeeper.runtime.subscriptions import listing
    from innkeeper.store.identity import IdentityTables
    from innkeeper.store.log import Log
    from innkeeper.store.queries import journey_counts, reserved_counts, stage_counts
    from innkeeper.store.retractions import count_left_out
    from innkeeper.store.state import State

    home = call.existing_home()
    retractions, left_out = count_left_out(home)
    with Log.open(home, read_only=True) as log:
        events = log.count()
    with State.open(home, readonly=True) if State.exists(home) else State.in_memory() as state:
        clock = state.clock()
        parked = state.connection.execute("SELECT subject, error FROM parked ORDER BY subject").fetchall()
        waiting = state.connection.execute(
            "SELECT count(*) FROM deliveries WHERE state IN ('planned', 'claimed', 'committing')"
            " AND reason <> 'virtual'"
        ).fetchone()[0]
        return {
            "clock": None if clock is None else format_instant(clock),
            "profiles": state.count_subjects(),
            "events": events,
            "retracted": {"retractions": retractions, "events": left_out},
            "stages": stage_counts(state.connection),
            "journeys": journey_counts(state.connection),
            "lag": {
                "engine_seconds": None if clock is None else max(0, SystemClock().now() - clock) / 1_000_000,
                "outbox": state.outbox_size(),
                "deliveries": waiting,
            },
            "parked": [{"id": display_id(subject), "error": error} for subject, error in parked],
            "reserved": reserved_counts(state.connection),
            "refused_links": IdentityTables(state.connection).refused(),
            "subscriptions": [
                {key: one[key] for key in ("subscription", "state", "waiting", "given_up", "failing_since")}
                for one in listing(home)
            ],
            "armed": state.meta("armed") != "no",
        }
