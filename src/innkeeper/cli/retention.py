"""`innkeeper retention`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from innkeeper.cli.main import Call
from innkeeper.kernel.time import format_instant

if TYPE_CHECKING:
    from innkeeper.runtime.retention_report import Report


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would go; this is what happens without --yes.")
@click.option("--yes", is_flag=True, help="Let it go.")
@click.pass_obj
def command(call: Call, dry_run: bool, yes: bool) -> None:
    """What is kept for how long, and what of it is due: events, ledger, decisions, refused lines.

    What no window bounds is carried before its events go, so that counts, sums and first times stay right.
    """
    from innkeeper.runtime.retention import retain, survey

    if dry_run and yes:
        raise click.UsageError("--dry-run and --yes exclude each other")
    home = call.existing_home()
    report = retain(home) if yes else survey(home)
    call.answer(report.as_dict(), lambda: _tell(report))


def _tell(report: Report) -> None:
    from innkeeper.runtime.retention_report import day_of

    if not report.declared:
        click.echo("no retention is declared: everything is kept. Declare it in policies.yaml.")
        return
    verb = "would go" if report.dry_run else "gone"
    click.echo(f"as of {format_instant(report.at)}")
    klass = ""
    for line in report.lines:
        if line.until is None and not line.kept:
            continue
        if line.klass != klass:
            klass = line.klass
            click.echo(f"{klass}")
        due = "" if line.until is None else f"  {line.goes:>9,} {verb}, due before {day_of(line.until)}"
        click.echo(f"  {line.what:<24} {line.rule:<10}{due}  oldest kept {day_of(line.oldest_kept)}")
        for reason, number in sorted(line.kept.items()):
            click.echo(f"  {'':<24} {'':<10}  {number:>9,} kept: {reason}")
    if report.bytes_after is None:
        click.echo(f"{report.goes:,} in all; {report.bytes_before:,} bytes on disk now")
        if report.goes:
            click.echo("nothing has been changed; to let it go: innkeeper retention --yes")
    else:
        sizes = f"{report.bytes_before:,} bytes on disk before, {report.bytes_after:,} after"
        click.echo(f"{report.goes:,} in all; {sizes}")
