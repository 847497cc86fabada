"""A command that writes, beside a home that `up` serves: the call goes to its API, which has the stores."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

#: Where a served home says who serves it (`runtime/serve.py`).
_DOOR = "door.json"


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
    door = _door(home)
    if door is None:
        return None
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

    from innkeeper.kernel.errors import OperationFailed
    from innkeeper.kernel.json import dumps_bytes, loads

    address = "/".join([f"{door['url']}/api/v1", *(quote(part, safe="") for part in parts)])
    told = {"Authorization": f"Bearer {door['token']}"} | {k.replace("_", "-"): v for k, v in headers.items()}
    if body is not None:
        told["Content-Type"] = "application/json"
    request = Request(address, None if body is None else dumps_bytes(body), told, method=method)
    try:
        with build_opener(ProxyHandler({}), HTTPSHandler(context=_trust(door["certificate"]))).open(request) as answer:
            return loads(answer.read())
    except HTTPError as error:
        _raise(error.code, loads(error.read()))
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


def publish(home: Path, files: dict[str, str], number: int, *, allow_unknown: bool) -> Any:
    """Put a strategy in force in a served home, in place of the one with a number; None where nobody serves it."""
    draft = {"files": files, "allow_unknown": allow_unknown}
    return ask(home, "POST", ("definitions", "publish"), draft, If_Match=f'"{number}"')


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


def _raise(status: int, told: dict[str, Any]) -> None:
    from innkeeper.kernel.errors import Invalid, OperationFailed, Problem, UsageError

    if "errors" in told:
        raise Invalid([Problem(**each) for each in told["errors"]])
    kind = OperationFailed if status in (401, 403, 409, 412, 429) or status >= 500 else UsageError
    raise kind(told["detail"], code=told["code"], fix=told["fix"])
