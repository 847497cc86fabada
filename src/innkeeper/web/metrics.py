"""Figures for Prometheus: `GET /metrics` in its text format 0.0.4, and the counting of requests.

A label is a route, a status, a source's name or one of our codes: none is taken from what a customer sends, and each is
bounded. It opens with the token of `INNKEEPER_METRICS_TOKEN` alone (docs/adr/0037-what-up-tells-about-itself.md).
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from litestar import Response, get
from litestar.enums import ScopeType
from litestar.types import ASGIApp, ControllerRouterHandler, Message, Receive, Scope, Send

from innkeeper.runtime.house import House
from innkeeper.runtime.ingest import Door
from innkeeper.web.answers import error
from innkeeper.web.plain import Asked
from innkeeper.web.requests import Http

#: Sources that are told apart; the rest are one.
MOST_SOURCES: Final = 200
#: The framework adds the character set.
_MEDIA: Final = "text/plain; version=0.0.4"
#: Addresses by how they begin; whatever else is asked for is `other`.
_ROUTES: Final = (
    "/v1/projects/", "/v1/sources/", "/v1/", "/api/v1/", "/api/v2/", "/api/public/", "/beacon/", "/cloudevents",
    "/sourceConfig", "/mcp", "/health", "/ready", "/metrics",
)  # fmt: skip

Labels = tuple[tuple[str, str], ...]
Figure = tuple[str, str, str, Iterable[tuple[Labels, float]]]


class Meter:
    """Counts requests by route and status."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()

    def over(self, app: ASGIApp) -> ASGIApp:
        """The application, its answers counted."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                await app(scope, receive, send)
                return
            route = next((begin for begin in _ROUTES if scope["path"].startswith(begin)), "other")

            async def seen(message: Message) -> None:
                if message["type"] == "http.response.start":
                    self.requests[route, message["status"]] += 1
                await send(message)

            await app(scope, receive, seen)

        return counted


def route(house: House, meter: Meter, token: str | None) -> ControllerRouterHandler:
    """The route; without a token there is nothing behind it."""

    @get("/metrics", sync_to_thread=True)
    def metrics(request: Http) -> Response[Any]:
        if token is None:
            return error(404, "not-found", "there is no such address")
        if not _opens(request, token):
            return error(401, "bad-token", "Authorization: Bearer needs the token of INNKEEPER_METRICS_TOKEN")
        return Response("\n".join(_lines(_figures(house, meter))) + "\n", media_type=_MEDIA)

    return metrics


def _opens(request: Asked, token: str) -> bool:
    scheme, _, said = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and secrets.compare_digest(said.strip().encode(), token.encode())


def _figures(house: House, meter: Meter) -> Iterator[Figure]:
    door, health = house.door, house.health()
    relay = {name: float(value) for name, value in (house.relay() or {}).items()}
    writer = door.writer
    rows, size = writer.waiting
    yield (
        "innkeeper_requests_total",
        "counter",
        "Requests answered.",
        [
            ((("route", name), ("status", str(status))), number)
            for (name, status), number in sorted(meter.requests.items())
        ],
    )
    yield "innkeeper_events_total", "counter", "Events by what became of them.", _events(door)
    yield from (
        (name, kind, text, [((), value)])
        for name, kind, text, value in (
            ("innkeeper_queue_events", "gauge", "Events that wait to be written.", rows),
            ("innkeeper_queue_bytes", "gauge", "Bytes that wait to be written.", size),
            ("innkeeper_commits_total", "counter", "Commits of the log.", writer.commits),
            ("innkeeper_commit_seconds_total", "counter", "Seconds of all commits.", writer.commit_seconds),
            ("innkeeper_commit_seconds_max", "gauge", "Seconds of the longest commit.", writer.longest_seconds),
            ("innkeeper_engine_up", "gauge", "Whether the engine runs.", float(health.get("engine", False))),
            ("innkeeper_engine_lag_seconds", "gauge", "How far the engine is behind.", health.get("lag_seconds")),
            ("innkeeper_outbox_events", "gauge", "Outputs that wait for the log.", health.get("outbox")),
            ("innkeeper_relay_up", "gauge", "Whether the relay to subscriptions runs.", relay.get("up")),
            ("innkeeper_relay_restarts_total", "counter", "Relays that had to be replaced.", relay.get("restarts")),
            ("innkeeper_log_bytes", "gauge", "Bytes of the log on disk.", _log_bytes(door.home)),
            ("innkeeper_memory_bytes", "gauge", "Memory of the door's process.", _resident_bytes()),
        )
        if value is not None
    )


def _events(door: Door) -> list[tuple[Labels, float]]:
    """Events by source and code; sources beyond the limit together."""
    counted: Counter[tuple[str, str]] = Counter()
    # A copy, because the door goes on counting in another thread.
    found = door.became.copy()
    named = set(sorted({source for source, _ in found})[:MOST_SOURCES])
    for (source, what), number in found.items():
        counted[source if source in named else "other", what] += number
    return [((("source", source), ("became", what)), number) for (source, what), number in sorted(counted.items())]


def _lines(figures: Iterable[Figure]) -> Iterator[str]:
    for name, kind, text, values in figures:
        yield f"# HELP {name} {text}"
        yield f"# TYPE {name} {kind}"
        for labels, value in values:
            told = ",".join(f'{key}="{_escaped(each)}"' for key, each in labels)
            yield f"{name}{{{told}}} {value!r}" if told else f"{name} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _log_bytes(home: Path) -> int:
    files = [*home.glob("log.db*"), *(home / "segments").glob("*")]
    return sum(size for each in files if (size := _size(each)) is not None)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        # Sealing takes files away meanwhile.
        return None


def _resident_bytes() -> int | None:
    """None where the system does not say it in the way of Linux."""
    path = Path("/proc/self/statm")
    return int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if path.exists() else None
