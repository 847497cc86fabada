"""Commands beside a served home, both in this process: quick enough to try them all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from click.testing import CliRunner

from innkeeper.cli.main import cli
from innkeeper.kernel.errors import InnkeeperError
from innkeeper.runtime.lock import hold
from innkeeper.runtime.serve import DOOR
from support.door import Served


class Done(NamedTuple):
    """What a command answered, or raised."""

    told: Any
    error: BaseException | None

    @property
    def code(self) -> str:
        """The code of its error; empty where there is none."""
        return self.error.code if isinstance(self.error, InnkeeperError) else ""


@contextmanager
def announced(found: Served) -> Iterator[None]:
    """Within it the home is held, and commands find its door."""
    door = {
        "url": f"http://127.0.0.1:{found.port}", "pid": os.getpid(), "token": found.house.doorman.local_token,
        "certificate": None,
    }  # fmt: skip
    with hold(found.home):
        (found.home / DOOR).write_text(json.dumps(door))
        try:
            yield
        finally:
            (found.home / DOOR).unlink()


def command(home: Any, *arguments: str) -> Done:
    """A command in this process, with --json."""
    done = CliRunner().invoke(cli, ["--home", str(home), "--json", *arguments], catch_exceptions=True, obj=[])
    error = done.exception
    return Done(json.loads(done.stdout) if done.stdout.strip() and error is None else None, error)
