"""`innkeeper task list`: the work that journeys ask people to do."""

from __future__ import annotations

import click

from innkeeper.cli.main import Call


@click.group()
def command() -> None:
    """The list of work for people."""


@command.command("list")
@click.option("--queue", metavar="NAME", help="Only this queue.")
@click.pass_obj
def list_(call: Call, queue: str | None) -> None:
    """The tasks, oldest first."""
    from innkeeper.store.state import State
    from innkeeper.store.tasks import listing

    with State.open(call.existing_home(), readonly=True) as state:
        found = list(listing(state.connection, queue))

    def tell() -> None:
        for one in found:
            click.echo(f"{one['created_at']}  [{one['queue']}] {one['title']}  {one['user_id']} ({one['state']})")
            for line in one["body"].splitlines():
                click.echo(f"    {line}")
        if not found:
            click.echo("no tasks" + (f" in the queue '{queue}'" if queue else ""))

    call.answer({"tasks": found}, tell)
