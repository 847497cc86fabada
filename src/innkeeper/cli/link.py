"""`innkeeper link add | remove`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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
    """A and B do not belong together: it is as if nobody had ever said so, until a link is added again."""
    _say(call, a, b, added=False, why=reason)


def _say(call: Call, a: str, b: str, *, added: bool, why: str) -> None:
    from innkeeper.cli.served import ask
    from innkeeper.runtime.audit import by_command
    from innkeeper.runtime.links import REASONS, say

    home = call.existing_home()
    parts = ("links",) if added else ("links", "remove")
    said = ask(home, "POST", parts, {"a": a, "b": b, "reason": why})
    if said is None:
        with by_command(home, "add" if added else "remove", "link", f"{a} {b}"):
            said = say(home, a, b, added=added, why=why).as_dict()

    def tell() -> None:
        word = "linked" if added else "no longer linked"
        click.echo(f"{said['a']} and {said['b']}: {word}")
        if said["reason"]:
            click.echo(f"  it counts for nothing: {REASONS.get(said['reason'], said['reason'])}")
        for merge in said["merges"]:
            if merge["what"] == "joined":
                click.echo(f"  {merge['other']} is part of {merge['subject']} now")
            else:
                click.echo(f"  {merge['other']} came apart from {merge['subject']}")
        for change in said["changes"]:
            for line in _told(change):
                click.echo(f"  {change['id']} {line}")
        if not said["merges"] and not said["reason"]:
            click.echo("  no profile has changed hands")

    call.answer(said, tell)


def _told(change: dict[str, Any]) -> Iterator[str]:
    """What is different for a profile, a line each."""
    if change["before"] != change["stage"]:
        yield f"is in stage {change['stage'] or 'none'}, no longer in {change['before'] or 'none'}"
    for words, name in _LISTS:
        if change[name]:
            yield f"{words}: {', '.join(str(each) for each in change[name])}"
    for words, name in _COUNTS:
        if number := len(change[name]):
            yield words.format(number=number, s="" if number == 1 else "s")


_LISTS = (("is in", "entered"), ("is no longer in", "left"))
_COUNTS = (
    ("is in {number} journey{s} again", "began"), ("has left {number} journey{s}", "ended"),
    ("has {number} open task{s} fewer", "tasks"), ("gets {number} planned message{s} no more", "cancelled"),
    ("has {number} message{s} planned again", "planned"), ("has missed {number} message{s}", "missed"),
    ("keeps {number} message{s} that went out because of the link", "sent"),
)  # fmt: skip
