"""The OpenAPI 3.1 description of the API: what Litestar makes of the routes, and what holds for all of them.

Each operation says its permission, or that it needs none, and how it refuses: the statuses that are usual for its kind,
each by name, and `4XX` for the rest (`problems.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from litestar import Litestar

from innkeeper.web import problems
from innkeeper.web.guard import LONGEST_KEY

#: What a good answer is, by its status; of one that reads, what the route says of itself.
_DONE: Final = {200: "Done", 201: "Made", 202: "Taken; the work goes on from here"}
_KEY: Final = {
    "name": "Idempotency-Key", "in": "header", "required": False,
    "description": (
        "Chosen by the sender. The same request under the same key is done once, and answered again with"
        " Idempotent-Replayed: true for a day. Another request under it is a 422, one that is still worked on a 409;"
        " what failed with 400, 429 or 5xx may be sent again under it. An answer about a secret is not kept: a repeat"
        " is a 409."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
}  # fmt: skip


def describe(app: Litestar) -> dict[str, Any]:
    """The description of an application's API."""
    told: dict[str, Any] = app.openapi_schema.to_schema()
    told["components"]["schemas"]["Problem"] = problems.SCHEMA
    told["components"]["responses"] = problems.responses()
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            opt = handler.opt
            for method in handler.http_methods if opt.get("permission") or opt.get("own_origin") else ():
                path = template(route.path)
                _set_right(told["paths"][path][method.lower()], method, path, opt)
    return told


def _set_right(operation: dict[str, Any], method: str, path: str, opt: dict[str, Any]) -> None:
    """Litestar's description of an operation, where ours answers otherwise."""
    operation |= {"x-permission": opt["permission"]} if opt.get("permission") else {"security": []}
    answers = {status: answer for status, answer in operation["responses"].items() if status.startswith("2")}
    for status, answer in answers.items():
        said = operation["summary"]
        answer["description"] = said if method == "GET" else f"{_DONE[int(status)]}: {said}"
        for content in answer["content"].values():
            (example,) = content["examples"].values()
            content["examples"] = {operation["operationId"]: example}
    refusals = {str(status): {"$ref": f"#/components/responses/{status}"} for status in _refusals(method, path, opt)}
    rest = {"4XX": {"$ref": "#/components/responses/other"}}
    operation["responses"] = answers | refusals | rest
    parameters = operation.get("parameters", [])
    for parameter in parameters:
        # One that may be left out is described as one that may be null, which no address and no header can say.
        options = [each for each in parameter["schema"].get("oneOf", ()) if each != {"type": "null"}]
        if len(options) == 1:
            parameter["schema"] = options[0]
    if method == "POST" and opt.get("permission"):
        operation["parameters"] = [*parameters, _KEY]


def _refusals(method: str, path: str, opt: dict[str, Any]) -> Iterator[int]:
    """The statuses that an operation of this kind refuses with."""
    yield from (400, 401, 403)
    if "{" in path:
        yield 404
    if method != "GET":
        yield from (408, 413)
    if method == "POST":
        yield 409
    yield from (422, 429, *opt["refusals"])
    yield 503


def template(path: str) -> str:
    """A path as OpenAPI writes it: without the types of its parameters."""
    return "/".join(f"{{{part[1:-1].partition(':')[0]}}}" if part.startswith("{") else part for part in path.split("/"))
