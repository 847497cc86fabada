"""Gives the names and arguments of a parsed expression their meaning, scope by scope: lark's tree becomes our nodes.

`parse.py` calls it. Scope decides what a bare word is: a property inside `where`, else `stage`, `traits.x`, `id.x`.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, Literal

from innkeeper.audiences.nodes import (
    MAX_DEPTH,
    Aggregate,
    And,
    Between,
    Boolean,
    Compare,
    Expression,
    In,
    InAudience,
    Like,
    Missing,
    Not,
    Now,
    Number,
    Offset,
    OfObjects,
    Or,
    Path,
    Place,
    Stage,
    Text,
)
from innkeeper.audiences.object_calls import read_object_call
from innkeeper.audiences.operators.signatures import FUNCTIONS, NAMED_ARGUMENTS, OBJECT_FUNCTIONS, OTHER_FUNCTIONS
from innkeeper.audiences.spans import Span, parse_span
from innkeeper.kernel.errors import Invalid, Problem, UsageError, did_you_mean
from innkeeper.kernel.time import parse_duration

Scope = Literal["profile", "journey", "event", "account", "object", "one-account"]

#: Where the item that a journey was entered by stands among the properties of its entry.
ITEM = "$item"
LITERALS = (Text, Number, Boolean)
#: In conditions on one thing that a profile has: what it is called, the functions there are, what the condition sees.
_OF_ONE: dict[str, tuple[str, tuple[str, ...], str]] = {
    "object": ("objects", ("now",), "it sees the object's properties, literals and now()"),
    "one-account": (
        "accounts", ("now", "in_audience"),
        "it sees the account's traits, id and role, literals, now() and in_audience('…') of accounts",
    ),
}  # fmt: skip
#: Literals have no more digits than this before the point: products with counts fit the numbers of the bulk engine.
MAX_DIGITS = 18

_PLACES = Decimal("0.000001")
_EXACT = Context(prec=MAX_DIGITS + 10, rounding=ROUND_HALF_UP)


def short(text: object) -> str:
    """A piece of the user's text, cut to what a message can hold."""
    shown = str(text)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def problem(code: str, message: str, fix: str, at: Place) -> Problem:
    """A finding at a place of the text."""
    return Problem(code=code, message=message, fix=fix, line=at[0], column=at[1])


def invalid(code: str, message: str, fix: str = "", at: Place = (1, 1)) -> Invalid:
    """The error of one finding."""
    return Invalid([problem(code, message, fix, at)])


def split_path(text: str) -> tuple[str, ...]:
    """The parts of a dotted path; a part in double quotes is taken as it is.

    >>> split_path('a.b'), split_path('"a.b"."c""d"')
    (('a', 'b'), ('a.b', 'c"d'))
    """
    parts: list[str] = []
    position = 0
    while position < len(text):
        if text[position] == '"':
            end = position + 1
            while True:
                end = text.index('"', end)
                if text[end + 1 : end + 2] != '"':
                    break
                end += 2
            parts.append(text[position + 1 : end].replace('""', '"'))
            position = end + 2
        else:
            stop = text.find(".", position)
            stop = len(text) if stop < 0 else stop
            parts.append(text[position:stop])
            position = stop + 1
    return tuple(parts)


def place_of(item: Any) -> Place:
    """Where an item of lark's tree begins."""
    pending = [item]
    while pending:
        current = pending.pop()
        if hasattr(current, "line"):
            return (int(current.line), int(current.column))
        pending.extend(reversed(current.children))
    return (0, 0)


class Resolver:
    """Turns lark's tree into nodes, scope by scope."""

    def condition(self, item: Any, scope: Scope, depth: int) -> Expression:
        """The node of an item that must be true or false."""
        node = self.node(item, scope, depth)
        if not is_condition(node):
            raise invalid(
                "not-a-condition", f"{describe(node)} is a value, not a condition", "compare it with something",
                place_of(item),
            )  # fmt: skip
        return node

    def value(self, item: Any, scope: Scope, depth: int) -> Expression:
        """The node of an item that must be a value."""
        node = self.node(item, scope, depth)
        if not is_value(node):
            raise invalid(
                "not-a-value", "a condition stands where a value is needed", "join conditions with and, or, not",
                place_of(item),
            )  # fmt: skip
        return node

    def node(self, item: Any, scope: Scope, depth: int) -> Expression:
        """The node of any item."""
        if depth > MAX_DEPTH:
            raise invalid(
                "too-deep", f"the expression is nested more than {MAX_DEPTH} deep", "split it into audiences",
                place_of(item),
            )  # fmt: skip
        handler = getattr(self, f"_{item.data}")
        node: Expression = handler(item, scope, depth + 1)
        return node

    def subject(self, item: Any, scope: Scope, depth: int) -> Expression:
        """The node of an item that must be a value that is looked up, no literal."""
        node = self.value(item, scope, depth)
        if isinstance(node, LITERALS):
            raise invalid(
                "constant-condition", f"{describe(node)} is asked about, which never changes",
                "ask about something of the profile; write true or false for a fixed answer", place_of(item),
            )  # fmt: skip
        return node

    def _either(self, item: Any, scope: Scope, depth: int) -> Expression:
        return Or(tuple(self.condition(child, scope, depth) for child in item.children), at=place_of(item))

    def _both(self, item: Any, scope: Scope, depth: int) -> Expression:
        return And(tuple(self.condition(child, scope, depth) for child in item.children), at=place_of(item))

    def _negated(self, item: Any, scope: Scope, depth: int) -> Expression:
        return Not(self.condition(item.children[1], scope, depth), at=place_of(item))

    def _compare(self, item: Any, scope: Scope, depth: int) -> Expression:
        first, symbol, second = item.children
        left = self.value(first, scope, depth)
        right = (self.subject if isinstance(left, LITERALS) else self.value)(second, scope, depth)
        op: Any = "!=" if str(symbol) == "<>" else str(symbol)
        return Compare(op, left, right, at=place_of(item))

    def _between(self, item: Any, scope: Scope, depth: int) -> Expression:
        value, low, high = (child for child in item.children if hasattr(child, "data"))
        return Between(
            self.subject(value, scope, depth), self.value(low, scope, depth), self.value(high, scope, depth),
            at=place_of(item),
        )  # fmt: skip

    def _not_between(self, item: Any, scope: Scope, depth: int) -> Expression:
        return Not(self._between(item, scope, depth), at=place_of(item))

    def _contained(self, item: Any, scope: Scope, depth: int) -> Expression:
        value, *items = (child for child in item.children if hasattr(child, "data"))
        if not items:
            raise invalid("empty-list", "the list after 'in' is empty", "name at least one value", place_of(item))
        literals = tuple(self._literal(child, scope, depth) for child in items)
        return In(self.subject(value, scope, depth), literals, at=place_of(item))

    def _not_contained(self, item: Any, scope: Scope, depth: int) -> Expression:
        return Not(self._contained(item, scope, depth), at=place_of(item))

    def _literal(self, item: Any, scope: Scope, depth: int) -> Expression:
        node = self.node(item, scope, depth)
        if not isinstance(node, Text | Number | Boolean):
            raise invalid(
                "not-a-literal", f"{describe(node)} cannot stand in the list after 'in'",
                "the list takes texts, numbers, true and false", place_of(item),
            )  # fmt: skip
        return node

    def _like(self, item: Any, scope: Scope, depth: int) -> Expression:
        value, pattern = (child for child in item.children if hasattr(child, "data"))
        word = next(str(child) for child in item.children if getattr(child, "type", "") == "LIKE")
        node = self.node(pattern, scope, depth)
        if not isinstance(node, Text):
            raise invalid(
                "not-a-pattern", f"'{word}' needs a quoted pattern", "like '%@example.com'", place_of(pattern)
            )
        return Like(self.subject(value, scope, depth), node.value, word.lower() == "ilike", at=place_of(item))

    def _not_like(self, item: Any, scope: Scope, depth: int) -> Expression:
        return Not(self._like(item, scope, depth), at=place_of(item))

    def _missing(self, item: Any, scope: Scope, depth: int) -> Expression:
        return Missing(self.subject(item.children[0], scope, depth), at=place_of(item))

    def _present(self, item: Any, scope: Scope, depth: int) -> Expression:
        return Not(self._missing(item, scope, depth), at=place_of(item))

    def _offset(self, item: Any, scope: Scope, depth: int) -> Expression:
        left, sign, right = item.children
        base = self.value(left, scope, depth)
        inner = base.base if isinstance(base, Offset) else base
        moves = isinstance(inner, Now) or (isinstance(inner, Aggregate) and inner.function in ("first", "last"))
        if not moves:
            raise invalid(
                "not-an-instant", f"{describe(base)} cannot be moved by a duration",
                "only now(), first(…) and last(…) can: now() - '3 days'", place_of(item),
            )  # fmt: skip
        text = self.node(right, scope, depth)
        if not isinstance(text, Text):
            raise invalid(
                "bad-duration", "a quoted duration is needed after + or -", "now() - '3 days'", place_of(right)
            )
        try:
            duration = parse_duration(text.value)
        except UsageError as error:
            raise invalid(error.code, error.message, error.fix, place_of(right)) from error
        total = (base.duration if isinstance(base, Offset) else 0) + (-duration if sign == "-" else duration)
        if abs(total) > 200_000 * 86_400_000_000:
            raise invalid("bad-duration", "the durations add up to more than 200000 days", "", place_of(item))
        return Offset(inner, total, at=place_of(item)) if total else inner

    def _text(self, item: Any, scope: Scope, depth: int) -> Expression:
        return Text(str(item.children[0])[1:-1].replace("''", "'"), at=place_of(item))

    def _number(self, item: Any, scope: Scope, depth: int) -> Expression:
        text = str(item.children[0])
        exact = Decimal(text)
        if exact and exact.adjusted() >= MAX_DIGITS:
            raise invalid(
                "number-too-large", f"the number {short(text)} is too large", "stay below 10^18", place_of(item)
            )
        micro = int(exact.quantize(_PLACES, context=_EXACT).scaleb(6, context=_EXACT))
        return Number(micro, at=place_of(item))

    def _true(self, item: Any, scope: Scope, depth: int) -> Expression:
        return Boolean(True, at=place_of(item))

    def _false(self, item: Any, scope: Scope, depth: int) -> Expression:
        return Boolean(False, at=place_of(item))

    def _path(self, item: Any, scope: Scope, depth: int) -> Expression:
        text = str(item.children[0])
        parts, at = split_path(text), place_of(item)
        if scope == "event" or scope in _OF_ONE:
            return Path("property", parts, at=at)
        head = parts[0]
        if text == "stage" and scope != "account":
            return Stage(at=at)
        if scope == "account" and head != "account":
            raise invalid(
                "unknown-name", f"there is no '{short(text)}' of an account",
                f"an account's traits are read as account.{short(parts[-1])}", at,
            )  # fmt: skip
        if head == "item" and scope == "journey" and len(parts) > 1:
            return Path("event", (ITEM, *parts[1:]), at=at)
        if head in ("traits", "memory", "id", "account") or (head == "event" and scope == "journey"):
            if len(parts) == 1 or (head == "id" and len(parts) > 2):
                raise invalid("bad-name", f"'{text}' is not complete", f"write {head}.NAME", at)
            return Path(head, parts[1:], at=at)  # type: ignore[arg-type]
        if scope == "journey" and len(parts) > 1:
            return Path("object", parts, at=at)
        quoted = len(parts) == 1 and text.startswith('"')
        fix = f"a text stands in single quotes: '{short(head)}'" if quoted else _name_fix(head, parts, scope)
        raise invalid("unknown-name", f"there is no '{short(text)}' here", fix, at)

    def _call(self, item: Any, scope: Scope, depth: int) -> Expression:
        token, *arguments = (child for child in item.children if getattr(child, "type", "") not in ("LPAR", "RPAR"))
        name, at = str(token), place_of(item)
        if scope == "event":
            raise invalid(
                "function-in-where", f"{short(name)}() cannot stand inside where",
                "where sees only the event's properties and literals", at,
            )  # fmt: skip
        things, functions, sees = _OF_ONE.get(scope, ("", (name,), ""))
        if name not in functions:
            message = f"{short(name)}() cannot stand in a condition on {things}"
            raise invalid("function-in-where", message, sees, at)
        of_objects = name in OBJECT_FUNCTIONS and bool(arguments) and arguments[0].data == "path"
        if scope == "account" and of_objects:
            raise invalid(
                "objects-of-account", f"{short(name)}() over objects cannot stand in a condition on an account",
                "objects are held by profiles: ask about their events", at,
            )  # fmt: skip
        if name in OBJECT_FUNCTIONS and (name not in FUNCTIONS or (arguments and arguments[0].data == "path")):
            return read_object_call(self, name, arguments, depth, at)
        if name not in FUNCTIONS and name not in OTHER_FUNCTIONS:
            known = [*FUNCTIONS, *OTHER_FUNCTIONS, *OBJECT_FUNCTIONS]
            fix = did_you_mean(name, known) or f"functions: {', '.join(sorted(known))}"
            raise invalid("unknown-function", f"there is no function {short(name)}()", fix, at)
        if name == "now":
            self._count(name, arguments, 0, at)
            return Now(at=at)
        if name == "in_audience":
            self._count(name, arguments, 1, at)
            return InAudience(self._quoted(arguments[0], "the name of an audience"), at=at)
        return self._aggregate(name, arguments, depth, at)

    def _aggregate(self, name: str, arguments: list[Any], depth: int, at: Place) -> Expression:
        signature = FUNCTIONS[name]
        positional = [argument for argument in arguments if argument.data != "named"]
        self._count(name, positional, 2 if signature.takes_path else 1, at)
        event = self._quoted(positional[0], "the name of an event")
        path: tuple[str, ...] | None = None
        if signature.takes_path:
            if positional[1].data != "path":
                raise invalid(
                    "not-a-property", f"{name}() needs the name of a property", signature.usage, place_of(positional[1])
                )
            path = split_path(str(positional[1].children[0]))
        named: dict[str, Any] = {}
        for argument in arguments:
            if argument.data == "named":
                key = str(argument.children[0])
                if key not in NAMED_ARGUMENTS or key in named:
                    problem = "twice" if key in named else "unknown here"
                    fix = did_you_mean(key, NAMED_ARGUMENTS) or f"known: {', '.join(NAMED_ARGUMENTS)}"
                    raise invalid(
                        "unknown-argument", f"the argument '{short(key)}' is {problem}", fix, place_of(argument)
                    )
                named[key] = argument.children[1]
            elif named:
                raise invalid("argument-order", "named arguments come last", signature.usage, place_of(argument))
        where = named.get("where")
        return Aggregate(
            name, event, path,
            self._span(named.get("within")), self._span(named.get("before")),
            None if where is None else self.condition(where, "event", depth), at=at,
        )  # fmt: skip

    def _span(self, item: Any) -> Span | None:
        if item is None:
            return None
        try:
            return parse_span(self._quoted(item, "a duration such as '90 days'"))
        except Invalid:
            raise
        except UsageError as error:
            raise invalid(error.code, error.message, error.fix, place_of(item)) from error

    def _quoted(self, item: Any, what: str) -> str:
        if item.data != "text":
            fix = f"write '{item.children[0]}'" if item.data == "path" else "put it in single quotes"
            raise invalid("not-a-text", f"{what} is needed, in quotes", fix, place_of(item))
        return str(item.children[0])[1:-1].replace("''", "'")

    def _count(self, name: str, arguments: list[Any], wanted: int, at: Place) -> None:
        if len(arguments) != wanted or any(argument.data == "named" for argument in arguments):
            usage = FUNCTIONS[name].usage if name in FUNCTIONS else OTHER_FUNCTIONS[name]
            raise invalid("argument-count", f"{name}() is called wrongly", f"write {usage}", at)


def _name_fix(head: str, parts: tuple[str, ...], scope: Scope) -> str:
    known = ["traits", "memory", "id", "account", "stage"] + (["event"] if scope == "journey" else [])
    near = did_you_mean(head, known)
    if near and len(parts) > 1:
        return near
    return (
        near
        or f"traits.{head}, or {head} inside where => …; names here: traits.X, memory.X, id.X, account.X, stage"
        + (", event.X" if scope == "journey" else "")
    )


def is_condition(node: Expression) -> bool:
    """Whether a node can stand where true or false is needed."""
    if isinstance(node, Aggregate):
        return FUNCTIONS[node.function].result == "condition"
    if isinstance(node, OfObjects):
        return OBJECT_FUNCTIONS[node.function].result == "condition"
    return isinstance(
        node, Boolean | Path | InAudience | Compare | Between | In | Like | Missing | Not | And | Or
    ) and not (isinstance(node, Path) and node.root == "id")


def is_value(node: Expression) -> bool:
    """Whether a node can stand beside a comparison."""
    if isinstance(node, Aggregate):
        return FUNCTIONS[node.function].result != "condition"
    if isinstance(node, OfObjects):
        return OBJECT_FUNCTIONS[node.function].result != "condition"
    return isinstance(node, Text | Number | Boolean | Path | Stage | Now | Offset)


def describe(node: Expression) -> str:
    """What a node is, for a message."""
    if isinstance(node, Aggregate | OfObjects):
        return f"{node.function}(…)"
    if isinstance(node, Text):
        return f"the text '{short(node.value)}'"
    if isinstance(node, Number):
        return "a number"
    if isinstance(node, Path):
        return ".".join(node.parts if node.root in ("property", "object") else (node.root, *node.parts))
    return {Stage: "stage", Now: "now()", Offset: "an instant", Boolean: "true or false"}.get(type(node), "a condition")
