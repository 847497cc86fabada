"""From the text of an expression to its tree: lark recognises it, `resolve.py` gives names and arguments their meaning.

Nothing is looked up in a catalog here (`check.py` does). Hostile texts end in a `Problem`: length and
depth are limited, and the parser itself does not recurse.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from innkeeper.audiences.nodes import Expression
from innkeeper.audiences.resolve import Resolver, Scope, invalid, problem, short
from innkeeper.kernel.errors import Invalid, Problem

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

#: Longer texts are refused.
MAX_LENGTH = 100_000

_NAMES = {
    "PATH": "a name", "TEXT": "a quoted text", "NUMBER": "a number", "LPAR": "'('", "RPAR": "')'", "COMMA": "','",
    "_ARROW": "'=>'", "COMPARISON": "a comparison (= != < <= > >=)", "SIGN": "'+' or '-'", "NOT": "not", "_AND": "and",
    "_OR": "or", "_IN": "in", "_IS": "is", "LIKE": "like or ilike", "_BETWEEN": "between", "TRUE": "true",
    "FALSE": "false", "MISSING": "missing", "PRESENT": "present", "$END": "the end",
}  # fmt: skip


def parse(text: str, scope: Scope = "profile") -> Expression:
    """The tree of an expression.

    Args:
        text: The expression.
        scope: What it may read. `profile`: everything about a profile. `journey`: also the entry event, `event.x`.
            `event`: the properties of one event, as inside `where`. `account`: an account and its members' events.

    Raises:
        Invalid: The text is no expression; each problem has line and column inside the text.
    """
    tree = _tree(text)
    return Resolver().condition(tree.children[0], scope, 1)


def _tree(text: str) -> Tree[Token]:
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken

    if not text.strip():
        raise invalid("empty-expression", "the expression is empty", "write a condition: did('Order Completed')")
    if len(text) > MAX_LENGTH:
        raise invalid("expression-too-long", f"the expression has {len(text)} characters; {MAX_LENGTH} is the limit")
    if not _is_unicode(text):
        raise invalid("bad-text", "the expression holds half a character (a lone surrogate)", "write it in UTF-8")
    try:
        tree: Tree[Token] = _grammar().parse(text)
    except UnexpectedToken as error:
        raise Invalid([_unexpected(text, error)]) from error
    except UnexpectedCharacters as error:
        raise Invalid([_unreadable(text, error.line, error.column, error.pos_in_stream or 0)]) from error
    return tree


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@lru_cache(maxsize=1)
def _grammar() -> Lark:
    from importlib import resources

    from lark import Lark

    source = resources.files("innkeeper.audiences").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(source, parser="lalr", maybe_placeholders=False)


def _unexpected(text: str, error: Any) -> Problem:
    token = error.token
    expected = sorted({_NAMES.get(name, name) for name in error.accepts or error.expected})
    wanted = ", ".join(expected)
    if token.type == "$END":
        end = text.rstrip()
        place = (end.count("\n") + 1, len(end) - (end.rfind("\n") + 1) + 1)
        return problem("syntax", "the expression ends too early", f"expected {wanted}", place)
    hint = f"expected {wanted}"
    if str(token) == "=" and text[token.end_pos : token.end_pos + 1] == "=":
        hint = "a single = compares"
    return problem("syntax", f"'{short(token)}' cannot stand here", hint, (token.line, token.column))


def _unreadable(text: str, line: int, column: int, position: int) -> Problem:
    character = text[position : position + 1]
    if character in "'\"":
        return problem(
            "open-quote", f"the quote {character} is not closed", "double a quote to write it: ''", (line, column)
        )
    fix = "compare with =" if character == "=" else "a name with other characters is written in double quotes"
    return problem("syntax", f"'{character}' cannot stand here", fix, (line, column))
