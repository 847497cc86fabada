"""`innkeeper account list | show`."""

from __future__ import annotations

from typing import Any

import click

from innkeeper.cli.main import Call


@click.group()
def command() -> None:
    """Accounts: companies and other groups of customers."""


@command.command("list")
@click.pass_obj
def list_(call: Call) -> None:
    """All accounts, how many members they have and the audiences they are in."""
    from innkeeper.runtime.accounts import list_accounts

    found = list_accounts(call.existing_home())

    def tell() -> None:
        for each in found:
            click.echo(f"{each['id']}  {_members(each)}  {', '.join(each['audiences'])}".rstrip())
        if not found:
            click.echo("no accounts yet: they come with group events, once strategy.yaml declares accounts")

    call.answer({"accounts": found}, tell)


@command.command("show")
@click.argument("account", metavar="ID")
@click.pass_obj
def show(call: Call, account: str) -> None:
    """One account: its traits, its members with their roles, its audiences."""
    from innkeeper.cli.shown import shown
    from innkeeper.runtime.accounts import show_account

    found = show_account(call.existing_home(), account)

    def tell() -> None:
        click.echo(f"{found['id']}  {_members({'members': len(found['members']), **_limit(found)})}")
        for trait in found["traits"]:
            click.echo(f"  {trait['name']} = {shown(trait['value'])}  ({trait['source']}, {trait['at']})")
        for audience in found["audiences"]:
            click.echo(f"  in '{audience['name']}' since {audience['since']}")
        for member in found["members"]:
            click.echo(f"  {member['role']}: {member['id']}, since {member['since']}")

    call.answer(found, tell)


def _limit(found: dict[str, Any]) -> dict[str, Any]:
    return {"too_many_members": found["too_many_members"]}


def _members(found: dict[str, Any]) -> str:
    number = found["members"]
    text = "1 member" if number == 1 else f"{number} members"
    return f"{text} (more than strategy.yaml allows for)" if found["too_many_members"] else text
