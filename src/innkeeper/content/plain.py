"""Plain text made from HTML, in one pass over it."""

from __future__ import annotations

import re
from html import unescape

_HIDDEN = ("script", "style", "head", "title")
_BLOCKS = frozenset(
    {
        "address", "article", "blockquote", "br", "dd", "div", "dl", "dt", "footer", "h1", "h2", "h3", "h4", "h5", "h6",
        "header", "hr", "li", "main", "ol", "p", "pre", "section", "table", "tr", "ul",
    }
)  # fmt: skip
_NAME = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)")
_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+))""", re.IGNORECASE)
_SPACES = re.compile(r"[ \t\r\f\v]+")
_LINES = re.compile(r" *\n(?: *\n)+ *")


def strip_tags(html: str) -> str:
    """The text between the tags, without scripts, styles and comments; entities stay as they are."""
    return "".join(text for text, _ in _pieces(html))


def to_text(html: str) -> str:
    """What a person reads: blocks on lines of their own, links with their address behind them.

    >>> to_text('<h1>Hi &amp; welcome</h1><p>See <a href="https://e.example/x">the guide</a>.</p>')
    'Hi & welcome\\n\\nSee the guide (https://e.example/x).\\n'
    """
    parts: list[str] = []
    link = ""
    for text, tag in _pieces(html):
        parts.append(_SPACES.sub(" ", text.replace("\n", " ")))
        name_match = _NAME.match(tag)
        name = name_match[1].lower() if name_match else ""
        if name == "a" and tag.startswith("</"):
            parts.append(f" ({link})" if link and link not in text else "")
            link = ""
        elif name == "a":
            href = _HREF.search(tag)
            link = next((group for group in href.groups() if group), "") if href else ""
        elif name == "li" and not tag.startswith("</"):
            parts.append("\n- ")
        elif name in _BLOCKS:
            parts.append("\n" if name == "br" else "\n\n")
    joined = _LINES.sub("\n\n", unescape("".join(parts)))
    return "\n".join(line.strip() for line in joined.splitlines()).strip() + "\n"


def _pieces(html: str) -> list[tuple[str, str]]:
    """(text, the tag after it), in order; the insides of hidden elements and comments are left out."""
    found: list[tuple[str, str]] = []
    position = 0
    closers: dict[str, int] = {}
    lowered = html.lower()
    while True:
        start = html.find("<", position)
        if start < 0:
            return [*found, (html[position:], "")]
        comment = html.startswith("<!--", start)
        end = html.find("-->" if comment else ">", start)
        if end < 0:
            return [*found, (html[position:start], "")]
        end += 3 if comment else 1
        tag = html[start:end]
        found.append((html[position:start], "" if comment else tag))
        position = end
        name = _NAME.match(tag)
        if name and name[1].lower() in _HIDDEN and not tag.startswith("</"):
            position = _after(lowered, f"</{name[1].lower()}", end, closers)


def _after(lowered: str, closer: str, position: int, closers: dict[str, int]) -> int:
    """Where to go on after a hidden element; remembers that there is no closer, so that it is looked for once."""
    if closers.get(closer) == -1:
        return len(lowered)
    closers[closer] = lowered.find(closer, position)
    return closers[closer] if closers[closer] >= 0 else len(lowered)
