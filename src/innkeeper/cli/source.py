"""`innkeeper source`: who may send events, and with which keys. The work: `runtime/sources.py`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from innkeeper.cli.main import Call
from innkeeper.cli.source_webhook import test, webhook

if TYPE_CHECKING:
    from innkeeper.runtime.sources import NewKeys


@click.group()
def command() -> None:
    """Who may send events over HTTP, and with which keys."""


command.add_command(webhook)
command.add_command(test)


@command.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(["public", "server"]), required=True, help="public: browsers and apps.")
@click.pass_obj
def create(call: Call, name: str, kind: Literal["public", "server"]) -> None:
    """A source and its write key, which is shown this once."""
    from innkeeper.kernel.time import SystemClock
    from innkeeper.runtime import sources
    from innkeeper.runtime.audit import by_command

    with by_command(call.home, "create", "source", name):
        made = sources.create(call.home, name, kind, SystemClock())
    _tell_keys(call, made)


@command.command()
@click.argument("name")
@click.option("--grace", default="1 day", show_default=True, help="How long the old keys go on.")
@click.pass_obj
def rotate(call: Call, name: str, grace: str) -> None:
    """A new key; the old one goes on for the time of grace."""
    from innkeeper.kernel.time import SystemClock, parse_duration
    from innkeeper.runtime import sources
    from innkeeper.runtime.audit import by_command

    duration = parse_duration(grace)
    with by_command(call.existing_home(), "rotate", "source", name):
        made = sources.rotate(call.home, name, duration, SystemClock())
    _tell_keys(call, made)


@command.command()
@click.argument("name")
@click.pass_obj
def revoke(call: Call, name: str) -> None:
    """End every key of a source at once; `rotate` makes a new one."""
    from innkeeper.kernel.time import SystemClock
    from innkeeper.runtime import sources
    from innkeeper.runtime.audit import by_command

    with by_command(call.existing_home(), "revoke", "source", name):
        ended = sources.revoke(call.home, name, SystemClock())
    call.answer({"source": name, "revoked": ended}, lambda: click.echo(f"{name}: {ended} keys revoked"))


@command.command("user-tokens")
@click.argument("name")
@click.option("--rs256", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="File: public key in PEM.")
@click.option("--hs256-env", metavar="VARIABLE", help="Environment variable of `up` that holds the secret.")
@click.option("--off", is_flag=True, help="Take no user tokens any more.")
@click.pass_obj
def user_tokens(call: Call, name: str, rs256: Path | None, hs256_env: str | None, off: bool) -> None:
    """How the tokens of a public source's users are signed (JWT: aud NAME, sub the user id, exp)."""
    from innkeeper.runtime import sources, user_tokens
    from innkeeper.runtime.audit import by_command

    if (rs256 is not None) + (hs256_env is not None) + off != 1:
        raise click.UsageError("name one of --rs256 FILE, --hs256-env VARIABLE, --off")
    signing = None
    if rs256 is not None:
        signing = user_tokens.by_public_key(rs256.read_text(errors="replace"))
    elif hs256_env is not None:
        signing = user_tokens.by_secret(hs256_env)
    with by_command(call.existing_home(), "user-tokens", "source", name):
        sources.set_user_tokens(call.home, name, signing)
    told = None if signing is None else signing.algorithm
    call.answer({"source": name, "user_tokens": told}, lambda: click.echo(f"{name}: user tokens {told or 'off'}"))


@command.command("list")
@click.pass_obj
def list_(call: Call) -> None:
    """The sources, with what became of their events."""
    from innkeeper.kernel.time import SystemClock
    from innkeeper.runtime import sources

    found = sources.listing(call.existing_home(), SystemClock())

    def tell() -> None:
        for one in found:
            click.echo(_line(one))
        if not found:
            click.echo("no sources; make one: innkeeper source create NAME --kind server")

    call.answer({"sources": found}, tell)


@command.command()
@click.argument("name")
@click.pass_obj
def show(call: Call, name: str) -> None:
    """One source: its keys without the keys themselves, its counts, its last errors."""
    from innkeeper.kernel.time import SystemClock
    from innkeeper.runtime import sources

    found = sources.show(call.existing_home(), name, SystemClock())

    def tell() -> None:
        click.echo(_line(found))
        for key in found["keys"]:
            until = f" until {key['until']}" if key["until"] else ""
            click.echo(f"  key {key['key']} ({key['use']}): {'in force' if key['in_force'] else 'ended'}{until}")
        if found["webhook"]:
            click.echo(f"  webhooks: {found['webhook']['scheme']}, by {found['webhook']['file']}")
        if found["ignored"]:
            click.echo(f"  webhooks of which no event comes: {found['ignored']}")
        if found["reserved_left_out"]:
            click.echo(f"  reserved names left out: {found['reserved_left_out']}")
        if found["names_alike"]:
            click.echo(f"  names that look like one the engine understands: {found['names_alike']}; see: doctor")
        for error in found["errors"]:
            click.echo(f"  refused {error['count']} times, last {error['last_at']}: {error['code']}")

    call.answer(found, tell)


def _line(one: dict[str, Any]) -> str:
    tokens = f", user tokens {one['user_tokens']}" if one["user_tokens"] else ""
    counts = f"{one['accepted']} accepted, {one['duplicates']} duplicates, {one['refused']} refused"
    return f"{one['source']} ({one['kind']}{tokens}): {counts}"


def _tell_keys(call: Call, made: NewKeys) -> None:
    def tell() -> None:
        click.echo(f"{made.name} ({made.kind})")
        for use, key in made.keys.items():
            click.echo(f"  {use} key: {key}")
        click.echo("  shown this once; it is kept only as a hash")

    call.answer(made.as_dict(), tell)
