"""`innkeeper subscription`: who is told of what happens. The work: `runtime/subscriptions.py`."""

from __future__ import annotations

from typing import Any

import click

from innkeeper.cli.main import Call


def _names(_: click.Context, __: click.Parameter, told: tuple[str, ...]) -> list[str]:
    """Names that were given one by one, or with commas between."""
    return [name for each in told for part in each.split(",") if (name := part.strip())]


@click.group()
def command() -> None:
    """Who is told of what happens: receivers of webhooks."""


@command.command()
@click.argument("name")
@click.option("--url", required=True, help="Where notices are posted to.")
@click.option(
    "--events", multiple=True, callback=_names, help="Outputs, e.g. 'Audience Entered,Stage Changed', or '*'."
)
@click.option("--incoming", multiple=True, callback=_names, help="Events that sources send, or '*'.")
@click.option("--audience", multiple=True, callback=_names, help="Of audiences entered and left, these alone.")
@click.option("--where", default="", help="A condition over the properties: \"stage = 'loyal'\".")
@click.option("--include", multiple=True, callback=_names, help="traits.NAME, properties, properties.NAME: told too.")
@click.option("--from", "since", metavar="TIME", help="Tell also what came since then.")
@click.option("--allow-private", is_flag=True, help="The receiver may be in a private network, or this machine.")
@click.pass_obj
def create(call: Call, /, name: str, url: str, since: str | None, allow_private: bool, **told: Any) -> None:
    """A subscription, and the secret by which its receiver knows us."""
    from innkeeper.kernel.time import SystemClock, parse_instant
    from innkeeper.runtime import subscriptions
    from innkeeper.runtime.audit import by_command
    from innkeeper.runtime.outward import Selection

    told["audiences"] = told.pop("audience")
    selection, begin = Selection.read(**told), None if since is None else parse_instant(since)
    with by_command(call.existing_home(), "create", "subscription", name):
        made = subscriptions.create(
            call.home, name, url, selection, SystemClock(), private=allow_private, since=begin
        )  # fmt: skip

    def tell() -> None:
        click.echo(_line(made))
        click.echo(f"  secret: {made['secret']}")
        click.echo(
            "  up tells it what happens from now on" if since is None else f"  up tells it everything since {since}"
        )
        if allow_private:
            click.echo("  NOTE: it may be in a private network: whoever answers there is trusted with what is told")

    call.answer(made, tell)


@command.command("list")
@click.pass_obj
def list_(call: Call) -> None:
    """The subscriptions, and how far each has come."""
    from innkeeper.runtime import subscriptions

    found = subscriptions.listing(call.existing_home())

    def tell() -> None:
        for one in found:
            click.echo(_line(one))
        if not found:
            click.echo("no subscriptions; make one: innkeeper subscription create NAME --url URL --events '*'")

    call.answer({"subscriptions": found}, tell)


@command.command()
@click.argument("name")
@click.pass_obj
def show(call: Call, name: str) -> None:
    """One subscription: what it is told, how far it has come, what goes wrong."""
    from innkeeper.runtime import subscriptions

    one = subscriptions.show(call.existing_home(), name)

    def tell() -> None:
        click.echo(_line(one))
        click.echo(f"  url {one['url']}{' (private networks allowed)' if one['allow_private'] else ''}")
        for key in ("events", "incoming", "audiences", "where", "include"):
            if one[key]:
                click.echo(f"  {key} {one[key] if key == 'where' else ', '.join(one[key])}")
        if one["failing_since"]:
            click.echo(f"  failing since {one['failing_since']}, {one['failures']} times in a row: {one['error']}")

    call.answer(one, tell)


@command.command()
@click.argument("name")
@click.pass_obj
def pause(call: Call, name: str) -> None:
    """Tell it nothing for now; what happens meanwhile waits."""
    _set(call, name, active=False)


@command.command()
@click.argument("name")
@click.pass_obj
def resume(call: Call, name: str) -> None:
    """Go on, with everything that has waited."""
    _set(call, name, active=True)


def _set(call: Call, name: str, *, active: bool) -> None:
    from innkeeper.runtime import subscriptions
    from innkeeper.runtime.audit import by_command

    home = call.existing_home()
    with by_command(home, "resume" if active else "pause", "subscription", name):
        subscriptions.set_state(home, name, active=active)
    one = subscriptions.show(home, name)
    call.answer(one, lambda: click.echo(_line(one)))


@command.command()
@click.argument("name")
@click.pass_obj
def remove(call: Call, name: str) -> None:
    """Forget it, and what waits for it."""
    from innkeeper.runtime import subscriptions
    from innkeeper.runtime.audit import by_command

    with by_command(call.existing_home(), "remove", "subscription", name):
        subscriptions.remove(call.home, name)
    call.answer({"removed": name}, lambda: click.echo(f"{name} is removed"))


@command.command("rotate-secret")
@click.argument("name")
@click.option("--grace", default="1 day", show_default=True, help="How long the old secret signs beside the new one.")
@click.pass_obj
def rotate_secret(call: Call, name: str, grace: str) -> None:
    """A new secret; for the time of grace every notice has a signature by each."""
    from innkeeper.kernel.time import SystemClock, parse_duration
    from innkeeper.runtime import subscriptions
    from innkeeper.runtime.audit import by_command

    duration = parse_duration(grace)
    with by_command(call.existing_home(), "rotate-secret", "subscription", name):
        secret = subscriptions.rotate(call.home, name, duration, SystemClock())
    call.answer({"subscription": name, "secret": secret}, lambda: click.echo(f"{name}\n  secret: {secret}"))


@command.command()
@click.argument("name")
@click.pass_obj
def test(call: Call, name: str) -> None:
    """Post a notice that says nothing, now; exits 1 if it is not taken."""
    from innkeeper.kernel.time import SystemClock
    from innkeeper.runtime import subscriptions

    result = subscriptions.test(call.existing_home(), name, SystemClock())
    taken = result.outcome == "told"
    call.answer(
        {"subscription": name, "taken": taken, "reason": result.reason},
        lambda: click.echo(f"{name}: {'taken' if taken else f'not taken: {result.reason}'}"),
    )
    if not taken:
        raise SystemExit(1)


@command.command()
@click.argument("name")
@click.option("--from", "since", metavar="TIME", help="Everything since then; without it, what was given up.")
@click.pass_obj
def redeliver(call: Call, name: str, since: str | None) -> None:
    """Tell again, under the same ids: what was given up, or everything since a time."""
    from innkeeper.kernel.time import parse_instant
    from innkeeper.runtime import subscriptions
    from innkeeper.runtime.audit import by_command

    at = None if since is None else parse_instant(since)
    with by_command(call.existing_home(), "redeliver", "subscription", name):
        result = subscriptions.redeliver(call.home, name, at)
    told = f"everything since {since}" if since else f"{result['again']} that were given up"
    call.answer(result, lambda: click.echo(f"{name}: {told} will be told again"))


@command.command()
@click.argument("name")
@click.option("--last", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many, the newest.")
@click.pass_obj
def failures(call: Call, name: str, last: int) -> None:
    """What was not taken at the first attempt, the newest first."""
    from innkeeper.runtime import subscriptions

    found = subscriptions.failures(call.existing_home(), name, last)

    def tell() -> None:
        for one in found:
            end = f"given up {one['given_up_at']}" if one["given_up_at"] else "waits"
            click.echo(f"{one['seq']:>9}  {one['event'] or 'gone'}  {one['attempts']} attempts, {end}: {one['error']}")
        if not found:
            click.echo(f"nothing of {name} has failed")

    call.answer({"failures": found}, tell)


def _line(one: dict[str, Any]) -> str:
    reason = f" ({one['reason']})" if one["reason"] else ""
    given_up = f", {one['given_up']} given up" if one["given_up"] else ""
    counts = f"{one['delivered']} delivered, {one['waiting']} waiting{given_up}"
    return f"{one['subscription']}: {one['state']}{reason}, {counts}"
