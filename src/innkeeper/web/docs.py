"""`/docs`: every route of the API on one page, made of its OpenAPI description. No script, no other host."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any, Final

from litestar import MediaType, Response, get
from litestar.types import ControllerRouterHandler

from innkeeper.kernel.json import dumps, dumps_bytes

Describe = Callable[[], dict[str, Any]]

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1d2433}"
    "h2{margin-top:3rem;border-bottom:1px solid #d8dde6;text-transform:capitalize}"
    "h3{margin:2rem 0 .2rem;font-size:1rem}code,pre{font:14px/1.45 ui-monospace,monospace}"
    "pre{background:#f4f6f9;padding:.8rem;border-radius:6px;white-space:pre-wrap;overflow-wrap:anywhere}"
    ".m{display:inline-block;min-width:4.2rem;font-weight:700}.p{color:#5b6577}td{padding:.1rem 1.5rem .1rem 0}"
)
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"


def routes(describe: Describe) -> list[ControllerRouterHandler]:
    """The routes: they tell of no workspace, so they are open."""

    @get("/openapi.json", sync_to_thread=False, include_in_schema=False, opt={"open": True})
    def openapi() -> Response[bytes]:
        return Response(dumps_bytes(describe()), media_type=MediaType.JSON)

    @get("/docs", sync_to_thread=False, include_in_schema=False, opt={"open": True})
    def docs() -> Response[str]:
        headers = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"}
        return Response(_page(describe()), media_type=MediaType.HTML, headers=headers)

    return [openapi, docs]


def _page(description: dict[str, Any]) -> str:
    by_noun: dict[str, list[str]] = {}
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            noun = operation["tags"][0]
            by_noun.setdefault(noun, []).append(_operation(path, method, operation))
    parts = [f'<h2 id="{escape(noun)}">{escape(noun)}</h2>{"".join(found)}' for noun, found in sorted(by_noun.items())]
    links = " · ".join(f'<a href="#{escape(noun)}">{escape(noun)}</a>' for noun in sorted(by_noun))
    info = description["info"]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}</title>'
        f"<style>{_STYLE}</style><h1>{escape(info['title'])}</h1><p>{escape(info['description'])}</p>"
        f'<p><a href="/openapi.json">openapi.json</a></p><p>{links}</p>{"".join(parts)}</html>'
    )


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(each['name'])}</code></td><td>{escape(each['in'])}"
        f"{', needed' if each.get('required') else ''}</td></tr>"
        for each in operation.get("parameters", [])
    )
    answers = operation["responses"]
    good = next(each for status, each in sorted(answers.items()) if status.startswith("2"))
    examples = good.get("content", {}).get("application/json", {}).get("examples", {})
    shown = "".join(f"<pre>{escape(dumps(each['value']))}</pre>" for each in examples.values())
    permission = operation.get("x-permission", "open")
    return (
        f'<h3><span class="m">{method.upper()}</span> <code>{escape(path)}</code></h3>'
        f"<p>{escape(operation.get('summary', ''))} <span class='p'>{escape(permission)}</span></p>"
        f"<table>{rows}</table>{shown}"
    )
