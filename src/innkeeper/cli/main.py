"""The `innkeeper` command: finds the sub-command, gives it a `Call`, turns errors into exit codes.

One file per noun beside this one; each is imported only when it is called, so that `--help` is quick.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from innkeeper import __version__
from innkeeper.kernel.errors import InnkeeperError, Invalid, Problem

# name of the command -> (module under innkeeper.cli, its one-line help); the module's `command` is a click command.
COMMANDS: dict[str, tuple[str, str]] = {
    "account": ("account", "Companies and other groups: list them, show one."),
    "apply": ("strategy_apply", "Make the strategy folder the workspace's own."),
    "audience": ("audience", "Count, list, follow and explain audiences."),
    "audit": ("audit", "Who changed what, and whether that record holds."),
    "catalog": ("catalog", "What arrives: events, properties, traits, with types and examples."),
    "check": ("strategy_check", "Validate a strategy folder; every error at once."),
    "decision": ("decision", "List decisions with gate, reason and facts."),
    "demo": ("demo", "A hotel with a year of guests, its story told."),
    "doctor": ("doctor", "Say what is wrong with the store, and what to do."),
    "draft": ("draft", "Drafts of the strategy: list, show, plan, publish."),
    "events": ("events", "List what the log holds."),
    "explain": ("explain", "Why, or why not: a profile and a message, or a delivery."),
    "household": ("household", "Who lives together; the question after a death."),
    "import": ("imports", "Import events from JSONL, CSV or Parquet."),
    "init": ("strategy_init", "Write a small strategy folder that passes check."),
    "item": ("item", "Items of catalogs: list, show, set."),
    "ledger": ("ledger", "Planned against all ends; the deliveries."),
    "link": ("link", "Say that two identifiers are one customer, or take that back."),
    "match": ("match", "Propose, list, accept and reject profiles that may be one."),
    "mcp": ("mcp", "Answer an assistant's questions over MCP; changes nothing."),
    "object": ("object", "Show, list and change objects: bookings, orders."),
    "plan": ("strategy_plan", "Show what applying the strategy folder would change."),
    "profile": ("profile", "Show one customer."),
    "replay": ("replay", "Make all outputs again from the log and compare."),
    "retention": ("retention", "Let go what is due, class by class; a dry run first."),
    "report": ("report", "Write a report as one HTML page."),
    "retract": ("retract", "As if some events had never come: what it changes, then do it."),
    "run": ("run", "Advance the workspace to a time."),
    "source": ("source", "Who may send events over HTTP: sources and their keys."),
    "stage": ("stage", "Count profiles per stage, at any past time."),
    "status": ("status", "Counts, lag, and whether sending is armed."),
    "subscription": ("subscription", "Who is told of what happens: webhooks."),
    "task": ("task", "The list of work for people."),
    "token": ("token", "Tokens of the API: make, list, end."),
    "up": ("up", "Serve: events over HTTP, the engine and delivery."),
    "user": ("user", "Who may use the API, and what they may do."),
}


@dataclass(frozen=True, slots=True)
class Call:
    """What every command gets: the workspace's folder and how to answer."""

    home: Path
    as_json: bool
    answers: list[dict[str, Any]] = field(default_factory=list)

    def existing_home(self) -> Path:
        """The home, which must be there.

        Raises:
            UsageError: It is not.
        """
        from innkeeper.kernel.errors import UsageError

        if not self.home.is_dir():
            raise UsageError(
                f"there is no workspace at {self.home}",
                code="no-home",
                fix="name it with --home, or make one: innkeeper apply DIR, or innkeeper import FILE",
            )
        return self.home

    def answer(self, result: dict[str, Any], tell: Callable[[], None]) -> None:
        """Print the one JSON document, or tell it to a person."""
        self.answers.append(result)
        if self.as_json:
            from innkeeper.kernel.json import dumps

            click.echo(dumps(result))
        else:
            tell()


class _Commands(click.Group):
    """The commands of `COMMANDS`, imported when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"innkeeper.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(COMMANDS.items())])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from innkeeper.kernel.errors import did_you_mean

            ctx.fail(" ".join(filter(None, (f"there is no command '{args[0]}'.", did_you_mean(args[0], COMMANDS)))))
        return super().resolve_command(ctx, args)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Folder of the workspace. [env: INNKEEPER_HOME; default: ./.innkeeper]",
)
@click.option("--json", "as_json", is_flag=True, help="Answer with one JSON document.")
@click.version_option(__version__, prog_name="innkeeper")
@click.pass_context
def cli(ctx: click.Context, home: Path | None, as_json: bool) -> None:
    """The customer lifecycle engine that runs on your own machine."""
    where = home or Path(os.environ.get("INNKEEPER_HOME") or ".innkeeper")
    ctx.obj = Call(home=where, as_json=as_json, answers=[] if ctx.obj is None else ctx.obj)


def main() -> None:
    """Run the command line; exits 0 done, 1 failed, 2 wrong call, 130 interrupted.

    With `--json` a failure without an answer is one document too, `{"errors": [...]}`; the words for people go to
    standard error.
    """
    arguments = _json_anywhere(sys.argv[1:])
    answers: list[dict[str, Any]] = []
    try:
        cli.main(args=arguments, prog_name="innkeeper", standalone_mode=False, obj=answers)
    except click.exceptions.Abort:
        click.echo("interrupted; the store opens", err=True)
        sys.exit(130)
    except click.ClickException as error:
        code = 2 if isinstance(error, click.UsageError) else 1
        if "--json" in arguments and not answers:
            _print_errors([Problem(code="bad-call" if code == 2 else "failed", message=error.format_message())])
        error.show()
        sys.exit(code)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except InnkeeperError as error:
        if "--json" in arguments and not answers:
            one = Problem(code=error.code, message=error.message, fix=error.fix, file=error.where)
            _print_errors(error.problems if isinstance(error, Invalid) else [one])
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


def _print_errors(problems: Sequence[Problem]) -> None:
    from innkeeper.kernel.json import dumps

    click.echo(dumps({"errors": [problem.as_dict() for problem in problems]}))


def _json_anywhere(arguments: list[str]) -> list[str]:
    """`--json` and `--home DIR` may stand anywhere in the line, as people type them."""
    front: list[str] = []
    rest: list[str] = []
    pending = iter(arguments)
    for argument in pending:
        if argument == "--":
            rest.extend([argument, *pending])
        elif argument == "--json" or argument.startswith("--home="):
            front.append(argument)
        elif argument == "--home":
            front.extend([argument, *(value for value in [next(pending, None)] if value is not None)])
        else:
            rest.append(argument)
    return front + rest
