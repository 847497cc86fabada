"""`innkeeper retract`: the world as if some events had never come. The work is `runtime/retract.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from innkeeper.cli.main import Call

_SHOWN = 20


@click.group(invoke_without_command=True)
@click.option("--source", metavar="NAME", help="Whose events.")
@click.option("--from", "begin", metavar="TIME", help="The first instant of the period, by the events' timestamps.")
@click.option("--until", metavar="TIME", help="The first instant after the period.")
@click.option("--message", "ids", metavar="ID", multiple=True, help="One messageId; may be repeated.")
@click.option(
    "--messages",
    "file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A file with one messageId a line.",
)
@click.option("--lift", "lifted", metavar="RETRACTION", help="Let the events of a retraction count again.")
@click.option("--yes", is_flag=True, help="Do it. Without it nothing is stored: you see what it would change.")
@click.pass_context
def command(
    ctx: click.Context,
    source: str | None,
    begin: str | None,
    until: str | None,
    ids: tuple[str, ...],
    file: Path | None,
    lifted: str | None,
    yes: bool,
) -> None:
    """Make it as if events had never come: a period of one source, or a list of messageIds.

    Says who entered or left audiences, who received what, and which work was made because of them. What is not sent
    yet is cancelled; who would be in a journey without them is in it again. The events stay in the log, marked.
    """
    if ctx.invoked_subcommand is not None:
        return
    from contextlib import nullcontext

    from innkeeper.cli.run import parse_time
    from innkeeper.cli.served import ask
    from innkeeper.kernel.errors import UsageError
    from innkeeper.kernel.time import format_instant
    from innkeeper.runtime import retract
    from innkeeper.runtime.audit import by_command

    call: Call = ctx.obj
    home = call.existing_home()
    if lifted is not None:
        if source or begin or until or ids or file:
            raise UsageError(
                "--lift names a retraction and nothing else", code="lift-and-more", fix="retract --lift ID [--yes]"
            )
        told = ask(home, "POST", ("retractions", lifted, "lift"), {"do": True}) if yes else None
        if told is None:
            with by_command(home, "lift", "retraction", lifted) if yes else nullcontext():
                told = retract.lift(home, lifted, do=yes)
    else:
        if source is None:
            raise UsageError(
                "whose events? --source is missing", code="no-source",
                fix="retract --source NAME with --from TIME --until TIME, or --message ID; "
                "sources stand in: innkeeper catalog events",
            )  # fmt: skip
        messages = None if not ids and file is None else [*ids, *_lines(file)]
        since, end = parse_time(begin, option="--from"), parse_time(until, option="--until")
        asked = {
            "source": source, "begin": None if since is None else format_instant(since),
            "until": None if end is None else format_instant(end), "messages": messages, "do": True,
        }  # fmt: skip
        told = ask(home, "POST", ("retractions",), asked) if yes else None
        if told is None:
            with by_command(home, "retract", "source", source) if yes else nullcontext():
                told = retract.retract(home, source, begin=since, end=end, messages=messages, do=yes)
    call.answer(told, lambda: _tell(told))


def _lines(file: Path | None) -> list[str]:
    if file is None:
        return []
    return [line for line in (text.strip() for text in file.read_text(encoding="utf-8").splitlines()) if line]


@command.command("list")
@click.pass_obj
def list_(call: Call) -> None:
    """Every retraction, oldest first."""
    from innkeeper.runtime import retract

    found = retract.listing(call.existing_home())

    def tell() -> None:
        for one in found:
            what = f"{one['messages']} messages" if one["messages"] is not None else f"{one['from']} to {one['until']}"
            ended = f", lifted {one['lifted_at']}" if one["lifted_at"] else ""
            if one["refused"]:
                ended = f", not done: {one['refused']}"
            click.echo(f"{one['id']}  {one['source']}: {what}, since {one['at']}{ended}")
        if not found:
            click.echo("nothing is retracted")

    call.answer({"retractions": found}, tell)


def _tell(told: dict[str, Any]) -> None:
    one = told["events"] == 1
    if not told["done"]:
        verb = "would be concerned; nothing is stored"
    elif told["lifted"]:
        verb = "counts again" if one else "count again"
    else:
        verb = "is as if it had never come" if one else "are as if they had never come"
    click.echo(f"{told['events']:,} {'event' if one else 'events'} of '{told['source']}' {verb}")
    profiles = "1 profile is" if told["different"] == 1 else f"{told['different']:,} profiles are"
    groups = "1 group of people who share ids was" if told["groups"] == 1 else f"{told['groups']:,} groups were"
    click.echo(f"  {profiles} different, {groups} looked at")
    these = "this event" if one else "these events"
    because = f"without {these}" if told["lifted"] else f"because of {these}"
    for name, words in _LISTS.items():
        _list(told[name], words.format(because=because))
    if told["done"]:
        undo = "" if told["lifted"] else f"; to lift it: innkeeper retract --lift {told['retraction']} --yes"
        click.echo(f"{told['retraction']} {'is lifted' if told['lifted'] else 'stands'}{undo}")
    else:
        click.echo("to do it, call again with --yes")


_LISTS = {
    "entered": "entered an audience {because}",
    "left": "left an audience {because}",
    "stages": "changed stage {because}",
    "journeys": "entered a journey {because}",
    "received": "received something {because}; it cannot be unsent",
    "tasks": "made as a task {because}",
    "cancelled": "not sent yet, cancelled",
    "ended": "leaving a journey",
    "readmitted": "in a journey again",
    "closed": "open tasks closed",
    "planned": "offered to the gates now",
    "missed": "missed; the time is over",
}


def _list(lines: list[dict[str, Any]], words: str) -> None:
    if not lines:
        return
    click.echo(f"  {len(lines):,} {words}:")
    for line in lines[:_SHOWN]:
        who, rest = line["id"], {name: value for name, value in line.items() if name not in ("id", "delivery_id")}
        click.echo(f"    {who}  " + "  ".join(f"{name} {value}" for name, value in rest.items() if value is not None))
    if len(lines) > _SHOWN:
        click.echo(f"    … and {len(lines) - _SHOWN:,} more: --json has them all")
