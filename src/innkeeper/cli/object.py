"""`innkeeper object`: bookings, orders and whatever else the strategy declares under `objects`."""

from __future__ import annotations

from typing import Any

import click

from innkeeper.cli.main import Call
from innkeeper.cli.run import parse_time
from innkeeper.kernel.time import format_instant


@click.group()
def command() -> None:
    """Objects of the declared types: bookings, orders, stays."""


@command.command("show")
@click.argument("type")
@click.argument("id")
@click.pass_obj
def show(call: Call, type: str, id: str) -> None:
    """Properties with where they come from, roles, dates in their zone, history of changes."""
    from innkeeper.cli.shown import changed, shown
    from innkeeper.runtime import objects

    told = objects.show(call.existing_home(), type, id)

    def tell() -> None:
        click.echo(
            f"{told['type']} {told['id']}  status: {told['status'] or 'none'}"
            + ("" if told["exists"] else "  (removed)")
        )
        for each in told["roles"]:
            click.echo(f"  role       {each['role']}: {each['holder']}  ({each['source']}, {each['at']})")
        for each in told["dates"]:
            click.echo(f"  date       {each['name']} {each['local']} {each['zone']}  ({each['at']})")
        for each in told["properties"]:
            click.echo(f"  property   {each['name']} = {shown(each['value'])}  ({each['source']}, {each['at']})")
        for entry in told["history"]:
            said = ", ".join(f"{one['field']}: {changed(one['from'], one['to'])}" for one in entry["changes"])
            click.echo(f"  history    {entry['at']}  {entry['event']}  {said}".rstrip())

    call.answer(told, tell)


@command.command("list")
@click.argument("type", required=False)
@click.option("--status", default=None, help="Only those with this status.")
@click.pass_obj
def list_objects(call: Call, type: str | None, status: str | None) -> None:
    """List the objects of a type, in the order of their ids; without a type, the types."""
    from innkeeper.runtime import objects

    if type is None:
        _list_types(call, objects.list_types(call.existing_home()))
        return
    found = [each for each in objects.list_of(call.existing_home(), type) if status in (None, each["status"])]

    def tell() -> None:
        for each in found:
            dates = "  ".join(f"{name} {at}" for name, at in each["dates"].items())
            roles = ", ".join(f"{role} {holder}" for role, holder in each["roles"].items())
            click.echo(f"{each['id']:<16}  {each['status'] or 'none':<12}  {dates}  {roles}".rstrip())
        if not found:
            click.echo("there is none", err=True)

    call.answer({"objects": found}, tell)


def _list_types(call: Call, types: list[dict[str, Any]]) -> None:
    def tell() -> None:
        for each in types:
            parts = (f"{what} {', '.join(each[what])}" for what in ("roles", "dates") if each[what])
            click.echo(f"{each['type']:<16}  {'; '.join(parts)}".rstrip())
        if not types:
            click.echo("the strategy declares no objects", err=True)

    call.answer({"types": types}, tell)


@command.command("set")
@click.argument("type")
@click.argument("id")
@click.option("--status", default=None, help="The status it has from now on.")
@click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="A property; JSON, else text. null removes.")
@click.option("--role", "roles", multiple=True, metavar="ROLE=ID", help="Who has a role. null takes it away.")
@click.option("--at", metavar="TIME", help="When it happened. [default: now]")
@click.pass_obj
def set_object(
    call: Call, type: str, id: str, status: str | None, sets: tuple[str, ...], roles: tuple[str, ...], at: str | None
) -> None:
    """Change an object, or make one: writes the event 'Object Updated'."""
    from innkeeper.cli.served import ask
    from innkeeper.kernel.errors import UsageError
    from innkeeper.runtime import objects
    from innkeeper.runtime.audit import by_command

    if status is None and not sets and not roles:
        raise UsageError("nothing to set", code="nothing-to-set", fix="give --status, --set or --role")
    given = {name: _value(text) for name, text in (_pair(each, "--set") for each in sets)}
    held = {role: None if text == "null" else text for role, text in (_pair(each, "--role") for each in roles)}
    home, moment = call.existing_home(), parse_time(at, option="--at")
    asked = {"status": status, "set": given, "roles": held, "at": None if moment is None else format_instant(moment)}
    written = ask(home, "POST", ("objects", type, id), asked)
    if written is None:
        with by_command(home, "set", "object", f"{type} {id}"):
            written = objects.change(home, type, id, status=status, sets=given, roles=held, at=moment)
    call.answer(written, lambda: _tell(written))


@command.command("remove")
@click.argument("type")
@click.argument("id")
@click.option("--at", metavar="TIME", help="When it happened. [default: now]")
@click.pass_obj
def remove(call: Call, type: str, id: str, at: str | None) -> None:
    """Take an object away: writes the event 'Object Removed'."""
    from innkeeper.cli.served import ask
    from innkeeper.runtime import objects
    from innkeeper.runtime.audit import by_command

    home, moment = call.existing_home(), parse_time(at, option="--at")
    asked = {"at": None if moment is None else format_instant(moment)}
    written = ask(home, "POST", ("objects", type, id, "remove"), asked)
    if written is None:
        with by_command(home, "remove", "object", f"{type} {id}"):
            written = objects.change(home, type, id, remove=True, at=moment)
    call.answer(written, lambda: _tell(written))


def _tell(written: dict[str, Any]) -> None:
    click.echo(
        f"{written['event']} {written['timestamp']}: the engine takes it when it comes to that time (innkeeper run)"
    )


def _pair(text: str, option: str) -> tuple[str, str]:
    from innkeeper.kernel.errors import UsageError

    name, equals, value = text.partition("=")
    if not name or not equals:
        raise UsageError(f"'{text}' is not NAME=VALUE", code="bad-option", fix=f"write it like {option} room=204")
    return name, value


def _value(text: str) -> Any:
    """JSON where it is some, else the text: 3 is a number, 204a and 2026-06-01 are texts."""
    import msgspec

    from innkeeper.kernel.json import loads

    try:
        return loads(text)
    except msgspec.DecodeError:
        return text
