"""The Model Context Protocol: what is answered to one message, whichever way it came. No state between messages.

Two eras of the protocol are spoken. Since 2026-07-28 every request carries its version and there is no handshake; up to
2025-11-25 a client begins with `initialize`. Which one a request is of is seen from the request. The tools:
`mcp_tools.py`; over HTTP: `mcp.py`; over standard input and output: `cli/mcp.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import structlog

from innkeeper import __version__
from innkeeper.kernel.json import loads
from innkeeper.runtime.access import Actor
from innkeeper.web.mcp_tools import DATA, Toolbox, use

#: Versions without a handshake, and those with one; the newest last.
MODERN: Final = ("2026-07-28",)
WITH_HANDSHAKE: Final = ("2025-06-18", "2025-11-25")

VERSION_KEY: Final = "io.modelcontextprotocol/protocolVersion"
_CLIENT_KEY: Final = "io.modelcontextprotocol/clientCapabilities"
_SERVER_KEY: Final = "io.modelcontextprotocol/serverInfo"

PARSE_ERROR, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS, INTERNAL = -32700, -32600, -32601, -32602, -32603
HEADER_MISMATCH, UNSUPPORTED_VERSION = -32020, -32022

_INSTRUCTIONS: Final = (
    "Innkeeper is a customer lifecycle engine. These tools read one workspace: customers, audiences, decisions,"
    " deliveries, objects, accounts, items, definitions; draft_definitions checks and plans a draft, which a person"
    f" applies. Begin with show_status, list_event_names and list_traits. {DATA}"
)
#: How long a client may keep the list of tools; it depends on the token.
_KEPT_MS: Final = 60_000
_KEPT: Final = {"ttlMs": _KEPT_MS, "cacheScope": "private"}

logger = structlog.get_logger()


class Refused(Exception):
    """A request that cannot be answered: an error of JSON-RPC."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


@dataclass(frozen=True, slots=True)
class Call:
    """A request, read; *id* is absent (None) where no answer is wanted."""

    id: str | int | None
    method: str
    params: Mapping[str, Any]

    @property
    def version(self) -> Any:
        """The version that it carries; None where it carries none: it is of the time of the handshake."""
        meta = self.params.get("_meta")
        return meta.get(VERSION_KEY) if isinstance(meta, dict) else None

    @property
    def tool(self) -> object:
        """The tool that it calls; None where it calls none."""
        return self.params.get("name") if self.method == "tools/call" else None


def read(body: bytes) -> Call:
    """A message of a client. An answer to something that we never ask is a call of nothing.

    Raises:
        Refused: It is no message.
    """
    try:
        said = loads(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Refused(PARSE_ERROR, "the message is not JSON") from error
    if not isinstance(said, dict) or said.get("jsonrpc") != "2.0":
        raise Refused(INVALID_REQUEST, 'a message is one object with "jsonrpc": "2.0"; batches are not taken')
    if "method" not in said and ("result" in said or "error" in said):
        return Call(None, "", {})
    id, method, params = said.get("id"), said.get("method"), said.get("params", {})
    if not isinstance(method, str) or not isinstance(params, dict):
        raise Refused(INVALID_REQUEST, '"method" must be a string and "params" an object')
    if "id" in said and (not isinstance(id, str | int) or isinstance(id, bool)):
        raise Refused(INVALID_REQUEST, '"id" must be a string or a whole number')
    return Call(id, method, params)


def answer(tools: Toolbox, call: Call, actor: Actor) -> dict[str, Any]:
    """The answer to a request: a message of JSON-RPC."""
    try:
        result = _result(tools, call, actor)
    except Refused as refused:
        return failure(refused, call.id)
    except Exception as failed:  # noqa: BLE001 - told as a bug and logged; the next request is answered
        # The place, not the text: it may hold what a customer sent.
        logger.error("a bug", action="mcp", reason=type(failed).__name__)
        return failure(Refused(INTERNAL, "a bug in Innkeeper; its log says where"), call.id)
    if call.version is not None:
        result = {"resultType": "complete", "_meta": {_SERVER_KEY: _us()}} | result
    return {"jsonrpc": "2.0", "id": call.id, "result": result}


def failure(refused: Refused, id: str | int | None) -> dict[str, Any]:
    """An error of JSON-RPC."""
    data = {} if refused.data is None else {"data": refused.data}
    return {"jsonrpc": "2.0", "id": id, "error": {"code": refused.code, "message": refused.message, **data}}


def unsupported(version: str) -> Refused:
    """A version that is not spoken here."""
    spoken = [*WITH_HANDSHAKE, *MODERN]
    return Refused(UNSUPPORTED_VERSION, "Unsupported protocol version", {"supported": spoken, "requested": version})


def _result(tools: Toolbox, call: Call, actor: Actor) -> dict[str, Any]:
    version = call.version
    if version is not None:
        _check_modern(call, version)
    match call.method, version:
        case "server/discover", str():
            about = {"capabilities": _capabilities(), "instructions": _INSTRUCTIONS}
            return {"supportedVersions": [*WITH_HANDSHAKE, *MODERN]} | about | _KEPT
        case "initialize", None:
            return _greeting(call.params.get("protocolVersion"))
        case "ping", None:
            return {}
        case "tools/list", _:
            if call.params.get("cursor") is not None:
                raise Refused(INVALID_PARAMS, "the list of tools has one page")
            told = {"tools": [tool.told() for tool in tools.open_to(actor)]}
            return told if version is None else told | _KEPT
        case "tools/call", _:
            tool = tools.named(call.tool)
            if tool is None:
                raise Refused(INVALID_PARAMS, f"there is no tool {call.tool!r}; tools/list names all")
            return use(tool, call.params.get("arguments") or {}, actor)
    raise Refused(NO_METHOD, f"there is no method {call.method!r}")


def _check_modern(call: Call, version: object) -> None:
    if not isinstance(version, str):
        raise Refused(INVALID_PARAMS, f"{VERSION_KEY} must be a string")
    if _CLIENT_KEY not in call.params["_meta"]:
        raise Refused(INVALID_PARAMS, f"params._meta must carry {_CLIENT_KEY}")
    if version not in MODERN:
        raise unsupported(version)


def _greeting(version: object) -> dict[str, Any]:
    """The answer to `initialize`: the client's version where we speak it, else the newest that begins so."""
    agreed = version if version in WITH_HANDSHAKE else WITH_HANDSHAKE[-1]
    about = {"capabilities": _capabilities(), "instructions": _INSTRUCTIONS}
    return {"protocolVersion": agreed, "serverInfo": _us()} | about


def _us() -> dict[str, str]:
    return {"name": "innkeeper", "title": "Innkeeper", "version": __version__}


def _capabilities() -> dict[str, Any]:
    return {"tools": {}}
