"""`innkeeper ledger balance | list`: what was planned, and what became of it."""

from __future__ import annotations

import click

from innkeeper.cli.main import Call


@click.group()
def command() -> None:
    """Planned against all ends; the deliveries."""


@command.command("balance")
@click.pass_obj
def balance_(call: Call) -> None:
    """Planned = ends + open; the difference is zero, always."""
    from innkeeper.store.ledger import balance
    from innkeeper.store.state import State

    with State.open(call.existing_home(), readonly=True) as state:
        found = balance(state.connection)

    def tell() -> None:
        click.echo(f"{found['planned']:>10,}  planned")
        for name, count in [*found["ends"].items(), *found["open"].items()]:
            click.echo(f"{-count:>10,}  {name}")
        click.echo(f"{found['difference']:>10,}  difference")

    call.answer(found, tell)


@command.command("list")
@click.option("--message", metavar="NAME", help="Only this message.")
@click.pass_obj
def list_(call: Call, message: str | None) -> None:
    """The deliveries, oldest first."""
    from innkeeper.store.ledger import listing
    from innkeeper.store.state import State

    with State.open(call.existing_home(), readonly=True) as state:
        found = list(listing(state.connection, message))

    def tell() -> None:
        for one in found:
            key = f" [{one['key']}]" if one["key"] else ""
            reason = f" ({one['reason']})" if one["reason"] else ""
            click.echo(
                f"{one['planned_at']}  {one['user_id']}  {one['message']} by {one['journey']}{key}:"
                f" {one['state']}{reason}  {one['id']}"
            )
        if not found:
            click.echo("no deliveries" + (f" of the message '{message}'" if message else ""))

    call.answer({"deliveries": found}, tell)
