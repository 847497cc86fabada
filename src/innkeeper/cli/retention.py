"""`innkeeper retention`."""

from __future__ import annotations

from typing import Any

import click

from innkeeper.cli.main import Call


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would go; this is what happens without --yes.")
@click.option("--yes", is_flag=True, help="Let it go.")
@click.pass_obj
def command(call: Call, dry_run: bool, yes: bool) -> None:
    """What is kept for how long, and what of it is due: events, ledger, decisions, refused lines.

    What no window bounds is carried before its events go, so that counts, sums and first times stay right.
    """
    from innkeeper.cli.served import ask
    from innkeeper.runtime.audit import by_command
    from innkeeper.runtime.retention import retain, survey

    if dry_run and yes:
        raise click.UsageError("--dry-run and --yes exclude each other")
    home = call.existing_home()
    told = ask(home, "POST", ("retention",)) if yes else survey(home).as_dict()
    if told is None:
        with by_command(home, "let go", "retention"):
            told = retain(home).as_dict()
    call.answer(told, lambda: _tell(told))


def _tell(told: dict[str, Any]) -> None:
    if not told["declared"]:
        click.echo("no retention is declared: everything is kept. Declare it in policies.yaml.")
        return
    verb = "would go" if told["dry_run"] else "gone"
    click.echo(f"as of {told['at']}")
    klass = ""
    for line in told["lines"]:
        if line["until"] is None and not line["kept"]:
            continue
        if line["class"] != klass:
            klass = line["class"]
            click.echo(f"{klass}")
        due = "" if line["until"] is None else f"  {line['goes']:>9,} {verb}, due before {_day(line['until'])}"
        click.echo(f"  {line['what']:<24} {line['rule']:<10}{due}  oldest kept {_day(line['oldest_kept'])}")
        for reason, number in line["kept"].items():
            click.echo(f"  {'':<24} {'':<10}  {number:>9,} kept: {reason}")
    if told["bytes_after"] is None:
        click.echo(f"{told['goes']:,} in all; {told['bytes_before']:,} bytes on disk now")
        if told["goes"]:
            click.echo("nothing has been changed; to let it go: innkeeper retention --yes")
    else:
        sizes = f"{told['bytes_before']:,} bytes on disk before, {told['bytes_after']:,} after"
        click.echo(f"{told['goes']:,} in all; {sizes}")


def _day(instant: str | None) -> str:
    return "-" if instant is None else instant[:10]
