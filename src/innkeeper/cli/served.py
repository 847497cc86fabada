"""A command that writes, beside a home that `up` serves: the call goes to its API, which has the stores."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NoReturn, Protocol, cast
from urllib.parse import quote, urlencode

#: Where a served home says who serves it (`runtime/serve.py`).
_DOOR = "door.json"


class Readable(Protocol):
    """What a file is to whoever sends it."""

    def read(self, size: int, /) -> bytes:
        """The next bytes; none at the end."""


def ask(home: Path, method: str, parts: tuple[str, ...], body: Any = None, **headers: str) -> Any:
    """The answer of the API of a served home; None where nobody serves it, so that the caller does the work.

    Args:
        home: Folder of the workspace.
        method: Of the request.
        parts: Of the address below `/api/v1`, as they are.
        body: Sent as JSON.
        headers: More of them, `_` for `-`.

    Raises:
        UsageError, OperationFailed: As the same call raises without a server.
    """
    from innkeeper.kernel.json import dumps_bytes

    told = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is None:
        return _asked(home, method, _path(parts), None, told)
    return _asked(home, method, _path(parts), dumps_bytes(body), told | {"Content-Type": "application/json"})


def send(home: Path, parts: tuple[str, ...], query: dict[str, str], file: Readable, size: int) -> Any:
    """As `ask`, with a file as the body, which is read as it goes."""
    told = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
    return _asked(home, "POST", f"{_path(parts)}?{urlencode(query)}", file, told)


def publish(home: Path, files: dict[str, str], number: int, *, allow_unknown: bool) -> Any:
    """Put a strategy in force in a served home, in place of the one with a number; None where nobody serves it."""
    draft = {"files": files, "allow_unknown": allow_unknown}
    return ask(home, "POST", ("definitions", "publish"), draft, If_Match=f'"{number}"')


def is_served(home: Path) -> bool:
    """Whether somebody serves a home, as far as can be told without asking."""
    return _door(home) is not None


def refuse(home: Path, why: str, fix: str) -> None:
    """Stop a command that cannot be done beside a served home; nothing where nobody serves it.

    Raises:
        OperationFailed: It is served.
    """
    door = _door(home)
    if door is not None and ask(home, "GET", ("session",)) is not None:
        from innkeeper.kernel.errors import OperationFailed

        raise OperationFailed(
            f"the workspace at {home} is served by the process with pid {door['pid']}: {why}", code="served", fix=fix
        )


def _path(parts: tuple[str, ...]) -> str:
    return "/".join(quote(part, safe="") for part in parts)


def _asked(home: Path, method: str, path: str, body: bytes | Readable | None, headers: dict[str, str]) -> Any:
    door = _door(home)
    if door is None:
        return None
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

    from innkeeper.kernel.errors import OperationFailed
    from innkeeper.kernel.json import loads

    told = headers | {"Authorization": f"Bearer {door['token']}"}
    request = Request(f"{door['url']}/api/v1/{path}", cast("Any", body), told, method=method)
    try:
        with build_opener(ProxyHandler({}), HTTPSHandler(context=_trust(door["certificate"]))).open(request) as answer:
            return loads(answer.read())
    except HTTPError as error:
        raise_told(error.code, loads(error.read()))
    except (OSError, HTTPException) as error:
        if isinstance(getattr(error, "reason", None), ConnectionRefusedError):
            # Nobody listens: it was killed, and its number is another's. Who holds the home, if anybody, is for the
            # lock to say.
            return None
        raise OperationFailed(
            f"the workspace at {home} is served by the process with pid {door['pid']}, which gave no answer"
            f" ({type(error).__name__}); whether it was done is not known", code="no-answer",
            fix="look before you call again: innkeeper audit list",
        ) from error  # fmt: skip


def _door(home: Path) -> dict[str, Any] | None:
    """Who serves the home; one that was killed has left its word behind."""
    from innkeeper.kernel.json import loads

    try:
        door: dict[str, Any] = loads((home / _DOOR).read_bytes())
        os.kill(door["pid"], 0)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    return door


def _trust(certificate: str | None) -> Any:
    """Trust in the certificate that the door has, and in no other; it need not name this machine."""
    if certificate is None:
        return None
    import ssl

    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    return context


def raise_told(status: int, told: dict[str, Any]) -> NoReturn:
    """Raise what the API says that went wrong.

    Raises:
        UsageError, OperationFailed: It.
    """
    from innkeeper.kernel.errors import Invalid, OperationFailed, Problem, UsageError

    if "errors" in told:
        raise Invalid([Problem(**each) for each in told["errors"]])
    kind = OperationFailed if status in (401, 403, 409, 412, 429) or status >= 500 else UsageError
    raise kind(told["detail"], code=told["code"], fix=told["fix"])
