"""`innkeeper source webhook` and `source test`: what other programs send, made into events. The work:
`runtime/webhooks.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from innkeeper.cli.main import Call


@click.command()
@click.argument("name")
@click.option("--mapping", type=click.Path(path_type=Path, dir_okay=False), help="File: what becomes of a payload.")
@click.option("--scheme", help="How the sender signs; docs/webhooks.md has the table.")
@click.option("--secret-env", metavar="VARIABLE", help="Environment variable of `up` that holds the secret.")
@click.option("--url", help="The address as the sender calls it, where that is signed.")
@click.option("--topic", metavar="ARN", help="The topic of Amazon SNS.")
@click.option("--verify-env", metavar="VARIABLE", help="Environment variable with the token of Meta's first question.")
@click.option("--off", is_flag=True, help="Take no webhooks any more.")
@click.pass_obj
def webhook(
    call: Call,
    name: str,
    mapping: Path | None,
    scheme: str | None,
    secret_env: str | None,
    url: str | None,
    topic: str | None,
    verify_env: str | None,
    off: bool,
) -> None:
    """What a server source makes of webhooks, and how their sender signs them."""
    from innkeeper.runtime import webhooks
    from innkeeper.runtime.audit import by_command

    home = call.existing_home()
    if off:
        with by_command(home, "webhook", "source", name):
            webhooks.withdraw(home, name)
        call.answer({"source": name, "scheme": None}, lambda: click.echo(f"{name}: webhooks off"))
        return
    if mapping is None or scheme is None:
        raise click.UsageError("name both --mapping FILE and --scheme SCHEME, or --off")
    read = webhooks.read_mapping(mapping)
    wish = webhooks.Wish(
        scheme=scheme, mapping=read, secret_env=secret_env, url=url, topic=topic, verify_env=verify_env
    )
    with by_command(home, "webhook", "source", name):
        told = webhooks.declare(home, name, wish)

    def tell() -> None:
        click.echo(f"{name}: webhooks at {told['path']}, signed as '{told['scheme']}' says")
        if told["shown_once"]:
            click.echo("  the last part is a secret, shown this once; the sender signs nothing else")
        if secret_env is not None:
            click.echo(f"  up reads the secret from {secret_env}")
        if verify_env is not None:
            click.echo(f"  and the token of the sender's first question from {verify_env}")

    call.answer(told, tell)


@click.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--mapping", type=click.Path(path_type=Path, dir_okay=False), help="A draft; else the declared mapping.")
@click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header of the request.")
@click.pass_obj
def test(call: Call, name: str, file: Path, mapping: Path | None, headers: tuple[str, ...]) -> None:
    """The events that would come of a webhook's payload in FILE; nothing is written."""
    from innkeeper.kernel.time import SystemClock
    from innkeeper.runtime import webhooks
    from innkeeper.runtime.bodies import MOST_BYTES
    from innkeeper.runtime.import_files import translated

    with translated(file):
        body = file.read_bytes()[: MOST_BYTES + 1]
    draft = None if mapping is None else webhooks.read_mapping(mapping)
    pairs = [header.partition(":")[::2] for header in headers]
    told = webhooks.try_payload(
        call.existing_home(), name, body, mapping=draft, clock=SystemClock(),
        headers={key.strip().lower(): value.strip() for key, value in pairs},
    )  # fmt: skip
    call.answer(told, lambda: _tell(told))


def _tell(told: dict[str, Any]) -> None:
    for event in told["events"]:
        who = event.get("userId") or event.get("anonymousId")
        click.echo(f"{event['timestamp']}  {who}  {event['event']}")
        for part in ("properties", "traits", "context"):
            for key, value in event.get(part, {}).items():
                click.echo(f"  {part}.{key} = {value!r}")
        click.echo(f"  messageId {event['messageId']}")
    for refusal in told["refused"]:
        click.echo(
            f"refused: {refusal['message']} ({refusal['code']})" + (f"; {refusal['fix']}" if refusal["fix"] else "")
        )
    if not told["events"] and not told["refused"]:
        click.echo("no event: no 'where' of the mapping holds for this payload")
