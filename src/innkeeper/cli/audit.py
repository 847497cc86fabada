"""`innkeeper audit`: who changed what, and whether that record holds. The work: `runtime/audit.py`."""

from __future__ import annotations

import click

from innkeeper.cli.main import Call


@click.group()
def command() -> None:
    """Who changed what, through the API or by a command; and whether that record holds."""


@command.command("list")
@click.option("--last", type=click.IntRange(min=1), default=20, show_default=True, help="How many, the newest.")
@click.pass_obj
def list_(call: Call, last: int) -> None:
    """The newest entries, newest last."""
    from innkeeper.runtime.audit import BEGUN, told
    from innkeeper.store.access import Access

    with Access.open(call.existing_home()) as access:
        found = [told(each) for each in access.entries()[-last:]]

    def tell() -> None:
        for one in found:
            status = "begun" if one["status"] == BEGUN else str(one["status"])
            what = one["about"] if one["about"].startswith("/") else f"{one['noun']} {one['about']}".rstrip()
            click.echo(f"{one['seq']:>6}  {one['at']}  {one['actor']}  {one['action']} {what}  {status}")
        if not found:
            click.echo("nothing was changed yet")

    call.answer({"entries": found}, tell)


@command.command()
@click.pass_obj
def verify(call: Call) -> None:
    """Whether every entry stands as it was written. The last hash is worth keeping elsewhere."""
    from innkeeper.kernel.errors import OperationFailed
    from innkeeper.runtime import audit

    told = audit.verify(call.existing_home())
    call.answer(told, lambda: click.echo(_line(told)))
    if not told["holds"]:
        raise OperationFailed(
            f"the record of who changed what was changed from entry {told['broken_at']} on", code="audit-broken",
            fix="compare access.db with a backup",
        )  # fmt: skip


def _line(told: dict[str, object]) -> str:
    word = "hold" if told["holds"] else f"do not hold from entry {told['broken_at']} on"
    return f"{told['entries']:,} entries {word}; the last good hash: {told['last_hash'] or 'none'}"
