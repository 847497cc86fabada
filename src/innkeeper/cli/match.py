"""`innkeeper match`: profiles that may be one person, or one home. The work is `runtime/matching.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from innkeeper.cli.main import Call

if TYPE_CHECKING:
    from innkeeper.runtime.matching import Kind

_STATES = click.Choice(["open", "accepted", "rejected", "all"])
_KINDS = click.Choice(["person", "household", "all"])


@click.group()
def command() -> None:
    """Propose, list, accept and reject profiles that may be one."""


@command.command()
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    metavar="P",
    help="From which probability on. [default: the strategy's]",
)
@click.option("--fields", metavar="A,B:KIND", help="Compare only these; a trait that is not declared has a kind.")
@click.option("--kind", type=_KINDS, default="all", show_default=True, help="Persons, homes, or what is declared.")
@click.pass_obj
def propose(call: Call, threshold: float | None, fields: str | None, kind: Kind) -> None:
    """Find pairs that may be one person, and addresses that may be one home.

    Nobody is joined by it. What is open is made anew; what was accepted or rejected stays decided.
    """
    from innkeeper.cli.served import ask
    from innkeeper.identity.read_matching import parse_fields
    from innkeeper.runtime import matching
    from innkeeper.runtime.audit import by_command
    from innkeeper.runtime.definitions import workspace_of

    home = call.existing_home()
    named = [one.strip() for one in fields.split(",")] if fields else []
    told = ask(home, "POST", ("matches", "propose"), {"fields": named, "threshold": threshold, "kind": kind})
    if told is None:
        chosen = parse_fields(named, workspace_of(home).matching) if named else None
        with by_command(home, "propose", "match", kind):
            told = matching.propose(home, fields=chosen, threshold=threshold, kind=kind).as_dict()
    call.answer(told, lambda: _tell_report(told))


def _tell_report(told: dict[str, Any]) -> None:
    click.echo(
        f"{told['profiles']:,} profiles, {told['compared']:,} pairs compared:"
        f" {told['proposed']:,} proposed, {told['new']:,} of them new"
    )
    if told["decided"]:
        click.echo(f"{told['decided']:,} more were accepted or rejected before")
    if told["compared"] and not told["trained_on"]:
        click.echo("fewer than 100 profiles: nothing was learned, probabilities are careful guesses, look at each")
    if told["homes"] or told["too_large"]:
        click.echo(f"{told['homes']:,} homes proposed, {told['new_homes']:,} of them new")
    if told["too_large"]:
        click.echo(f"{told['too_large']:,} addresses where too many live to be a home")


@command.command("list")
@click.option("--state", type=_STATES, default="open", show_default=True)
@click.option("--kind", type=_KINDS, default="all", show_default=True)
@click.option("--above", type=float, metavar="P", help="Only pairs at or above this probability.")
@click.pass_obj
def list_(call: Call, state: str, kind: str, above: float | None) -> None:
    """The proposals, the most probable first."""
    from innkeeper.store.proposals import listing
    from innkeeper.store.state import State

    with State.open(call.existing_home(), readonly=True) as opened:
        found = listing(
            opened.connection,
            state=None if state == "all" else state,
            kind=None if kind == "all" else kind,
            above=above,
        )

    def tell() -> None:
        for one in found:
            click.echo(_line(one))
        if not found:
            click.echo("no proposals" + ("" if state == "all" else f" that are {state}"))

    call.answer({"proposals": found}, tell)


def _line(one: dict[str, Any]) -> str:
    from innkeeper.kernel.ids import display_id

    who = " = ".join(display_id(member) for member in one["members"])
    if one["kind"] == "household":
        return f"{one['id']}  home    {who.replace(' = ', ', ')}  ({one['state']})"
    return f"{one['id']}  {one['probability']:.4f}  {who}  ({one['state']})"


@command.command()
@click.argument("proposal", metavar="ID")
@click.pass_obj
def show(call: Call, proposal: str) -> None:
    """The evidence: what each comparison found, and what it weighs."""
    from innkeeper.store.proposals import one
    from innkeeper.store.state import State

    with State.open(call.existing_home(), readonly=True) as opened:
        found = one(opened.connection, proposal)

    def tell() -> None:
        click.echo(_line(found))
        for each in found["evidence"]:
            weight = "" if found["kind"] == "household" else f"{each['weight']:+7.2f}  "
            click.echo(f"  {weight}{each['field']}: {each['found']}")
        if found["weight"] is not None:
            click.echo(f"  {found['weight']:+7.2f}  in all, with what was expected before looking (bits)")

    call.answer(found, tell)


@command.command()
@click.argument("proposals", metavar="ID...", nargs=-1)
@click.option("--above", type=float, metavar="P", help="Every open pair at or above this probability.")
@click.option("--homes", is_flag=True, help="Every open home.")
@click.pass_obj
def accept(call: Call, proposals: tuple[str, ...], above: float | None, homes: bool) -> None:
    """Join what was proposed: an ordinary link, that can be taken back."""
    from innkeeper.cli.served import ask
    from innkeeper.runtime import matching
    from innkeeper.runtime.audit import by_command

    if not proposals and above is None and not homes:
        raise click.UsageError("name proposals by their ids, or --above P, or --homes")
    home, asked = call.existing_home(), {"ids": list(proposals), "above": above, "homes": homes}
    told = ask(home, "POST", ("matches", "accept"), asked)
    if told is None:
        with by_command(home, "accept", "match", " ".join(proposals)):
            told = {"accepted": [one["id"] for one in matching.accept(home, proposals, above=above, homes=homes)]}
    call.answer(told, lambda: click.echo(f"{len(told['accepted']):,} accepted; the next run joins them"))


@command.command()
@click.argument("proposals", metavar="ID...", nargs=-1, required=True)
@click.pass_obj
def reject(call: Call, proposals: tuple[str, ...]) -> None:
    """Say that they are not one; they are not proposed again."""
    from innkeeper.cli.served import ask
    from innkeeper.runtime import matching
    from innkeeper.runtime.audit import by_command

    home = call.existing_home()
    told = ask(home, "POST", ("matches", "reject"), {"ids": list(proposals)})
    if told is None:
        with by_command(home, "reject", "match", " ".join(proposals)):
            told = {"rejected": [one["id"] for one in matching.reject(home, proposals)]}
    call.answer(told, lambda: click.echo(f"{len(told['rejected']):,} rejected; they are not proposed again"))
