"""`innkeeper item list | show | set`."""

from __future__ import annotations

from typing import Any

import click

from innkeeper.cli.main import Call
from innkeeper.cli.run import parse_time
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import format_instant


@click.group()
def command() -> None:
    """Items of catalogs: products, articles, videos, offers, places."""


@command.command("list")
@click.argument("catalog", required=False)
@click.pass_obj
def list_(call: Call, catalog: str | None) -> None:
    """The items of a catalog, or of all, as they are now."""
    from innkeeper.runtime.items import list_items

    found = list_items(call.existing_home(), catalog)

    def tell() -> None:
        for each in found:
            asked = f"  asked for: {each['wishes']}" if each["wishes"] else ""
            click.echo(f"{each['catalog']}  {each['id']}  {each.get('name', '')}{_stock(each)}{asked}".rstrip())
        if not found:
            click.echo("no items: write catalogs/NAME.yaml and apply it")

    call.answer({"items": found}, tell)


@command.command("show")
@click.argument("catalog")
@click.argument("item", metavar="ID")
@click.pass_obj
def show(call: Call, catalog: str, item: str) -> None:
    """One item: its values, what events have set, how many asked for it."""
    from innkeeper.cli.shown import shown
    from innkeeper.runtime.items import show_item

    found = show_item(call.existing_home(), catalog, item)

    def tell() -> None:
        said = {each["name"]: each for each in found["set_by_events"]}
        for name, value in found["item"].items():
            by = f"  (set by {said[name]['source']}, {said[name]['at']})" if name in said else ""
            click.echo(f"{name} = {shown(value)}{by}")
        for each in found["refused"]:
            told = f"{each['name']} is not {shown(each['value'])}, as {each['source']} said at {each['at']}"
            click.echo(f"{told}: it must be {each['must_be']}")
        click.echo(f"asked for by {found['wishes']:,}")

    call.answer(found, tell)


@command.command("set")
@click.argument("catalog")
@click.argument("item", metavar="ID")
@click.argument("values", nargs=-1, required=True, metavar="NAME=VALUE...")
@click.option("--by", default="staff", show_default=True, help="The user id under which it is said.")
@click.option("--at", metavar="TIME", help="When it happened; default now.")
@click.option("--new", is_flag=True, help="It may be an item that nobody has heard of.")
@click.pass_obj
def set_(call: Call, catalog: str, item: str, values: tuple[str, ...], by: str, at: str | None, new: bool) -> None:
    """Set values of an item, as an event does: stock=0 price=9.5; null gives the file its say again."""
    from innkeeper.cli.served import ask
    from innkeeper.runtime.audit import by_command
    from innkeeper.runtime.items import set_item, value_of

    given: dict[str, Any] = {}
    for each in values:
        name, sign, value = each.partition("=")
        if not sign or not name:
            raise UsageError(f"'{each}' sets nothing", code="bad-value", fix="write NAME=VALUE, such as stock=0")
        given[name] = value_of(value)
    home, moment = call.existing_home(), parse_time(at, option="--at")
    asked = {"set": given, "by": by, "at": None if moment is None else format_instant(moment), "new": new}
    done = ask(home, "POST", ("items", catalog, item), asked)
    if done is None:
        with by_command(home, "set", "item", f"{catalog} {item}"):
            done = set_item(home, catalog, item, given, by=by, at=moment, new=new)
    call.answer(done, lambda: click.echo(f"{catalog} {item}: {_told(done['set'])}; the next run takes it"))


def _told(said: dict[str, Any]) -> str:
    from innkeeper.cli.shown import shown

    return ", ".join(f"{name} = {shown(value)}" for name, value in said.items())


def _stock(item: dict[str, Any]) -> str:
    return f"  stock {item['stock']}" if "stock" in item else ""
