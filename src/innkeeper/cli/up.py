"""`innkeeper up`."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import click

from innkeeper.cli.main import Call
from innkeeper.kernel.errors import UsageError

_FILE: Final = click.Path(path_type=Path)
_TOKEN: Final = "INNKEEPER_METRICS_TOKEN"
_SHORTEST: Final = 16


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8642, show_default=True, help="0 picks a free port.")
@click.option("--tls-cert", "certificate", type=_FILE, help="Certificate with its chain (PEM); read again on SIGHUP.")
@click.option("--tls-key", "key", type=_FILE, help="Its key (PEM).")
@click.option(
    "--behind-proxy", "proxies", metavar="ADDRESSES", help="Believe X-Forwarded-For and -Proto of these alone."
)
@click.option(
    "--log", "form", type=click.Choice(["json", "plain"]), default="json", show_default=True, help="How it is written."
)
@click.pass_obj
def command(call: Call, /, form: Literal["json", "plain"], **options: Any) -> None:
    """Serve the workspace: events and health over HTTP, the engine and delivery. Ctrl-C stops it."""
    from innkeeper.runtime.serve import Serving, serve
    from innkeeper.runtime.tls import Certificate, read_proxies
    from innkeeper.web.app import make_app

    pem = options["certificate"], options["key"]
    if (pem[0] is None) != (pem[1] is None):
        raise UsageError(
            "TLS needs a certificate and its key", code="bad-certificate", fix="give both --tls-cert and --tls-key"
        )
    how = Serving(
        host=options["host"], port=options["port"], log=form,
        certificate=None if pem[0] is None else Certificate(*pem),
        proxies=() if options["proxies"] is None else read_proxies(options["proxies"]),
    )  # fmt: skip

    def ready(url: str) -> None:
        call.answer(
            {"url": url, "pid": os.getpid()},
            lambda: click.echo(f"Innkeeper serves {call.home} at {url} (health: {url}/health). Ctrl-C stops it."),
        )

    serve(call.home, partial(make_app, metrics_token=_metrics_token()), how, ready=ready)


def _metrics_token() -> str | None:
    token = os.environ.get(_TOKEN)
    if token is not None and len(token) < _SHORTEST:
        raise UsageError(
            f"{_TOKEN} has {len(token)} characters; at least {_SHORTEST} are needed",
            code="weak-token",
            fix="make one: openssl rand -hex 20",
        )
    return token
