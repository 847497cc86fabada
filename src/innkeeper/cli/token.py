"""`innkeeper token`: what opens the API for a program or a person. The work: `runtime/access.py`."""

from __future__ import annotations

from typing import Any

import click

from innkeeper.cli.main import Call


@click.group()
def command() -> None:
    """Tokens of the API: a user's, narrowed if need be."""


@command.command()
@click.argument("name")
@click.option("--user", required=True, metavar="NAME", help="Whose: it may do what they may.")
@click.option("--scope", "scopes", multiple=True, metavar="PERMISSION", help="Only this; may be repeated.")
@click.option("--lasts", metavar="DURATION", help="For so long, such as '90 days'; else until it is ended.")
@click.pass_obj
def add(call: Call, name: str, user: str, scopes: tuple[str, ...], lasts: str | None) -> None:
    """A new token, which is shown this once."""
    from innkeeper.kernel.time import SystemClock, parse_duration
    from innkeeper.runtime.access import add_token
    from innkeeper.runtime.audit import by_command
    from innkeeper.store.access import Access

    duration = None if lasts is None else parse_duration(lasts)
    with Access.open(call.existing_home()) as access, by_command(call.home, "add", "token", name):
        told = add_token(access, user, name, SystemClock(), scopes=scopes, lasts=duration)

    def tell() -> None:
        click.echo(f"{told['name']} ({told['user']})")
        click.echo(f"  token: {told['token']}")
        click.echo("  shown this once; it is kept only as a hash")

    call.answer(told, tell)


@command.command()
@click.argument("name")
@click.pass_obj
def end(call: Call, name: str) -> None:
    """End a token at once."""
    from innkeeper.kernel.time import SystemClock
    from innkeeper.runtime.access import end_token
    from innkeeper.runtime.audit import by_command
    from innkeeper.store.access import Access

    with Access.open(call.existing_home()) as access, by_command(call.home, "end", "token", name):
        told = end_token(access, name, SystemClock())
    call.answer(told, lambda: click.echo(f"{name} opens nothing any more"))


@command.command("list")
@click.pass_obj
def list_(call: Call) -> None:
    """Every token, without the tokens themselves."""
    from innkeeper.kernel.time import SystemClock
    from innkeeper.runtime.access import token_told
    from innkeeper.store.access import Access

    with Access.open(call.existing_home()) as access:
        found = [token_told(each, SystemClock().now()) for each in access.tokens()]

    def tell() -> None:
        for one in found:
            click.echo(_line(one))
        if not found:
            click.echo("no tokens yet: innkeeper token add NAME --user USER")

    call.answer({"tokens": found}, tell)


def _line(one: dict[str, Any]) -> str:
    state = "in force" if one["in_force"] else "ended"
    scopes = "" if one["scopes"] is None else f"  only {', '.join(one['scopes'])}"
    return f"{one['name']}  {one['hint']}  {one['user']}  {state}{scopes}"
