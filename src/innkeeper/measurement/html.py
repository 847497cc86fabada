"""HTML and SVG by small functions that escape everything; no template, so nothing can be forgotten.

Not here: what a page looks like (`overview_page.py`), the charts (`charts.py`).
"""

from __future__ import annotations

from html import escape

_VOID = frozenset({"meta", "br", "hr", "line", "rect", "circle", "path"})


class Html(str):
    """Text that already is HTML; every other text is escaped on its way in."""

    __slots__ = ()


def tag(name: str, /, *children: object, **attributes: object) -> Html:
    """An element. Attributes: `class_` is `class`, `stroke_width` is `stroke-width`; None leaves one out.

    >>> tag("p", "a < b", tag("b", "c"), class_="x")
    '<p class="x">a &lt; b<b>c</b></p>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID and not children:
        return Html(f"<{name}{written}/>")
    return Html(f"<{name}{written}>{join(children)}</{name}>")


def join(children: object) -> Html:
    """Children one after the other: texts escaped, `Html` as it is, None left out, lists and tuples opened."""
    if children is None:
        return Html("")
    if isinstance(children, Html):
        return children
    if isinstance(children, list | tuple):
        return Html("".join(join(child) for child in children))
    return Html(escape(str(children)))


def number(value: int) -> str:
    """A whole number with thin spaces between the thousands.

    >>> number(1234567)
    '1\\u202f234\\u202f567'
    """
    return f"{value:,}".replace(",", "\u202f")
