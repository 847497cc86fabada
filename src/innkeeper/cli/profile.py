"""`innkeeper profile`: one customer, all that is known; their links; and a note. In words: `profile_told.py`."""

from __future__ import annotations

import click

from innkeeper.cli.main import Call
from innkeeper.cli.run import parse_time
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import SystemClock, format_instant


@click.group()
def command() -> None:
    """One customer."""


@command.command("show")
@click.argument("id")
@click.option("--at", metavar="TIME", help="As the engine knew it then.")
@click.option("--timeline", type=click.IntRange(min=0), default=20, show_default=True, help="Lines of what happened.")
@click.pass_obj
def show(call: Call, id: str, at: str | None, timeline: int) -> None:
    """All that is known of a customer, and where it comes from.

    Identifiers, traits with their sources, memories, the path through the stages, audiences, consents, journeys,
    messages, tasks, and the last lines of what happened, newest last.
    """
    from innkeeper.cli.profile_told import tell
    from innkeeper.runtime.customer import look

    told = look(call.existing_home(), id, parse_time(at, option="--at"), timeline)

    def say() -> None:
        for line in tell(told):
            click.echo(line)

    call.answer(told, say)


@command.command("find")
@click.argument("text")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True)
@click.pass_obj
def find(call: Call, text: str, limit: int) -> None:
    """Find customers: by an identifier, or the beginning of one, of a name or of a mail address; the surest first."""
    from innkeeper.runtime.finding import search

    found = search(call.existing_home(), text, limit)

    def tell() -> None:
        for one in found["profiles"]:
            click.echo(f"{one['id']}  {one['stage'] or '-'}  ({one['found_by']}: {one['value']})")
        if not found["profiles"]:
            click.echo("nobody is found by that")
        if found["more"]:
            click.echo("there are more: say more of it, or raise --limit")

    call.answer(found, tell)


@command.command("links")
@click.argument("id")
@click.pass_obj
def links(call: Call, id: str) -> None:
    """What makes these identifiers one customer: all evidence, also what was refused, with its reason."""
    from innkeeper.cli.profile_told import tell_links
    from innkeeper.runtime.links import links_of

    told = links_of(call.existing_home(), id)

    def say() -> None:
        for line in tell_links(told):
            click.echo(line)

    call.answer(told, say)


@command.command("note")
@click.argument("id")
@click.argument("text", default="")
@click.option("--by", metavar="NAME", help="Who writes it.")
@click.option("--memory", "memories", multiple=True, metavar="ABOUT=VALUE", help="Remember it, e.g. pillow=soft.")
@click.option("--at", metavar="TIME", help="When it was heard. [default: now]")
@click.pass_obj
def note(call: Call, id: str, text: str, by: str | None, memories: tuple[str, ...], at: str | None) -> None:
    """Write down what a customer said; the next run or up takes it.

    With --memory the house remembers it as the customer's own word.
    """
    from innkeeper.cli.served import ask
    from innkeeper.runtime.audit import by_command
    from innkeeper.runtime.notes import write_note

    if not text.strip() and not memories:
        raise UsageError("there is nothing to write", code="empty-note", fix='innkeeper profile note ID "text"')
    home, moment, kept = call.existing_home(), parse_time(at, option="--at"), dict(map(_memory, memories))
    asked = {
        "text": text.strip(), "by": by, "memories": kept, "at": None if moment is None else format_instant(moment),
    }  # fmt: skip
    written = ask(home, "POST", ("profiles", id, "notes"), asked)
    if written is None:
        with by_command(home, "note", "profile", id):
            written = write_note(home, id, text.strip(), by=by, memories=kept, at=moment, clock=SystemClock())
    call.answer(written, lambda: click.echo("written; the next run or up takes it"))


def _memory(text: str) -> tuple[str, str]:
    about, equals, value = text.partition("=")
    if not equals or not about.strip() or not value.strip():
        raise UsageError(f"'{text}' is not ABOUT=VALUE", code="bad-memory", fix="write it like --memory pillow=soft")
    return about.strip(), value.strip()
