"""`innkeeper status`."""

from __future__ import annotations

import click

from innkeeper.cli.main import Call


@click.command()
@click.pass_obj
def command(call: Call) -> None:
    """Counts by stage, journey and step, the lag of each part, and whether sending is armed."""
    from innkeeper.runtime.status import look

    told = look(call.existing_home())

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
