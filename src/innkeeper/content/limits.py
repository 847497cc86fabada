"""How much one rendering may cost: counted in steps, not in seconds, so that replay answers as the first run did.

A step is about two microseconds on the slowest machine we care for; 250 ms of processor time are the promise (A2 of the
security catalogue, measured by `tests/unit/test_templates.py`).
"""

from __future__ import annotations

import re

from innkeeper.content.errors import TemplateFailed

#: Longest template, in characters.
TEMPLATE_LENGTH = 128 * 1024
#: Most tags and outputs of a template, and the longest of them: what bounds the time of parsing.
TAGS = 3_000
TAG_LENGTH = 8_000
#: Longest output, in bytes.
OUTPUT_BYTES = 1024 * 1024
#: Most iterations of all loops inside one another.
LOOP_ITERATIONS = 10_000
#: Most bytes that `assign` and `capture` may hold.
LOCAL_BYTES = 1024 * 1024
#: Most steps of one rendering.
STEPS = 60_000
#: Largest integer that filters reckon with, in bits.
INTEGER_BITS = 256


class Meter:
    """Counts the steps of one rendering."""

    __slots__ = ("spent",)

    def __init__(self) -> None:
        self.spent = 0

    def charge(self, steps: int) -> None:
        """Count steps; raises `TemplateFailed` past the limit."""
        self.spent += steps
        if self.spent > STEPS:
            raise TemplateFailed(
                f"the template needs more than {STEPS:,} steps", code="template-limit", fix="loop over fewer things"
            )

    def charge_value(self, value: object) -> None:
        """Count the size of a value that a filter reads or makes, and refuse what no message needs."""
        if isinstance(value, str | list | tuple | dict):
            self.charge(len(value) // 64)
        elif isinstance(value, range):
            # Counted without len(), which overflows for the largest ranges.
            self.charge(max(value.stop - value.start, 0))
        elif isinstance(value, int) and value.bit_length() > INTEGER_BITS:
            raise TemplateFailed("the template makes a number that is too large", code="template-limit")


def check_product(name: str, args: tuple[object, ...]) -> None:
    """Refuse the filters whose output is a product of their inputs before they make it.

    Raises:
        TemplateFailed: The output would be longer than a message may be.
    """
    if name == "join" and len(args) > 1 and isinstance(args[0], list | tuple):
        size = len(args[0]) * len(str(args[1]))
    elif name.startswith("replace") and len(args) > 2:
        text, old, new = (str(arg) for arg in args[:3])
        found = text.count(old) if name == "replace" else 1
        size = found * len(new)
    else:
        return
    if size > OUTPUT_BYTES:
        raise TemplateFailed("the template makes a text that is too long", code="template-limit")


_END = {name: re.compile(rf"\{{%-?\s*end{name}\s*-?%\}}") for name in ("raw", "doc")}
_VERBATIM = re.compile(r"\{%-?\s*(raw|doc)\s*-?%\}")


def check_shape(source: str) -> None:
    """Refuse what Liquid's parser would take long over: tags that are never closed, too long or too many.

    Its lexer looks for each missing end in all the rest of the text; this looks once.

    Raises:
        TemplateFailed: With the line in `where`.
    """
    if len(source) > TEMPLATE_LENGTH:
        raise TemplateFailed(
            f"the template has {len(source):,} characters; at most {TEMPLATE_LENGTH:,} are allowed",
            code="template-limit",
        )
    position, count = 0, 0
    while (start := _opener(source, position)) >= 0:
        closer = "}}" if source.startswith("{{", start) else "%}"
        end = source.find(closer, start + 2)
        count += 1
        if end < 0:
            _refuse(source, start, f"'{source[start : start + 2]}' is never closed with '{closer}'")
        if end - start > TAG_LENGTH:
            _refuse(source, start, f"a tag is longer than {TAG_LENGTH:,} characters")
        if count > TAGS:
            _refuse(source, start, f"the template has more than {TAGS:,} tags")
        position = end + 2
        verbatim = _VERBATIM.match(source, start)
        if verbatim:
            stop = _END[verbatim[1]].search(source, position)
            if stop is None:
                _refuse(source, start, f"'{verbatim[1]}' is never closed with 'end{verbatim[1]}'")
            else:
                position = stop.end()


_OPENER = re.compile(r"\{[{%]")


def _opener(source: str, position: int) -> int:
    match = _OPENER.search(source, position)
    return match.start() if match else -1


def _refuse(source: str, position: int, message: str) -> None:
    line = source.count("\n", 0, position) + 1
    raise TemplateFailed(message, code="template-limit", where=f"line {line}")
