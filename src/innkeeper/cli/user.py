"""`innkeeper user`: who may use the API, and what they may do. The work: `runtime/access.py`,
`runtime/sessions.py`."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from innkeeper.cli.main import Call
from innkeeper.kernel.errors import UsageError


@click.group()
def command() -> None:
    """Who may use the API, and what they may do."""


@command.command()
@click.argument("name")
@click.option("--role", required=True, help="owner, approver, editor, viewer, front-line, privacy-officer.")
@click.pass_obj
def add(call: Call, name: str, role: str) -> None:
    """A new user."""
    from innkeeper.kernel.time import SystemClock
    from innkeeper.runtime.access import add_user
    from innkeeper.runtime.audit import by_command
    from innkeeper.store.access import Access

    with Access.open(call.home) as access, by_command(call.home, "add", "user", name):
        told = add_user(access, name, role, SystemClock())
    call.answer(told, lambda: _tell(told))


@command.command()
@click.argument("name")
@click.argument("role")
@click.pass_obj
def role(call: Call, name: str, role: str) -> None:
    """Give a user another role; their tokens follow at once, their sessions end."""
    from innkeeper.kernel.time import SystemClock
    from innkeeper.runtime.access import set_role
    from innkeeper.runtime.audit import by_command
    from innkeeper.store.access import Access

    with Access.open(call.existing_home()) as access, by_command(call.home, "role", "user", name):
        told = set_role(access, name, role, SystemClock())
    call.answer(told, lambda: _tell(told))


@command.command()
@click.argument("name")
@click.pass_obj
def end(call: Call, name: str) -> None:
    """From now on a user may do nothing, with none of their tokens and sessions."""
    from innkeeper.kernel.time import SystemClock
    from innkeeper.runtime.access import end_user
    from innkeeper.runtime.audit import by_command
    from innkeeper.store.access import Access

    with Access.open(call.existing_home()) as access, by_command(call.home, "end", "user", name):
        told = end_user(access, name, SystemClock())
    call.answer(told, lambda: _tell(told))


@command.command()
@click.argument("name")
@click.option("--password-env", "variable", metavar="VARIABLE", help="Read it from here; else it is asked for.")
@click.pass_obj
def password(call: Call, name: str, variable: str | None) -> None:
    """Give a user a password, to log in with; their sessions end."""
    from innkeeper.kernel.time import SystemClock
    from innkeeper.runtime.audit import by_command
    from innkeeper.runtime.sessions import set_password
    from innkeeper.store.access import Access

    with Access.open(call.existing_home()) as access:
        access.user(name)
        chosen = _asked(name) if variable is None else _from_environment(variable)
        with by_command(call.home, "password", "user", name):
            told = set_password(access, name, chosen, SystemClock())
    call.answer(told, lambda: click.echo(f"{name} has a new password; {told['sessions_ended']} sessions ended"))


def _asked(name: str) -> str:
    if not sys.stdin.isatty():
        raise UsageError(
            "a password is asked for on a terminal, and there is none",
            code="no-terminal", fix="put it into an environment variable: --password-env VARIABLE",
        )  # fmt: skip
    return str(click.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True, err=True))


def _from_environment(variable: str) -> str:
    if variable not in os.environ:
        raise UsageError(
            f"the environment has no variable {variable!r}", code="bad-variable", fix="set it, and export it"
        )
    return os.environ[variable]


@command.command("list")
@click.pass_obj
def list_(call: Call) -> None:
    """Everybody who may use the API."""
    from innkeeper.kernel.time import SystemClock
    from innkeeper.runtime.access import user_told
    from innkeeper.store.access import Access

    with Access.open(call.existing_home()) as access:
        found = [user_told(each, SystemClock().now()) for each in access.users()]

    def tell() -> None:
        for one in found:
            _tell(one)
        if not found:
            click.echo("no users yet: innkeeper user add NAME --role owner")

    call.answer({"users": found}, tell)


def _tell(one: dict[str, Any]) -> None:
    click.echo(f"{one['user']}  {one['role']}" + ("" if one["active"] else "  (ended)"))
