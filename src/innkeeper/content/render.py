"""Liquid templates rendered and checked: alone here (tasks, updates), as messages in `compose.py`.

Values never become templates: a template is compiled from the strategy's files only, and what it prints is text.
Escaping is `escape.py`, limits are `limits.py`, the Liquid environments `templates.py`. Next in the flow: `compose.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from innkeeper.content.errors import TemplateFailed
from innkeeper.content.escape import escape_html, escape_markdown, escape_nothing
from innkeeper.kernel.errors import did_you_mean

if TYPE_CHECKING:
    from innkeeper.content.templates import LiquidEnvironment, Template

Escaping = Literal["text", "html", "markdown"]

#: What stands first in the path of every variable of a message, a task or an update.
ROOTS = frozenset(
    {"profile", "account", "item", "items", "event", "journey", "message", "workspace", "now", "zone", "locale"}
)
_ESCAPES = {"text": escape_nothing, "html": escape_html, "markdown": escape_markdown}
_LINE_BREAKS = {"text": "\n", "html": "<br>\n", "markdown": "\\\n"}
_OWN_NAMES = frozenset({"forloop", "tablerowloop", "empty", "blank", "nil", "null", "true", "false"})


@lru_cache(maxsize=8)
def _environment(escaping: Escaping) -> LiquidEnvironment:
    from innkeeper.content.templates import LiquidEnvironment

    return LiquidEnvironment(_ESCAPES[escaping], html=escaping == "html", line_break=_LINE_BREAKS[escaping])


@lru_cache(maxsize=2048)
def compiled(template: str, escaping: Escaping = "text") -> Template:
    """A template, parsed once."""
    from liquid.exceptions import LiquidError

    try:
        return _environment(escaping).compile(template)
    except LiquidError as error:
        line, message = _finding(error)
        raise TemplateFailed(message, code="bad-template", where=f"line {line}") from error


def render_text(template: str, context: Mapping[str, object]) -> str:
    """The text of a Liquid template; missing values are empty.

    Raises:
        TemplateFailed: The template is wrong or needs more than the limits allow.

    >>> render_text("Call {{ profile.first_name | default: 'the guest' }}", {"profile": {}})
    'Call the guest'
    """
    if "{" not in template:
        return template
    from innkeeper.content.templates import render

    return render(compiled(template), context)


def check_template(template: str, roots: Collection[str] | None = None) -> list[tuple[int, str]]:
    """What is wrong with a template: (1-based line, message), empty when nothing is.

    Args:
        template: The Liquid text.
        roots: Names of the variables that there are; None: any.
    """
    from liquid.exceptions import LiquidError

    from innkeeper.content.templates import wrong_dates

    try:
        tree = _environment("text").compile(template)
    except LiquidError as error:
        return [_finding(error)]
    except TemplateFailed as error:
        line = error.where.removeprefix("line ")
        return [(int(line) if line.isdigit() else 1, error.message)]
    found = [(template.count("\n", 0, at) + 1, message) for at, message in wrong_dates(tree)]
    analysis = tree.analyze(include_partials=False)
    known = _environment("text").filters
    found += [
        (template.count("\n", 0, span.index) + 1, _unknown("filter", name, known))
        for name, spans in analysis.filters.items()
        if name not in known
        for span in spans
    ]
    if roots is not None:
        found += [
            (template.count("\n", 0, use.span.index) + 1, _unknown("variable", name, roots))
            for name, uses in analysis.globals.items()
            if name not in roots and name not in _OWN_NAMES
            for use in uses
        ]
    return sorted(found)


def variables(template: str) -> set[str]:
    """The dotted paths of the variables that a template reads, without its own.

    >>> sorted(variables("{% assign x = event.total %}{{ profile.first_name }} {{ x }}"))
    ['event.total', 'profile.first_name']
    """
    return set(compiled(template).global_variable_paths(include_partials=False))


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    hint = did_you_mean(name, known) or f"known: {', '.join(sorted(known))}"
    return f"there is no {what} '{name}'; {hint}"


def _finding(error: Exception) -> tuple[int, str]:
    from liquid.exceptions import LiquidError

    assert isinstance(error, LiquidError)
    try:
        place = error.context()
    except ValueError:
        place = None
    return (place[0] if place else 1), str(error.message)
