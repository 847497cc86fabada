"""`innkeeper decision list`."""

from __future__ import annotations

import click

from innkeeper.cli.main import Call
from innkeeper.cli.run import parse_time


@click.group()
def command() -> None:
    """What the gates answered, with the facts they saw."""


@command.command("list")
@click.option("--profile", "profile", metavar="ID", help="Only this customer's.")
@click.option("--message", metavar="NAME", help="Only about this message.")
@click.option("--at", metavar="TIME", help="As they stood then.")
@click.option("--limit", type=click.IntRange(1), default=1_000, show_default=True)
@click.pass_obj
def list_(call: Call, profile: str | None, message: str | None, at: str | None, limit: int) -> None:
    """Decisions, newest first."""
    from innkeeper.runtime.decided import decisions_then
    from innkeeper.runtime.lookup import subject_of
    from innkeeper.store.state import State

    home, instant = call.existing_home(), parse_time(at, option="--at")
    with State.open(home, readonly=True) as state:
        subject = None if profile is None else subject_of(state, profile)
        found = decisions_then(home, state, subject=subject, message=message, at=instant, limit=limit)

    def tell() -> None:
        for one in found:
            reason = f" by {one['gate']}: {one['reason']}" if one["gate"] else ""
            times = f" ({one['count']} times)" if one["count"] > 1 else ""
            click.echo(f"{one['at']}  {one['user_id']}  {one['message']}  {one['outcome']}{reason}{times}")
        if not found:
            click.echo("no decisions")

    call.answer({"decisions": found}, tell)
