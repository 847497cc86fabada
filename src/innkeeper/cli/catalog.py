"""`innkeeper catalog`: which events, properties and traits arrive. The questions: `runtime/catalog.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from innkeeper.cli.main import Call
from innkeeper.kernel.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    pass


@click.group()
def command() -> None:
    """What arrives: names, volumes, types, sources, examples."""


@command.command("events")
@click.argument("name", required=False)
@click.pass_obj
def events(call: Call, name: str | None) -> None:
    """All events; of one, its properties."""
    from innkeeper.runtime.catalog import event_names, event_properties
    from innkeeper.runtime.definitions import workspace_of
    from innkeeper.store.bulk import Bulk

    home = call.existing_home()
    workspace = workspace_of(home)
    with Bulk.open(home) as bulk:
        if name is not None:
            one = event_properties(bulk, workspace, name)
            call.answer(one, lambda: _print([_head(one), *map(_told, one["properties"])]))
            return
        told = event_names(bulk, workspace)
    call.answer({"events": told}, lambda: _print(map(_head, told)))


@command.command("traits")
@click.argument("name", required=False)
@click.option("--of", type=click.Choice(["profile", "account"]), default="profile", help="Whose traits.")
@click.pass_obj
def traits(call: Call, name: str | None, of: str) -> None:
    """All traits, declared or not; with NAME one of them."""
    from innkeeper.runtime.catalog import account_traits
    from innkeeper.runtime.catalog import traits as of_profiles
    from innkeeper.runtime.definitions import workspace_of
    from innkeeper.store.bulk import Bulk
    from innkeeper.store.queries import reserved_counts
    from innkeeper.store.state import State

    home = call.existing_home()
    workspace = workspace_of(home)
    with Bulk.open(home) as bulk:
        told = of_profiles(bulk, workspace) if of == "profile" else account_traits(bulk, workspace)
    with State.open(home, readonly=True) if State.exists(home) else State.in_memory() as state:
        left_out = reserved_counts(state.connection) if of == "profile" else []
    if name is not None:
        names = [each["name"] for each in told]
        told = [each for each in told if each["name"] == name]
        if not told:
            fix = did_you_mean(name, names) or "see: innkeeper catalog traits"
            raise UsageError(f"no trait '{name}' has arrived", code="unknown-trait", fix=fix)
        left_out = []
    call.answer({"traits": told, "reserved": left_out}, lambda: _print([*map(_told, told), *map(_left_out, left_out)]))


def _print(lines: Any) -> None:
    for line in lines:
        click.echo(line)


def _head(one: dict[str, Any]) -> str:
    undeclared = "" if one["declared"] else "  not declared"
    return (
        f"{one['count']:>10,}  {one['name']:<28}  {one['first_at'][:10]} to {one['last_at'][:10]}"
        f"  {', '.join(one['sources'])}{undeclared}"
    )


def _told(one: dict[str, Any]) -> str:
    when = "never came"
    if one["count"]:
        when = f"{one['first_at'][:10]} to {one['last_at'][:10]}"
    elif one.get("gone_at"):
        when = "came, and has gone"
    return f"{one['count']:>10,}  {one['name']:<28}  {when}  {'; '.join(_remarks(one))}".rstrip()


def _remarks(one: dict[str, Any]) -> Iterator[str]:
    kinds = ", ".join(f"{name} {count:,}" for name, count in one["types"].items())
    if kinds:
        yield kinds
    if one["sources"]:
        yield ", ".join(one["sources"])
    if one.get("gone_at"):
        yield f"values went by its retention, last on {one['gone_at'][:10]}"
    if one.get("reserved"):
        yield "reserved: left out"
    elif not one["declared"]:
        yield "not declared"
    if one.get("conflicts"):
        wrong = "1 value is" if one["conflicts"] == 1 else f"{one['conflicts']:,} values are"
        yield f"declared as {one['type']}: {wrong} not"
    elif one["mixed"]:
        yield "mixed types"
    if one["sensitive"]:
        from innkeeper.runtime.catalog import WORDS

        yield f"looks like {WORDS[one['sensitive']]}"
    elif one["examples"]:
        yield "e.g. " + ", ".join(one["examples"])


def _left_out(one: dict[str, Any]) -> str:
    return f"{one['count']:>10,}  {one['name']:<28}  reserved, left out; told by {one['source']}"
