"""`innkeeper draft`: drafts of the strategy that somebody keeps in the workspace; looked at, and published."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from innkeeper.cli.main import Call
from innkeeper.cli.strategy_files import allow_unknown_option


@click.group()
def command() -> None:
    """Drafts of the strategy that are kept in the workspace."""


@command.command("list")
@click.pass_obj
def list_(call: Call) -> None:
    """Every draft, oldest first."""
    from innkeeper.runtime.drafts import listing

    found = listing(call.existing_home())

    def tell() -> None:
        for one in found:
            old = "" if one["state"] == "published" or one["base"] == one["in_force"] else ", over an earlier strategy"
            click.echo(f"{one['draft']}  {one['changed_at']}  {one['author']}  {one['title']} ({one['state']}{old})")
        if not found:
            click.echo("no drafts")

    call.answer({"drafts": found}, tell)


@command.command("show")
@click.argument("id")
@click.pass_obj
def show(call: Call, id: str) -> None:
    """One draft with its files."""
    from innkeeper.runtime.drafts import look

    told = look(call.existing_home(), id).as_dict()

    def tell() -> None:
        click.echo(f"{told['title'] or id}: by {told['author']}, {told['state']}, over strategy {told['base']}")
        for path in told["conflicts"]:
            click.echo(f"  conflict: {path} was applied otherwise since")
        for path, text in told["files"].items():
            click.echo(f"--- {path}" + (" goes" if text is None else ""))
            click.echo(text or "", nl=False)

    call.answer(told, tell)


@command.command("plan")
@click.argument("id")
@allow_unknown_option
@click.pass_obj
def plan(call: Call, id: str, allow_unknown: bool) -> None:
    """What publishing a draft would change; changes nothing."""
    from innkeeper.cli import strategy_files
    from innkeeper.runtime import drafts

    home = call.existing_home()
    seen = drafts.look(home, id)
    changes = drafts.plan(home, seen, allow_unknown=allow_unknown)
    told = {**changes.as_dict(), "diffs": changes.diffs, "etag": seen.tag}
    call.answer(told, lambda: strategy_files.show(changes))


@command.command("publish")
@click.argument("id")
@click.option("--etag", help="Only if plan or show told this one.")
@allow_unknown_option
@click.pass_obj
def publish(call: Call, id: str, etag: str | None, allow_unknown: bool) -> None:
    """Put in force what a draft makes of the strategy."""
    from innkeeper.cli.served import ask
    from innkeeper.kernel.errors import Problem
    from innkeeper.kernel.time import SystemClock
    from innkeeper.runtime import drafts
    from innkeeper.runtime.access import LOCAL
    from innkeeper.runtime.audit import by_command

    home = call.existing_home()
    tag = drafts.look(home, id).tag if etag is None else etag
    told = ask(home, "POST", ("drafts", id, "publish"), {"allow_unknown": allow_unknown}, If_Match=tag)
    if told is None:
        with by_command(home, "publish", "draft", id):
            told, _ = drafts.publish(home, id, LOCAL, tag, SystemClock().now(), allow_unknown=allow_unknown)
    for warning in told.get("warnings", ()):
        click.echo(f"warning: {Problem(**warning)}", err=True)
    call.answer(told, lambda: click.echo(f"published as strategy {told['number']}"))


@command.command("rebase")
@click.argument("id")
@click.pass_obj
def rebase(call: Call, id: str) -> None:
    """Settle the conflicts of a draft in its favour, over what was applied since it was made."""
    from innkeeper.kernel.time import SystemClock
    from innkeeper.runtime import drafts
    from innkeeper.runtime.access import LOCAL

    home = call.existing_home()
    now, tag = SystemClock().now(), drafts.look(home, id).tag
    told = _or_ask(call, ("POST", "rebase"), id, tag, lambda: drafts.rebase(home, id, LOCAL, tag, now).as_dict())
    call.answer(told, lambda: click.echo(f"{id} holds over strategy {told['base']}"))


@command.command("discard")
@click.argument("id")
@click.pass_obj
def discard(call: Call, id: str) -> None:
    """Throw a draft away."""
    from innkeeper.runtime import drafts

    home = call.existing_home()
    tag = drafts.look(home, id).tag

    def work() -> dict[str, Any]:
        drafts.discard(home, id, tag)
        return {"draft": id, "discarded": True}

    told = _or_ask(call, ("DELETE",), id, tag, work)
    call.answer(told, lambda: click.echo(f"{id} is gone"))


def _or_ask(
    call: Call, request: tuple[str, ...], id: str, tag: str, work: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """What the API of a served home answers; where nobody serves it, the work itself."""
    from innkeeper.cli.served import ask
    from innkeeper.runtime.audit import by_command

    method, *rest = request
    told: dict[str, Any] | None = ask(call.home, method, ("drafts", id, *rest), If_Match=tag)
    if told is None:
        with by_command(call.home, rest[0] if rest else "discard", "draft", id):
            told = work()
    return told
