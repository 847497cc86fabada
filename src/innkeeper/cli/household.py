"""`innkeeper household`: who lives together, the answer that a home waits for. The work: `runtime/households.py`."""

from __future__ import annotations

from typing import Any

import click

from innkeeper.cli.main import Call


@click.group()
def command() -> None:
    """Who lives together; the question after a death."""


@command.command("list")
@click.pass_obj
def list_(call: Call) -> None:
    """Every household with its members."""
    from innkeeper.runtime.households import listing
    from innkeeper.store.state import State

    with State.open(call.existing_home(), readonly=True) as state:
        found = listing(state)

    def tell() -> None:
        for one in found:
            click.echo(_line(one))
        if not found:
            click.echo("no households")

    call.answer({"households": found}, tell)


def _line(one: dict[str, Any]) -> str:
    died = f"  died: {', '.join(one['deceased'])}" if one["deceased"] else ""
    asked = f"  {len(one['held'])} held: may we write to the home?" if one["held"] else ""
    answer = f"  answer: {one['answer']}" if one["answer"] else ""
    return f"{one['household']}  {', '.join(one['members'])}{died}{answer}{asked}"


@command.command()
@click.argument("household")
@click.pass_obj
def show(call: Call, household: str) -> None:
    """One household: members, deaths, and what waits for an answer."""
    from innkeeper.runtime import households
    from innkeeper.store.state import State

    with State.open(call.existing_home(), readonly=True) as state:
        found = households.show(state, household)

    def tell() -> None:
        click.echo(_line(found))
        for row in found["held"]:
            click.echo(f"  {row['message']} to {row['user_id']} until {row['expires_at']}  {row['id']}")

    call.answer(found, tell)


@command.command()
@click.argument("id")
@click.argument("household")
@click.pass_obj
def join(call: Call, id: str, household: str) -> None:
    """Say that somebody lives in a household."""
    from innkeeper.cli.served import ask
    from innkeeper.runtime import households
    from innkeeper.runtime.audit import by_command

    home = call.existing_home()
    told = ask(home, "POST", ("households", "join"), {"id": id, "household": household})
    if told is None:
        with by_command(home, "join", "household", id):
            told = {"joined": households.join(home, id, household), "household": household}
    call.answer(told, lambda: click.echo(f"{id} joins {household} with the next run"))


@command.command()
@click.argument("id")
@click.argument("household", required=False)
@click.pass_obj
def leave(call: Call, id: str, household: str | None) -> None:
    """Say that somebody has left a household; without a name, whichever it was."""
    from innkeeper.cli.served import ask
    from innkeeper.runtime import households
    from innkeeper.runtime.audit import by_command

    home, what = call.existing_home(), household or "the household"
    told = ask(home, "POST", ("households", "leave"), {"id": id, "household": household})
    if told is None:
        with by_command(home, "leave", "household", id):
            told = {"left": households.leave(home, id, household), "household": household}
    call.answer(told, lambda: click.echo(f"{id} leaves {what} with the next run"))


@command.command()
@click.argument("household")
@click.option("--yes/--no", "allowed", default=None, help="Whether the home may be written to.")
@click.pass_obj
def release(call: Call, household: str, allowed: bool | None) -> None:
    """Answer: may a home where somebody has died be written to? Yes lets go what was held, no cancels it."""
    from innkeeper.cli.served import ask
    from innkeeper.runtime import households
    from innkeeper.runtime.audit import by_command

    if allowed is None:
        raise click.UsageError("answer with --yes or --no")
    home = call.existing_home()
    if ask(home, "POST", ("households", household, "answer"), {"allowed": allowed}) is None:
        with by_command(home, "release", "household", household):
            households.release(home, household, allowed=allowed)
    done = "what was held goes out" if allowed else "what was held is cancelled"
    call.answer(
        {"household": household, "answer": "yes" if allowed else "no"},
        lambda: click.echo(f"answered {'yes' if allowed else 'no'}: with the next run {done}"),
    )
