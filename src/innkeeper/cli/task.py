"""`innkeeper task`: the work that journeys ask people to do; who has it, and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from innkeeper.cli.main import Call


@click.group()
def command() -> None:
    """The list of work for people."""


@command.command("list")
@click.option("--queue", metavar="NAME", help="Only this queue.")
@click.option("--standing", type=click.Choice(("open", "claimed", "done", "closed")), help="Only those.")
@click.option("--assignee", metavar="NAME", help="Only what this colleague has.")
@click.option("--profile", metavar="ID", help="Only this customer's.")
@click.pass_obj
def list_(call: Call, queue: str | None, standing: str | None, assignee: str | None, profile: str | None) -> None:
    """The tasks, oldest first."""
    from innkeeper.runtime.tasks import listing

    found = listing(call.existing_home(), queue=queue, standing=standing, assignee=assignee, profile=profile)

    def tell() -> None:
        for one in found:
            whose = f", {one['assignee']}" if one["assignee"] else ""
            outcome = f": {one['outcome']}" if one["outcome"] else ""
            click.echo(
                f"{one['created_at']}  [{one['queue']}] {one['title']}  {one['user_id']}"
                f" ({one['state']}{whose}{outcome})  {one['id']}"
            )
            for line in one["body"].splitlines():
                click.echo(f"    {line}")
        if not found:
            click.echo("no tasks" + (f" in the queue '{queue}'" if queue else ""))

    call.answer({"tasks": found}, tell)


@command.command("claim")
@click.argument("id")
@click.option("--by", metavar="NAME", help="Who takes it. [default: local]")
@click.pass_obj
def claim(call: Call, id: str, by: str | None) -> None:
    """Take a task; refused where somebody else has it."""
    from innkeeper.kernel.time import SystemClock
    from innkeeper.runtime import tasks
    from innkeeper.runtime.access import LOCAL

    _answer(call, id, "claim", {"by": by}, lambda: tasks.claim(call.home, id, by or LOCAL, SystemClock()))


@command.command("assign")
@click.argument("id")
@click.argument("name", required=False)
@click.pass_obj
def assign(call: Call, id: str, name: str | None) -> None:
    """Give a task to NAME, or without one back to nobody, whoever has it."""
    from innkeeper.kernel.time import SystemClock
    from innkeeper.runtime import tasks

    _answer(call, id, "assign", {"to": name}, lambda: tasks.assign(call.home, id, name, SystemClock()))


@command.command("done")
@click.argument("id")
@click.option("--outcome", default="", metavar="WORD", help="How it ended, e.g. reached.")
@click.option("--note", default="", metavar="TEXT", help="What is worth knowing of it.")
@click.option("--by", metavar="NAME", help="Who did it. [default: local]")
@click.pass_obj
def done(call: Call, id: str, outcome: str, note: str, by: str | None) -> None:
    """Write down that a task is done; the customer's event Task Done is taken with the next run or up."""
    from innkeeper.kernel.time import SystemClock
    from innkeeper.runtime import tasks
    from innkeeper.runtime.access import LOCAL

    def work() -> dict[str, Any]:
        return tasks.finish(call.home, id, by or LOCAL, outcome=outcome, note=note, clock=SystemClock())

    _answer(call, id, "done", {"outcome": outcome, "note": note, "by": by}, work)


def _answer(call: Call, id: str, what: str, body: dict[str, Any], work: Callable[[], dict[str, Any]]) -> None:
    """What the API of a served home answers; where nobody serves it, the work itself."""
    from innkeeper.cli.served import ask
    from innkeeper.runtime.audit import by_command

    home = call.existing_home()
    found: dict[str, Any] | None = ask(home, "POST", ("tasks", id, what), body)
    if found is None:
        with by_command(home, what, "task", id):
            found = work()
    whose = f", {found['assignee']}" if found["assignee"] else ""
    line = f"{found['title']}  {found['user_id']} ({found['state']}{whose})"
    call.answer(found, lambda: click.echo(line))
