"""Values made inert for the place they are printed in: HTML, or Markdown that becomes HTML.

What a template prints with `{{ }}` is always text, never markup, in every format.
"""

from __future__ import annotations

import html
import re

# All characters that begin or end an inline construct anywhere. As entities, which CommonMark reads in text, link
# targets and titles, and never as structure (CommonMark 0.31, section 2.5).
_INLINE = {ord(char): f"&#{ord(char)};" for char in "&<>\"'`*_[]()\\~|!"}
# What makes a block of a line: heading, list, quote, rule, setext underline, numbered list. The space before it
# stays in its line: past the ends of lines, a text of empty ones would be read again from each of them.
_BLOCK = re.compile(r"(?m)^([^\S\n]*)(?:([#+\-=:])|(\d{1,9})([.)]))")
_BREAK = re.compile(r"\r\n?|\n")


def escape_nothing(text: str) -> str:
    """The text as it is; for plain text, which nothing interprets."""
    return text


def escape_html(text: str) -> str:
    """The text inside HTML, also inside a quoted attribute.

    >>> escape_html('<b> & "c"')
    '&lt;b&gt; &amp; &quot;c&quot;'
    """
    return html.escape(text, quote=True)


def escape_markdown(text: str) -> str:
    """The text inside Markdown, in a way that shows exactly it.

    >>> escape_markdown("*a* 1. b")
    '&#42;a&#42; 1. b'
    >>> escape_markdown("1. b")
    '1&#46; b'
    """
    # Space at an end would make indented code of the line, or keep the ** around a value from being bold.
    escaped = text.strip().translate(_INLINE)
    escaped = _BLOCK.sub(_escape_block, escaped)
    # As an entity a line break is a space to a reader, and cannot end the paragraph, heading or list around it.
    return _BREAK.sub("&#10;", escaped) if "\n" in escaped or "\r" in escaped else escaped


def _escape_block(match: re.Match[str]) -> str:
    space, mark, digits, dot = match.groups()
    if mark:
        return f"{space}&#{ord(mark)};"
    return f"{space}{digits}&#{ord(dot)};"
