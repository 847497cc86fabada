"""`innkeeper events`: what the log holds."""

from __future__ import annotations

import click

from innkeeper.cli.main import Call


@click.group()
def command() -> None:
    """What the log holds."""


@command.command("list")
@click.option("--last", type=click.IntRange(min=0), default=20, show_default=True, help="How many, the newest.")
@click.option("--source", default=None, help="Only of this source.")
@click.option("--name", default=None, help="Only events of this name, e.g. 'Order Completed'.")
@click.pass_obj
def list_events(call: Call, last: int, source: str | None, name: str | None) -> None:
    """List events, newest last."""
    from innkeeper.runtime.events_read import newest

    events = newest(call.existing_home(), last, source, name)

    def tell() -> None:
        for event in events:
            # What is announced of an account is said of nobody in particular.
            account = event["properties"].get("account_id")
            who = event["userId"] or event["anonymousId"] or (f"account:{account}" if account else "-")
            mark = "  retracted" if event["retracted"] else ""
            click.echo(
                f"{event['seq']:>9}  {event['timestamp']:<27}  {event['source']:<12}  {who:<24}  {event['event']}"
                + mark
            )
        if not events:
            click.echo("no such event", err=True)

    call.answer({"events": events}, tell)
