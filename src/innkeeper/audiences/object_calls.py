"""Calls over the profile's objects, from lark's tree to nodes: `any(booking, COND)`, `count(…)`, `sum(booking, total)`;
over the accounts that it is a member of: `any(account, COND)`.

`resolve.py` calls it where the first argument is a bare word: a quoted one names an event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from innkeeper.audiences.nodes import ACCOUNT, Expression, OfObjects, Place
from innkeeper.audiences.operators.signatures import OBJECT_FUNCTIONS

if TYPE_CHECKING:
    from innkeeper.audiences.resolve import Resolver, Scope


def read_object_call(resolver: Resolver, name: str, arguments: list[Any], depth: int, at: Place) -> Expression:
    """The node of a call; the condition is the last argument, with or without `where =>`."""
    from innkeeper.audiences.resolve import invalid, place_of, short, split_path

    signature = OBJECT_FUNCTIONS[name]
    positional = [argument for argument in arguments if argument.data != "named"]
    named = [argument for argument in arguments if argument.data == "named"]
    takes = 2 if signature.takes_path else 1
    wheres = [*positional[takes:], *(argument.children[1] for argument in named)]
    for argument in named:
        if str(argument.children[0]) != "where":
            word = short(argument.children[0])
            fix = "objects have dates: compare them with now()" if word in ("within", "before") else "known: where"
            raise invalid("unknown-argument", f"the argument '{word}' is unknown here", fix, place_of(argument))
    if len(positional) < takes or len(wheres) > 1:
        raise invalid("argument-count", f"{name}() is called wrongly", f"write {signature.usage}", at)
    for argument in positional[:takes]:
        if argument.data != "path":
            what = "the name of an object type is needed, without quotes" if argument is positional[0] else (
                f"{name}() needs the name of a property"
            )  # fmt: skip
            raise invalid("not-a-name", what, f"write {signature.usage}", place_of(argument))
    of = split_path(str(positional[0].children[0]))
    path = split_path(str(positional[1].children[0])) if signature.takes_path else None
    scope: Scope = "one-account" if of == (ACCOUNT,) else "object"
    where = resolver.condition(wheres[0], scope, depth) if wheres else None
    return OfObjects(name, ".".join(of), path, where, at=at)
