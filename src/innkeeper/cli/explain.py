"""`innkeeper explain profile ID --message NAME` and `innkeeper explain delivery ID`."""

from __future__ import annotations

from typing import Any

import click

from innkeeper.cli.main import Call
from innkeeper.cli.run import parse_time


@click.group()
def command() -> None:
    """Why, or why not."""


@command.command("profile")
@click.argument("id")
@click.option("--message", metavar="NAME", required=True, help="The message that is asked about.")
@click.option("--at", metavar="TIME", help="As the engine knew it then.")
@click.pass_obj
def profile(call: Call, id: str, message: str, at: str | None) -> None:
    """Why a customer got, gets or does not get a message: every gate with the facts it sees, and what was decided."""
    from innkeeper.runtime.explaining import why

    told = why(call.existing_home(), id, message, parse_time(at, option="--at"))

    def tell() -> None:
        click.echo(f"{told['id']} and '{message}' at {told['at']}: {_headline(told)}")
        click.echo(f"  {'once more: ' if told['deliveries'] else ''}{told['words']}")
        for gate in told["gates"]:
            facts = ", ".join(f"{name}={value}" for name, value in gate["facts"].items() if value is not None)
            until = f" until {gate['until']}" if gate["until"] else ""
            click.echo(
                f"  {gate['gate']:<12} {gate['outcome']}{until}  {gate['words']}" + (f"  ({facts})" if facts else "")
            )
        for journey in told["journeys"]:
            click.echo(f"  journey {journey['journey']}: {journey['words']}")
        for one in told["decisions"]:
            reason = f" by {one['gate']}: {one['reason']}" if one["gate"] else ""
            click.echo(f"  decided {one['at']}  {one['outcome']}{reason}")
        for one in told["skipped"]:
            key = f" for {one['key']}" if one["key"] else ""
            click.echo(
                f"  skipped {one['at']}  journey {one['journey']}{key}: by {one['date']} its time was {one['until']}"
            )
        for row in told["deliveries"]:
            click.echo(f"  delivery {row['id']}  planned {row['planned_at']}  {row['state']} {row['reason']}".rstrip())

    call.answer(told, tell)


def _headline(told: dict[str, Any]) -> str:
    """What became of the message, in one line: the newest delivery, else what would happen now."""
    if told["deliveries"]:
        newest = told["deliveries"][-1]
        return f"{newest['state']}; planned {newest['planned_at']} by {newest['journey']}"
    if told["allowed"]:
        coming = any(one["status"] in ("at_step", "on_the_way") for one in told["journeys"])
        return "would be planned" if coming else "nothing would send it"
    denied = next(gate for gate in told["gates"] if gate["gate"] == told["gate"])["outcome"] == "deny"
    return f"{'refused' if denied else 'put off'} by {told['gate']}: {told['reason']}"


@command.command("delivery")
@click.argument("id")
@click.pass_obj
def delivery(call: Call, id: str) -> None:
    """Why a message was sent, or what became of it: its candidate's decisions, and its fate in the ledger."""
    from innkeeper.runtime.explaining import why_delivery

    told = why_delivery(call.existing_home(), id)

    def tell() -> None:
        click.echo(f"{told['message']} to {told['user_id']} <{told['address']}>, planned {told['planned_at']}")
        click.echo(f"  {told['state']} {told['reason']} at {told['state_at']}, attempts: {told['attempts']}")
        click.echo(f"  journey {told['journey']} ({told['version']}), step {told['step']}, key {told['key']}")
        for one in told["decisions"]:
            reason = f" by {one['gate']}: {one['reason']}" if one["gate"] else ""
            click.echo(f"  decided {one['at']}  {one['outcome']}{reason}")

    call.answer(told, tell)
