"""`innkeeper up`."""

from __future__ import annotations

import os

import click

from innkeeper.cli.main import Call


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8642, show_default=True, help="0 picks a free port.")
@click.pass_obj
def command(call: Call, host: str, port: int) -> None:
    """Serve the workspace: events and health over HTTP, the engine and delivery. Ctrl-C stops it."""
    from innkeeper.runtime.serve import serve
    from innkeeper.web.app import make_app

    def ready(url: str) -> None:
        call.answer(
            {"url": url, "pid": os.getpid()},
            lambda: click.echo(f"Innkeeper serves {call.home} at {url} (health: {url}/health). Ctrl-C stops it."),
        )

    serve(call.home, make_app, host=host, port=port, ready=ready)
