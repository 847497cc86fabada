"""`innkeeper profile show | links`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from innkeeper.cli.main import Call
from innkeeper.cli.run import parse_time
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import Instant, format_instant

if TYPE_CHECKING:
    from pathlib import Path

    from innkeeper.lifecycle import World
    from innkeeper.profiles.state import ProfileState
    from innkeeper.store.state import State


@click.group()
def command() -> None:
    """One customer."""


@command.command("show")
@click.argument("id")
@click.option("--at", metavar="TIME", help="As the engine knew it then.")
@click.pass_obj
def show(call: Call, id: str, at: str | None) -> None:
    """Identifiers, traits with where they come from, stage, audiences, consents, journeys, messages, tasks."""
    told = look(call, id, at)

    def tell() -> None:
        click.echo(f"{told['id']}  stage: {told['stage'] or 'none'}  as of {told['at']}")
        _tell_identifiers(told["known_as"])
        for trait in told["traits"]:
            click.echo(f"  trait      {trait['name']} = {trait['value']!r}  ({trait['source']}, {trait['at']})")
        for audience in told["audiences"]:
            click.echo(f"  audience   {audience['name']} since {audience['since']}")
        for word in told["consents"]:
            subject = "/".join(word[part] or "all" for part in ("purpose", "channel", "topic"))
            click.echo(f"  consent    {subject}: {'given' if word['given'] else 'withdrawn'} {word['at']}")
        for word in told["suppressions"]:
            if word["suppressed"]:
                click.echo(f"  suppressed {word['channel'] or 'all channels'}: {word['reason']}")
        for row in told["enrollments"]:
            end = f"{row['outcome']} {row['ended_at']}" if row["ended_at"] else f"at step {row['step']}"
            name = row["journey"] + (f" [{row['key']}]" if row["key"] is not None else "")
            click.echo(f"  journey    {row['entered_at']}  {name}  {end}")
        for row in told["deliveries"]:
            click.echo(f"  message    {row['planned_at']}  {row['message']}  {row['state']} {row['reason']}".rstrip())
        for row in told["tasks"]:
            click.echo(f"  task       {row['created_at']}  {row['queue']}: {row['title']}")
        _tell_merges(told["merges"])

    call.answer(told, tell)


@command.command("links")
@click.argument("id")
@click.pass_obj
def links(call: Call, id: str) -> None:
    """What makes these identifiers one customer: all evidence, also what was refused, with its reason."""
    from innkeeper.runtime.links import REASONS, links_of

    told = links_of(call.existing_home(), id)

    def tell() -> None:
        click.echo(told["id"])
        _tell_identifiers(told["identifiers"])
        for link in told["links"]:
            last, times = (
                link["last"],
                "" if link["times"] == 1 else f", {link['times']} times since {link['first']['at']}",
            )
            why = "" if link["counts"] else f"  counts for nothing: {REASONS.get(link['reason'], link['reason'])}"
            click.echo(f"  {link['kind']:<8} {link['a']} and {link['b']}{why}")
            click.echo(f"           {last['at']}  {last['source']} {last['messageId']}{times}")
        _tell_merges(told["merges"])

    call.answer(told, tell)


def _tell_identifiers(identifiers: list[dict[str, Any]]) -> None:
    for each in identifiers:
        stretches = [
            " ".join(
                filter(None, (span["since"] and f"from {span['since']}", span["until"] and f"until {span['until']}"))
            )
            for span in each["spans"]
        ]
        said = ", then ".join(filter(None, stretches))
        click.echo(f"  known as   {each['identifier']}" + (f"  {said}" if said else ""))


def _tell_merges(merges: list[dict[str, Any]]) -> None:
    for merge in merges:
        verb = "joined" if merge["what"] == "joined" else "came apart from"
        because = merge["evidence"]
        click.echo(
            f"  merge      {merge['at']}  {merge['other']} {verb} {merge['subject']}"
            f" ({because['kind']}: {because['a']}, {because['b']}, {because['source']} {because['messageId']})"
        )


def look(call: Call, id: str, at: str | None) -> dict[str, Any]:
    """The JSON of `profile show`.

    Raises:
        UsageError: Nobody of that id was known then.
    """
    from innkeeper.profiles.portrait import portrait
    from innkeeper.runtime.identity_reading import IdentityReader
    from innkeeper.runtime.links import identifiers, merge_told
    from innkeeper.store.identity import IdentityTables
    from innkeeper.store.queries import profile_rows
    from innkeeper.store.state import State

    home, instant = call.existing_home(), parse_time(at, option="--at")
    with State.open(home, readonly=True) as store:
        state, world, moment = find(home, store, id, instant)
        rows = profile_rows(store.connection, state.subject, at=instant)
        who = IdentityReader(IdentityTables(store.connection), world.identity)
        told = portrait(state, world.profiles.zone, moment)
        known = [each for each in identifiers(who, state.subject) if each["identifier"] in told["identifiers"]]
        missing = sorted(set(told["identifiers"]) - {each["identifier"] for each in known})
        told["known_as"] = known + [{"identifier": name, "spans": []} for name in missing]
        merges = who.tables.merges(told["identifiers"])
        told["merges"] = [merge_told(merge) for merge in merges if instant is None or merge.at <= instant]
    steps = {each.id: each.step for each in state.enrollments}
    for row in rows["enrollments"]:
        row["step"] = steps.get(row["id"], row["step"])
    return told | rows


def find(home: Path, store: State, id: str, at: Instant | None) -> tuple[ProfileState, World, Instant]:
    """A profile as the engine knew it, the definitions of then, and the instant.

    Raises:
        UsageError: Nobody of that id was known then.
    """
    from innkeeper.runtime.lookup import identifier_meant, rules_of
    from innkeeper.runtime.past import known

    state, world, moment = known(home, identifier_meant(id, rules_of(store)), at)
    if state is None:
        raise UsageError(
            f"nobody is known as '{id}'" + ("" if at is None else f" at {format_instant(at)}"),
            code="unknown-profile",
            fix="an id is a user id, or namespace:value, e.g. anonymous_id:9f3a; see: innkeeper events list",
        )
    return state, world, moment
