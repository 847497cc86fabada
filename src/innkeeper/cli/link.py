"""`innkeeper link add | remove`."""

from __future__ import annotations

import click

from innkeeper.cli.main import Call


@click.group()
def command() -> None:
    """Say that two identifiers are one customer, or take that back."""


@command.command("add")
@click.argument("a")
@click.argument("b")
@click.option("--reason", default="", help="Why; kept with the link.")
@click.pass_obj
def add(call: Call, a: str, b: str, reason: str) -> None:
    """A and B belong together: two identifiers of one person, or a browser and its owner from now on."""
    _say(call, a, b, added=True, why=reason)


@command.command("remove")
@click.argument("a")
@click.argument("b")
@click.option("--reason", default="", help="Why; kept with the link.")
@click.pass_obj
def remove(call: Call, a: str, b: str, reason: str) -> None:
    """A and B do not belong together: nothing that was ever said of the two counts, until a link is added again."""
    _say(call, a, b, added=False, why=reason)


def _say(call: Call, a: str, b: str, *, added: bool, why: str) -> None:
    from innkeeper.kernel.time import format_instant
    from innkeeper.runtime.links import REASONS, merge_told, say

    said = say(call.existing_home(), a, b, added=added, why=why)
    merges = [merge_told(merge) for merge in said.merges]

    def tell() -> None:
        word = "linked" if added else "no longer linked"
        click.echo(f"{said.a} and {said.b}: {word}")
        if said.reason:
            click.echo(f"  it counts for nothing: {REASONS.get(said.reason, said.reason)}")
        for merge in merges:
            if merge["what"] == "joined":
                click.echo(f"  {merge['other']} is part of {merge['subject']} now")
            else:
                click.echo(f"  {merge['other']} came apart from {merge['subject']}")
        if not merges and not said.reason:
            click.echo("  no profile has changed hands")

    answer = {
        "a": said.a,
        "b": said.b,
        "event": {
            "event": said.event.name,
            "messageId": said.event.message_id,
            "timestamp": format_instant(said.event.timestamp),
        },
        "counts": not said.reason,
        "reason": said.reason,
        "merges": merges,
    }
    call.answer(answer, tell)
