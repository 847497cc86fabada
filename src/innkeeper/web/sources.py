"""What SDKs ask about a source before they send, and the event debugger: what became of a source's last events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from litestar import Response, get
from litestar.params import FromPath
from litestar.response import Stream
from litestar.types import ControllerRouterHandler

from innkeeper.runtime.debugger import Watch
from innkeeper.web.answers import error, unauthorized
from innkeeper.web.requests import Desk, Http, keys

#: A comment goes out so often, so that who has left is noticed.
_PATIENCE_SECONDS: Final = 15.0


def routes(desk: Desk) -> list[ControllerRouterHandler]:
    """The routes."""
    return [*_settings(desk), _debug(desk)]


def _settings(desk: Desk) -> list[ControllerRouterHandler]:
    @get("/v1/projects/{key:str}/settings", sync_to_thread=False)
    def segment(request: Http, key: FromPath[str]) -> Response[Any]:
        if desk.door.keyring.sender([key]) is None:
            return error(404, "not-found", "there is no source with this key")
        address = {"apiKey": key, "apiHost": f"{_host(request)}/v1", "protocol": request.url.scheme}
        more = {"unbundledIntegrations": [], "addBundledMetadata": True, "versionSettings": {}}
        return Response(
            {
                "integrations": {"Segment.io": address | more}, "plan": {"track": {"__default": {"enabled": True}}},
                "edgeFunction": {}, "analyticsNextEnabled": True, "middlewareSettings": {}, "enabledMiddleware": {},
                "metrics": {"sampleRate": 0}, "legacyVideoPluginsEnabled": False, "remotePlugins": [],
            }
        )  # fmt: skip

    @get("/sourceConfig", sync_to_thread=False)
    def rudderstack(request: Http) -> Response[Any]:
        for key in keys(request):
            sender = desk.door.keyring.sender([key])
            if sender is not None:
                return _source_config(sender.source, key)
        return unauthorized()

    return [segment, rudderstack]


def _source_config(source: str, key: str) -> Response[Any]:
    return Response(
        {
            "source": {
                "id": source, "name": source, "writeKey": key,
                "enabled": True, "workspaceId": "innkeeper", "config": {"statsCollection": {}},
                "destinations": [], "dataplanes": {},
            },
            "consentManagementMetadata": {},
        }
    )  # fmt: skip


def _debug(desk: Desk) -> ControllerRouterHandler:
    @get("/v1/sources/{name:str}/debug", sync_to_thread=False)
    def debug(request: Http, name: FromPath[str]) -> Response[Any] | Stream:
        if not desk.door.keyring.may_watch(keys(request), name):
            return unauthorized()
        if "text/event-stream" not in request.headers.get("accept", ""):
            return Response({"events": [each.as_dict() for each in desk.door.debugger.last(name)]})
        watch = desk.door.debugger.watch(name)
        return Stream(_events(watch), media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    return debug


async def _events(watch: Watch) -> AsyncIterator[str]:
    try:
        while True:
            told = await watch.next(_PATIENCE_SECONDS)
            yield ": nothing\n\n" if told is None else f"data: {told}\n\n"
    finally:
        watch.close()


def _host(request: Http) -> str:
    return request.headers.get("host", "localhost")
