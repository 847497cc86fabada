"""`innkeeper stage count [--at TIME]`."""

from __future__ import annotations

import click

from innkeeper.cli.main import Call


@click.group()
def command() -> None:
    """How many profiles are in each stage of their life with you."""


@command.command()
@click.option("--at", metavar="TIME", help="As of this instant; default: the workspace's clock.")
@click.pass_obj
def count(call: Call, at: str | None) -> None:
    """Profiles per stage, in the order of stages.yaml, computed over all that is now known."""
    from innkeeper.cli.run import parse_time
    from innkeeper.kernel.time import format_instant
    from innkeeper.runtime.stages import count_stages

    instant, counts, gone = count_stages(call.existing_home(), parse_time(at, option="--at"))

    def tell() -> None:
        width = max(map(len, counts), default=0)
        for name, number in counts.items():
            click.echo(f"{name or '(none)':<{max(width, 6)}}  {number:>9,}")

    for problem in gone:
        click.echo(f"warning: {problem}", err=True)
    named = {name or "none": number for name, number in counts.items()}
    warnings = {"warnings": [problem.as_dict() for problem in gone]} if gone else {}
    call.answer({"at": format_instant(instant), "stages": named, "profiles": sum(counts.values())} | warnings, tell)
