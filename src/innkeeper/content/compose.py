"""A message composed for one person: the variant in their language, with subject, text and HTML.

Liquid runs first, Markdown second, so that what a value brings is text in both. Next in the flow:
`runtime/deliver.py`, which hands a `Rendered` to a channel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from innkeeper.content.errors import TemplateFailed
from innkeeper.content.headers import check_header
from innkeeper.content.plain import to_text
from innkeeper.content.render import Escaping, compiled
from innkeeper.content.types import Message, Variant

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

# A link that runs something instead of going somewhere; browsers ignore spaces and control characters in the scheme.
_BAD_LINK = re.compile(
    r"""\b(?:href|src|action|formaction|background)\s*=\s*["']?[\s\x00-\x20]*(?:javascript|vbscript|data(?!:image/))\s*:""",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A message ready for a channel; *html* is None for plain text. *locale* is the variant that was used."""

    subject: str
    text: str
    html: str | None
    locale: str


def choose_variant(message: Message, locale: str | None) -> Variant:
    """The variant in a locale, else in its language, else the default one.

    >>> choose_variant.__name__
    'choose_variant'
    """
    by_locale = {variant.locale.replace("_", "-").lower(): variant for variant in reversed(message.variants)}
    wanted = (locale or "").replace("_", "-").lower()
    while wanted:
        if wanted in by_locale:
            return by_locale[wanted]
        wanted = wanted.rpartition("-")[0]
    return message.variants[0]


def render_message(message: Message, context: Mapping[str, object]) -> Rendered:
    """A message with the values of one person.

    Args:
        message: What to send.
        context: What templates read: `profile`, `event`, `journey`, `message`, `workspace`; `locale` picks the variant
            (else `profile.locale`); `now` and `zone` serve the filter `date`.

    Raises:
        MissingValue: The message aborts on missing values and one is.
        TemplateFailed: A template is wrong or needs more than the limits allow.
        UnsafeHeader: The subject holds what could start another header.
    """
    variant = choose_variant(message, _locale(context))
    subject = check_header("Subject", _fill(message, variant.subject.strip(), "text", context))
    if variant.format == "text":
        return Rendered(
            subject=subject, text=_body(message, variant, "text", context), html=None, locale=variant.locale
        )
    if variant.format == "html":
        html = _inert(_body(message, variant, "html", context))
        return Rendered(subject=subject, text=to_text(html), html=html, locale=variant.locale)
    text = _body(message, variant, "text", context)
    source = _body(message, variant, "markdown", context)
    html = _page(_markdown().render(source), variant.locale)
    return Rendered(subject=subject, text=text, html=html, locale=variant.locale)


def check_markdown(body: str) -> list[tuple[int, str]]:
    """HTML tags in a Markdown body: (1-based line, message). They would come out as text.

    >>> check_markdown("fine `<b>`\\n\\nHello<br>you")
    [(3, "'<br>' would be printed as text")]
    """
    from markdown_it import MarkdownIt

    found: list[tuple[int, str]] = []
    for block in MarkdownIt("commonmark").parse(body):
        first = (block.map or [0])[0] + 1
        if block.type == "html_block":
            found.append((first, f"'{block.content.strip().splitlines()[0]}' would be printed as text"))
        line = first
        for piece in block.children or ():
            if piece.type == "html_inline":
                found.append((line, f"'{piece.content}' would be printed as text"))
            line += piece.type in ("softbreak", "hardbreak")
    return found


def _locale(context: Mapping[str, object]) -> str | None:
    profile = context.get("profile")
    found = context.get("locale") or (profile.get("locale") if isinstance(profile, Mapping) else None)
    return found if isinstance(found, str) else None


def _body(message: Message, variant: Variant, escaping: Escaping, context: Mapping[str, object]) -> str:
    return _fill(message, variant.body, escaping, context)


def _fill(message: Message, template: str, escaping: Escaping, context: Mapping[str, object]) -> str:
    if "{" not in template:
        return template
    from innkeeper.content.templates import render

    return render(compiled(template, escaping), context, abort=message.missing == "abort", defaults=message.defaults)


def _inert(html: str) -> str:
    if _BAD_LINK.search(html):
        raise TemplateFailed("a link of the message would run a script", code="unsafe-link")
    return html


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    """CommonMark with tables and strikethrough, without raw HTML: the library's own advice for what is not trusted."""
    from markdown_it import MarkdownIt

    return MarkdownIt("js-default", {"linkify": False, "typographer": False})


def _page(body: str, locale: str) -> str:
    """A document around the body, so that mail programs know letters and language."""
    return (
        f'<!doctype html>\n<html lang="{locale.replace("_", "-")}">\n<head><meta charset="utf-8"></head>\n'
        f"<body>\n{body}</body>\n</html>\n"
    )
