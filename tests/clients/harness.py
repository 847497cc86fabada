"""A running `innkeeper up`, SDKs that send to it in processes of their own, and what the log then holds.

A driver (in the folder `drivers`) reads one JSON document from standard input, `{"url", "key", "calls", …}`, carries
the calls out with its SDK and prints `{"spans": [[begun, ended], …], "answers": […]}`: when each call was made in
milliseconds since 1970, and what the SDK told its caller about it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from support.workspace import Workspace

from innkeeper.kernel.errors import InnkeeperError
from innkeeper.kernel.time import SystemClock, format_instant, parse_instant, try_parse_instant
from innkeeper.runtime import sources
from innkeeper.runtime.links import links_of
from innkeeper.runtime.user_tokens import by_secret
from innkeeper.store.sources import Kind

CLIENTS: Final = Path(__file__).resolve().parent
_SECONDS: Final = 120
#: How many sources there are of each kind, and so how many tests.
_SOURCES: Final = 32
_KINDS: Final[tuple[Kind, ...]] = ("server", "public")
#: The variable from which `up` reads the secret of the user tokens of every public source, and the secret.
SECRET_IN, SECRET = "CLIENTS_TOKEN_SECRET", "a secret of the tests, long enough for HS256"
#: What most message ids look like.
UUID: Final = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"

Call = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Played:
    """What a driver did: when each call was made and what the SDK told its caller; when the process had ended."""

    spans: list[tuple[int, int]]
    answers: list[Any]
    ended: int


@dataclass(frozen=True, slots=True)
class Running:
    """An `innkeeper up` with its workspace, and by kind the sources that nobody has used yet, with their write keys."""

    url: str
    workspace: Workspace
    unused: dict[Kind, list[tuple[str, str]]]

    def source(self, kind: Kind = "server") -> tuple[str, str]:
        """A source of one's own, and its write key."""
        return self.unused[kind].pop()

    def events(self, source: str) -> list[dict[str, Any]]:
        """What the log holds of a source, in its order, as `events list --json` prints it."""
        listed: list[dict[str, Any]] = self.workspace.cli("events", "list", "--source", source, "--last", "10000")[
            "events"
        ]
        return listed

    def identifiers(self, profile: str) -> list[str]:
        """By which identifiers a profile is known; none while there is no such profile."""
        try:
            return [each["identifier"] for each in links_of(self.workspace.home, profile)["identifiers"]]
        except InnkeeperError:
            return []


@contextmanager
def up(home: Path, **environment: str) -> Iterator[Running]:
    """`innkeeper up --json --port 0`, with its sources made before: while it holds the home, nobody else can."""
    workspace = Workspace(home)
    unused = {kind: [_made(home, f"{kind}-{number}", kind) for number in range(_SOURCES)] for kind in _KINDS}
    process = subprocess.Popen(
        [sys.executable, "-m", "innkeeper", "--home", str(home), "up", "--json", "--port", "0"],
        stdout=subprocess.PIPE, text=True, env={**os.environ, **environment},
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout:
        try:
            yield Running(json.loads(process.stdout.readline())["url"], workspace, unused)
        finally:
            process.terminate()
            assert process.wait(timeout=_SECONDS) == 0


def _made(home: Path, name: str, kind: Kind) -> tuple[str, str]:
    made = sources.create(home, name, kind, SystemClock())
    if kind == "public":
        sources.set_user_tokens(home, name, by_secret(SECRET_IN))
    return name, made.keys["write"]


def play(driver: str, calls: Sequence[Call], *, env: Mapping[str, str] | None = None, **setting: Any) -> Played:
    """Carry calls out with a driver, of Python or of Node."""
    if driver.endswith(".mjs"):
        command = [node(), str(CLIENTS / "drivers" / driver)]
    else:
        command = [python(), str(CLIENTS / "drivers" / driver)]
    done = subprocess.run(
        command, input=json.dumps({"calls": calls, **setting}), capture_output=True, text=True, timeout=_SECONDS,
        env={**os.environ, "PYTHONPATH": str(CLIENTS.parent), **(env or {})}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{driver}: {done.stdout}{done.stderr}"
    told = json.loads(done.stdout)
    return Played([(begun, ended) for begun, ended in told["spans"]], told["answers"], SystemClock().now() // 1_000)


def python() -> str:
    """The Python that has the SDKs; the test is skipped where it is missing."""
    found = Path(sys.prefix) / "clients" / "bin" / "python"
    if not found.exists():
        pytest.skip("the SDKs of Python are not installed: make dev")
    return str(found)


def node() -> str:
    """Node with the SDKs beside it; the test is skipped where one of them is missing."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("there is no node on this machine")
    if not (CLIENTS / "node_modules" / ".package-lock.json").exists():
        pytest.skip("the SDKs of Node are not installed: make dev, on a machine that reaches npm")
    return found


def eventually(told: Callable[[], Any], expected: Any) -> None:
    """Wait until the engine has come so far."""
    deadline = time.monotonic() + _SECONDS
    while (last := told()) != expected and time.monotonic() < deadline:
        time.sleep(0.05)
    assert last == expected, f"{last} is not {expected}"


class Like:
    """Equal to every value of a kind, for what an SDK makes up."""

    def __init__(self, words: str, holds: Callable[[Any], bool]) -> None:
        self._words, self._holds = words, holds

    def __eq__(self, other: object) -> bool:
        return self._holds(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{self._words}>"


def text_like(pattern: str) -> Like:
    """Every text that the pattern matches as a whole."""
    return Like(pattern, lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None)


INSTANT: Final = Like("an instant", lambda value: isinstance(value, str) and try_parse_instant(value) is not None)


def instant_in(begun: int, ended: int) -> Like:
    """Every instant from *begun* to *ended*, which are milliseconds since 1970."""
    return Like(
        f"from {format_instant(begun * 1_000)} to {format_instant(ended * 1_000 + 999)}",
        lambda value: isinstance(value, str) and begun * 1_000 <= parse_instant(value) <= ended * 1_000 + 999,
    )
