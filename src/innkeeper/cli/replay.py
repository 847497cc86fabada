"""`innkeeper replay`."""

from __future__ import annotations

import click

from innkeeper.cli.main import Call
from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.time import format_instant


@click.command()
@click.pass_obj
def command(call: Call) -> None:
    """Make all outputs again from the log, in the recorded order, and compare them with what was written."""
    from innkeeper.cli.served import refuse
    from innkeeper.runtime.replay import replay

    home = call.existing_home()
    refuse(home, "a replay compares with outputs that stand still", "stop it, and start it again afterwards")
    report = replay(home)

    def tell() -> None:
        if report.begins_at is not None:
            click.echo(f"from {format_instant(report.begins_at)} on: older inputs went by retention")
        click.echo(f"{report.inputs:,} inputs played again, {report.outputs:,} outputs compared")
        for one in report.examples:
            click.echo(f"  {one.message_id}\n    recorded: {one.recorded}\n    made:     {one.made}")

    call.answer(report.as_dict(), tell)
    if report.different:
        raise OperationFailed(
            f"{report.different:,} of {report.outputs:,} outputs are not the same twice", code="replay-differs",
            fix="report it with the examples above: a replay has to be exact",
        )  # fmt: skip
