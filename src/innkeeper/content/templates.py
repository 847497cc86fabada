"""The Liquid environments: one per way of escaping, with limits, without files, and with our own idea of missing.

Differences from stock Liquid, each for a reason: `include` and `render` are absent (no file access); `safe` and
`escapejs` are absent (a value is always text); `date` does not read the clock. What `{{ }}` prints is escaped unless
`capture` made it. Only `render.py` imports this module, when it first needs it: Liquid takes long to load.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from html import unescape
from io import StringIO
from typing import Any, TextIO

from liquid import BoundTemplate, Environment, Mode, RenderContext, Undefined
from liquid.ast import BlockNode, Node
from liquid.builtin.expressions import KeywordArgument, LoopExpression, StringLiteral
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.capture_tag import CaptureNode, CaptureTag
from liquid.builtin.tags.cycle_tag import CycleNode, CycleTag
from liquid.builtin.tags.echo_tag import EchoNode, EchoTag
from liquid.exceptions import LiquidError
from liquid.expression import Expression
from liquid.stringify import to_liquid_string

from innkeeper.content.dates import format_date
from innkeeper.content.errors import MissingValue, TemplateFailed
from innkeeper.content.limits import (
    LOCAL_BYTES,
    LOOP_ITERATIONS,
    OUTPUT_BYTES,
    Meter,
    check_product,
    check_shape,
)
from innkeeper.content.plain import strip_tags
from innkeeper.kernel.zones import try_zone

_ABSENT_TAGS = ("include", "render")
_ABSENT_FILTERS = ("safe", "escapejs")
#: Globals with these names are arguments of one rendering, not variables.
_ABORT, _DEFAULTS = "\0abort", "\0defaults"


class Captured(str):
    """Output that `capture` collected: escaped already, so that it is printed as it is."""

    __slots__ = ()


class Missing(Undefined):
    """A variable without a value; when the message says so, printing or filtering it raises `MissingValue`."""

    __slots__ = ("abort",)

    def __init__(self, name: str, *, token: Any = None, obj: object = None, hint: str | None = None) -> None:
        super().__init__(name, token=token, obj=obj, hint=hint)
        self.abort = False

    def demand(self) -> None:
        """The value is needed now."""
        if self.abort:
            raise MissingValue(self.name)

    def __str__(self) -> str:
        self.demand()
        return ""


class Context(RenderContext):
    """A rendering in progress, with its meter."""

    __slots__ = ("local_bytes", "meter")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.meter = Meter()
        self.local_bytes = 0

    def get(self, path: list[object], *, token: Any, default: object = None) -> object:
        """The value of a path; a `Missing` with its full name where there is none."""
        self.meter.charge(1)
        found = super().get(path, token=token, default=None)
        if found is not None:
            return found
        name = _dotted(path)
        defaults: Mapping[str, str] = self.globals.get(_DEFAULTS) or {}  # type: ignore[assignment]
        if name in defaults:
            return defaults[name]
        missing = Missing(name, token=token)
        missing.abort = bool(self.globals.get(_ABORT))
        return missing

    def assign(self, key: str, val: Any) -> None:
        """Set a local variable; its size counts."""
        if isinstance(val, Missing):
            self.locals[key] = val
            return
        self.local_bytes += sys.getsizeof(val, 64)
        if self.local_bytes > LOCAL_BYTES:
            raise TemplateFailed("the template keeps too much in its variables", code="template-limit")
        self.locals[key] = val

    def raise_for_loop_limit(self, length: int = 1) -> None:
        """Count the iterations of a loop that begins."""
        self.meter.charge(length)
        super().raise_for_loop_limit(length)

    def filter(self, name: str, token: Any) -> Callable[..., object]:
        """A filter that is metered and knows what is missing."""
        plain = super().filter(name, token)
        meter = self.meter

        def metered(*args: object, **kwargs: object) -> object:
            meter.charge(2)
            for arg in args:
                if isinstance(arg, Missing) and name != "default":
                    arg.demand()
                meter.charge_value(arg)
            check_product(name, args)
            if name == "date":
                return self._date(*args, shown_in=kwargs.get("zone"))
            result = plain(*args, **kwargs)
            meter.charge_value(result)
            return result

        return metered

    def _date(self, value: object = "", pattern: object = "%Y-%m-%d", *, shown_in: object = None) -> str:
        known = self.globals
        return format_date(value, str(pattern), now=known.get("now"), zone_name=known.get("zone"), shown_in=shown_in)


def _dotted(path: list[object]) -> str:
    return ".".join(str(part) for part in path)


class _Charge(Node):
    """Stands first in every block and counts what the block costs each time it runs."""

    __slots__ = ("steps",)

    def __init__(self, token: Any, steps: int) -> None:
        super().__init__(token)
        self.steps = steps

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Count; writes nothing."""
        assert isinstance(context, Context)
        context.meter.charge(self.steps)
        return 0

    def __str__(self) -> str:
        return ""


class _Checked(Expression):
    """What a loop runs over, refused when it is a range that is too long to list."""

    __slots__ = ("inner",)

    def __init__(self, inner: Expression) -> None:
        super().__init__(inner.token)
        self.inner = inner

    def __str__(self) -> str:
        return str(self.inner)

    def evaluate(self, context: RenderContext) -> object:
        """The value."""
        value = self.inner.evaluate(context)
        if isinstance(value, range) and value.stop - value.start > LOOP_ITERATIONS:
            raise TemplateFailed(f"a loop runs more than {LOOP_ITERATIONS:,} times", code="template-limit")
        if isinstance(value, Missing):
            value.demand()
        return value

    async def evaluate_async(self, context: RenderContext) -> object:
        """As `evaluate`; the base class asks for it."""
        return self.evaluate(context)

    def children(self) -> list[Expression]:
        """For Liquid's own analysis."""
        return [self.inner]


def _print(context: RenderContext, buffer: TextIO, value: object) -> int:
    env = context.env
    assert isinstance(env, LiquidEnvironment)
    if isinstance(value, Captured):
        return buffer.write(value)
    return buffer.write(env.escaping(to_liquid_string(value, autoescape=False)))


class _OutputNode(OutputNode):
    __slots__ = ()

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        return _print(context, buffer, self.expression.evaluate(context))


class _EchoNode(EchoNode):
    __slots__ = ()

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        return _print(context, buffer, self.expression.evaluate(context))


class _CycleNode(CycleNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        inner = StringIO()
        super().render_to_output(context, inner)
        return _print(context, buffer, inner.getvalue())


class _CaptureNode(CaptureNode):
    __slots__ = ()

    def _assign(self, context: RenderContext, buf: StringIO) -> None:
        context.assign(self.name, Captured(buf.getvalue()))


class _Output(Output):
    node_class = _OutputNode


class _Echo(EchoTag):
    node_class = _EchoNode


class _Cycle(CycleTag):
    node_class = _CycleNode


class _Capture(CaptureTag):
    node_class = _CaptureNode


class Template(BoundTemplate):
    """A compiled template."""

    context_class = Context


class LiquidEnvironment(Environment):
    """Liquid with our limits and one way of escaping."""

    loop_iteration_limit = LOOP_ITERATIONS
    output_stream_limit = OUTPUT_BYTES
    local_namespace_limit = LOCAL_BYTES
    template_class = Template

    def __init__(self, escaping: Callable[[str], str], *, html: bool = False, line_break: str = "\n") -> None:
        self.escaping = escaping
        super().__init__(tolerance=Mode.STRICT, undefined=Missing, strict_filters=True, autoescape=False)
        for tag in (_Output, _Echo, _Cycle, _Capture):
            self.add_tag(tag)
        for name in _ABSENT_TAGS:
            del self.tags[name]
        for name in _ABSENT_FILTERS:
            del self.filters[name]
        self.filters["strip_html"] = _strip_html
        if html:
            # The output is escaped anyway; a second time would show the entities.
            self.filters["escape"] = _as_text
            self.filters["escape_once"] = _unescaped
        self.filters["newline_to_br"] = lambda value: Captured(
            line_break.join(escaping(line) for line in _as_text(value).splitlines())
        )

    def compile(self, source: str) -> Template:
        """Parse a template.

        Raises:
            TemplateFailed: It is too long or too deep; `LiquidError`: it is wrong.
        """
        check_shape(source)
        template = self.from_string(source)
        assert isinstance(template, Template)
        for node in template.nodes:
            _instrument(node, Context(template))
        return template


def _instrument(node: Node, context: Context) -> None:
    """Put a `_Charge` into every block below a node, and check what its loops run over."""
    loop = getattr(node, "expression", None)
    if isinstance(loop, LoopExpression):
        loop.iterable = _Checked(loop.iterable)
    for child in node.children(context, include_partials=False):
        _instrument(child, context)
    if isinstance(node, BlockNode):
        node.nodes.insert(0, _Charge(node.token, 1 + len(node.nodes) + len(str(node)) // 16))


def wrong_dates(template: Template) -> Iterator[tuple[int, str]]:
    """Where the filter `date` is given what it does not take: index in the source, message."""
    context = Context(template)
    for node in template.nodes:
        yield from _wrong_dates(node, context)


def _wrong_dates(node: Node, context: Context) -> Iterator[tuple[int, str]]:
    for expression in node.expressions():
        yield from _wrong_filters(expression)
    for child in node.children(context, include_partials=False):
        yield from _wrong_dates(child, context)


def _wrong_filters(expression: Expression) -> Iterator[tuple[int, str]]:
    for each in getattr(expression, "filters", None) or ():
        for arg in each.args if each.name == "date" else ():
            if not isinstance(arg, KeywordArgument):
                continue
            if arg.name != "zone":
                yield arg.token.start_index, f"'date' takes no '{arg.name}': it takes a pattern, and 'zone'"
            elif isinstance(arg.value, StringLiteral) and try_zone(arg.value.value) is None:
                message = f"there is no time zone '{arg.value.value}'; use an IANA name: Europe/Lisbon"
                yield arg.token.start_index, message
    for child in expression.children():
        yield from _wrong_filters(child)


def _as_text(value: object) -> str:
    return to_liquid_string(value, autoescape=False)


def _unescaped(value: object) -> str:
    return unescape(_as_text(value))


def _strip_html(value: object) -> str:
    return strip_tags(_as_text(value))


def render(
    template: Template, context: Mapping[str, object], *, abort: bool = False, defaults: Mapping[str, str] | None = None
) -> str:
    """The output of a template.

    Raises:
        MissingValue: *abort* is set and a value that is printed is missing.
        TemplateFailed: It cannot be rendered, or needs more than the limits allow.
    """
    try:
        return template.render({**context, _ABORT: abort, _DEFAULTS: defaults or {}})
    except LiquidError as error:
        raise TemplateFailed(str(error.message), code="template-failed") from error
    except (ArithmeticError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        # Filters fail in these ways on odd values: an infinite number rounded, a text compared with a number.
        raise TemplateFailed(f"{type(error).__name__}: {error}", code="template-failed") from error
