"""`innkeeper demo`: a hotel with a year of guests, played and told. The telling is `demo_told.py`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from innkeeper.cli.main import Call

#: Where a demo lives when nobody names a home.
HOME = Path(".innkeeper-demo")


@click.command()
@click.option("--end", metavar="TIME", help="The end of the year, ISO 8601 or a date; default: today 00:00 UTC.")
@click.option("--guests", type=click.IntRange(1, 99_999), default=2_000, show_default=True, help="How many guests.")
@click.option("--seed", type=click.IntRange(0), default=7, show_default=True, help="Another seed, other guests.")
@click.option("--exit", "leave", is_flag=True, help="Stop after the story instead of serving the workspace.")
@click.pass_context
def command(context: click.Context, end: str | None, guests: int, seed: int, leave: bool) -> None:
    """A hotel by the water: invents a year of guests, serves them, and tells what happened and why.

    Plays in .innkeeper-demo, or in an empty --home; a workspace that is no demo is never touched.
    """
    from innkeeper.cli.demo_told import as_dict, tell, watching
    from innkeeper.runtime.audit import by_command
    from innkeeper.runtime.demo import play, prepare, today

    call: Call = context.obj
    home = _home(context, call)
    instant = today() if end is None else _end(end)
    prepare(home)
    with by_command(home, "play", "demo"), watching(sys.stderr, instant) as watcher:
        played = play(home, seed=seed, guests=guests, end=instant, watcher=watcher)
    call.answer(as_dict(played, seed=seed, guests=guests), lambda: tell(played, guests=guests))
    if not leave:
        _serve(call, home)


def _home(context: click.Context, call: Call) -> Path:
    named = context.find_root().params.get("home") or os.environ.get("INNKEEPER_HOME")
    return call.home if named else HOME


def _end(text: str) -> int:
    """The instant of `--end`: a time, or a date, which begins at midnight UTC."""
    from innkeeper.cli.run import parse_time
    from innkeeper.kernel.time import Instant

    date_only = len(text) == 10 and text[4:5] == "-"
    instant: Instant | None = parse_time(f"{text}T00:00:00Z" if date_only else text, option="--end")
    if instant is None:
        raise AssertionError("a text was given")
    return instant


def _serve(call: Call, home: Path) -> None:
    from innkeeper.runtime.serve import Serving, serve
    from innkeeper.web.app import make_app

    def ready(url: str) -> None:
        if not call.as_json:
            click.echo(f"\nserving {home} at {url} (health: {url}/health). Ctrl-C stops it.")

    serve(home, make_app, Serving(host="127.0.0.1", port=8642, log="plain"), ready=ready)
