"""`innkeeper doctor`: what is wrong with the store, and what to do."""

from __future__ import annotations

from typing import Any

import click

from innkeeper.cli.main import Call


@click.command()
@click.option(
    "--forget",
    metavar="SEGMENT",
    default=None,
    help="Give a damaged segment up: its files are put aside, its events can be imported again.",
)
@click.option(
    "--channels", is_flag=True, help="Also ask whether the channels could send: connect, log in, send nothing."
)
@click.pass_obj
def command(call: Call, forget: str | None, channels: bool) -> None:
    """Say what is wrong with the store and what to do; mend what can be derived.

    Ends with 1 when something needs a person.
    """
    from msgspec.structs import asdict

    from innkeeper.runtime.accounts import too_large
    from innkeeper.runtime.audit import by_command
    from innkeeper.runtime.channel_probe import probe_channels
    from innkeeper.runtime.items import refused_values
    from innkeeper.runtime.known import names_alike, too_many_names
    from innkeeper.store.doctor import examine, forget_segment

    home = call.existing_home()
    if forget is not None:
        with by_command(home, "forget", "segment", forget):
            forget_segment(home, forget)
    findings = examine(home)
    sound = not any(finding.state == "wrong" for finding in findings)
    if sound:
        findings += too_large(home) + too_many_names(home) + names_alike(home) + refused_values(home)
        findings = (probe_channels(home) if channels else []) + findings
    ok = not any(finding.state == "wrong" for finding in findings)
    result: dict[str, Any] = {"findings": [asdict(finding) for finding in findings], "ok": ok}

    def tell() -> None:
        for finding in findings:
            click.echo(f"{finding.state:<9}{finding.message} [{finding.code}]")
            if finding.fix:
                click.echo(f"         fix: {finding.fix}")
        click.echo("the store is sound" if sound else "the store needs you")

    call.answer(result, tell)
    if not ok:
        raise SystemExit(1)
