"""`innkeeper events`: what the log holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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


def newest(home: Path, last: int, source: str | None, name: str | None) -> list[dict[str, Any]]:
    """The newest events of the log, newest last, as `events list --json` prints them."""
    from innkeeper.kernel.json import loads
    from innkeeper.kernel.time import format_instant
    from innkeeper.store.bulk import Bulk

    with Bulk.open(home) as bulk:
        rows = bulk.rows(
            "SELECT seq, source, message_id, type, name, user_id, anonymous_id, ts, received_at, properties, traits, "
            "context, extra FROM every_event WHERE seq IS NOT NULL AND ($source IS NULL OR source = $source) "
            "AND ($name IS NULL OR name = $name) ORDER BY seq DESC LIMIT $last",
            {"source": source, "name": name, "last": last},
        )
        counted = bulk.rows(
            "SELECT seq FROM events WHERE seq IN (SELECT unnest($seqs))", {"seqs": [r[0] for r in rows]}
        )
    standing = {seq for (seq,) in counted}
    return [
        {
            "seq": row[0], "source": row[1], "messageId": row[2], "type": row[3], "event": row[4], "userId": row[5],
            "anonymousId": row[6], "timestamp": format_instant(row[7]), "receivedAt": format_instant(row[8]),
            "properties": loads(row[9]), "traits": loads(row[10]), "context": loads(row[11]),
            "extra": loads(row[12]), "retracted": row[0] not in standing,
        }
        for row in reversed(rows)
    ]  # fmt: skip
