"""`innkeeper audience count | list | flips | explain`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from innkeeper.cli.main import Call
from innkeeper.cli.run import parse_time
from innkeeper.kernel.errors import Problem, UsageError

if TYPE_CHECKING:
    from innkeeper.audiences.check import Subject
    from innkeeper.runtime.audience import Asked, Audiences

_EPILOG = "EXPR is an expression such as: count('Order Completed', within => '90 days') >= 3"


@click.group(epilog=_EPILOG)
def command() -> None:
    """Ask who is, was, became or stopped being in an audience."""


def _expression(decorated: Callable[..., None]) -> Callable[..., None]:
    unknown = click.option("--allow-unknown", is_flag=True, help="Unknown names are warnings, not errors.")
    return click.argument("expression", metavar="EXPR")(unknown(decorated))


_OF = click.option(
    "--of", type=click.Choice(["profile", "account"]), default="profile", help="Ask about accounts instead of profiles."
)


@command.command("count", epilog=_EPILOG)
@_expression
@_OF
@click.option("--at", metavar="TIME", help="As of this instant; default the workspace's clock.")
@click.pass_obj
def count(call: Call, expression: str, allow_unknown: bool, of: Subject, at: str | None) -> None:
    """How many profiles are members."""
    audiences, asked = _understand(call, expression, allow_unknown, of)
    instant = parse_time(at, option="--at")
    found = audiences.count(asked, instant)
    call.answer({"count": found} | _warnings(asked, audiences.gone(asked, instant)), lambda: click.echo(found))


@command.command("list", epilog=_EPILOG)
@_expression
@_OF
@click.option("--at", metavar="TIME", help="As of this instant; default the workspace's clock.")
@click.option("--id", "namespace", metavar="NAMESPACE", help="Print this identifier; leave out who has none.")
@click.pass_obj
def list_(call: Call, expression: str, allow_unknown: bool, of: Subject, at: str | None, namespace: str | None) -> None:
    """Who the members are, sorted."""
    audiences, asked = _understand(call, expression, allow_unknown, of)
    instant = parse_time(at, option="--at")
    ids = audiences.ids(asked, instant, namespace)

    def tell() -> None:
        for each in ids:
            click.echo(each)

    call.answer({"ids": ids} | _warnings(asked, audiences.gone(asked, instant)), tell)


@command.command("flips", epilog=_EPILOG)
@_expression
@_OF
@click.option("--from", "begin", metavar="TIME", required=True, help="After this instant.")
@click.option("--until", metavar="TIME", required=True, help="Up to this instant.")
@click.pass_obj
def flips(call: Call, expression: str, allow_unknown: bool, of: Subject, begin: str, until: str) -> None:
    """Every change of membership in a period, exact to the microsecond."""
    from innkeeper.kernel.time import format_instant

    audiences, asked = _understand(call, expression, allow_unknown, of)
    first, last = parse_time(begin, option="--from"), parse_time(until, option="--until")
    if first is None or last is None:
        raise UsageError("--from and --until are needed", code="no-period", fix="--from TIME --until TIME")
    found = [
        {"id": each, "at": format_instant(at), "member": member}
        for at, each, member in audiences.flips(asked, first, last)
    ]

    def tell() -> None:
        for flip in found:
            click.echo(f"{flip['at']}  {'entered' if flip['member'] else 'left   '}  {flip['id']}")
        click.echo("1 change" if len(found) == 1 else f"{len(found)} changes", err=True)

    call.answer({"flips": found} | _warnings(asked, audiences.gone(asked, first)), tell)


@command.command("explain", epilog=_EPILOG)
@_expression
@_OF
@click.option("--at", metavar="TIME", help="Explain the SQL as of this instant; default the workspace's clock.")
@click.pass_obj
def explain(call: Call, expression: str, allow_unknown: bool, of: Subject, at: str | None) -> None:
    """What an expression means: in plain words, in its canonical form, and as SQL."""
    from innkeeper.runtime.audience import explained

    audiences, asked = _understand(call, expression, allow_unknown, of)
    told = explained(audiences, asked, parse_time(at, option="--at"))

    def tell() -> None:
        click.echo(told["words"])
        click.echo()
        click.echo(told["canonical"])
        click.echo()
        click.echo(told["sql"])
        for name, value in told["parameters"].items():
            click.echo(f"-- ${name} = {value!r}")

    call.answer(told | _warnings(asked), tell)


def _understand(call: Call, text: str, allow_unknown: bool, of: Subject = "profile") -> tuple[Audiences, Asked]:
    from innkeeper.runtime.audience import Audiences

    audiences = Audiences(call.existing_home())
    asked = audiences.understand(text, allow_unknown=allow_unknown, of=of)
    for warning in asked.warnings:
        click.echo(f"warning: {warning}", err=True)
    return audiences, asked


def _warnings(asked: Asked, gone: Sequence[Problem] = ()) -> dict[str, Any]:
    """The warnings of the names, and what the answer cannot know any more; the latter are told here."""
    for problem in gone:
        click.echo(f"warning: {problem}", err=True)
    warnings = [*asked.warnings, *gone]
    return {"warnings": [warning.as_dict() for warning in warnings]} if warnings else {}
