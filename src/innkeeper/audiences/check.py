"""Names and types of an expression against a catalog; cycles among audiences and stages.

Every finding names what was seen, where in the text, and the nearest known name. `expand.py` replaces audiences and
stages by their definitions once a check has passed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from innkeeper.audiences.catalog import Catalog
from innkeeper.audiences.compare import Type, type_of
from innkeeper.audiences.nodes import (
    Aggregate,
    Between,
    Boolean,
    Compare,
    Expression,
    In,
    InAudience,
    Like,
    Number,
    OfObjects,
    Path,
    Stage,
    Text,
    children,
    walk,
)
from innkeeper.audiences.resolve import LITERALS, describe
from innkeeper.audiences.values import literal_instant
from innkeeper.kernel.errors import Invalid, Problem, did_you_mean
from innkeeper.objects.definition import ObjectType

#: Whose condition an expression is.
Subject = Literal["profile", "account"]
#: The property that every event has in a condition on an account: its sender's identifier.
MEMBER = "member"
#: What `account.` reads of a profile's account besides its traits.
OWN_OF_ACCOUNT = ("id", "role")

_WORDS = {
    "number": "a number", "days": "a number of days", "mean": "a number", "instant": "an instant",
    "moving": "an instant", "text": "a text", "boolean": "true or false",
}  # fmt: skip


_DECLARED: dict[str, Type] = {"text": "text", "number": "number", "boolean": "boolean", "instant": "instant"}


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found; *warnings* are unknown names that the caller allowed."""

    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()

    def raise_if_any(self) -> None:
        """Raise `Invalid` when there is an error."""
        if self.errors:
            raise Invalid(self.errors)


def check(
    expression: Expression, catalog: Catalog, *, event: str | None = None, allow_unknown: bool = False,
    of: Subject = "profile",
) -> Checked:  # fmt: skip
    """What is wrong with an expression.

    Args:
        expression: The tree; of scope `event` when *event* is given.
        catalog: The known names.
        event: The event whose properties an expression of scope `event` reads.
        allow_unknown: Whether unknown events, properties, traits and stages are only warnings.
        of: Whose condition it is.
    """
    checker = _Checker(catalog, allow_unknown, of)
    checker.check(expression, event)
    return Checked(tuple(checker.errors), tuple(checker.warnings))


class _Checker:
    def __init__(self, catalog: Catalog, allow_unknown: bool, of: Subject = "profile") -> None:
        self.catalog, self.allow_unknown, self.of = catalog, allow_unknown, of
        self.one_account = False
        self.errors: list[Problem] = []
        self.warnings: list[Problem] = []

    def check(self, node: Expression, event: str | None, of: ObjectType | None = None) -> None:
        """Check a node and everything below it; depth is limited by the parser. *of*: the type of object it reads."""
        match node:
            case Aggregate():
                self._aggregate(node)
                return
            case OfObjects(object="account"):
                self._of_accounts(node)
                return
            case OfObjects():
                self._of_objects(node)
                return
            case Path(root="property") if self.one_account:
                self._account(node, node.parts[0])
            case Path(root="property") if of is not None:
                self._of_object(node, node.parts[0], of, of.names)
            case Path(root="object", parts=(name, field, *_)):
                declared = self._object_type(node, name)
                if declared is not None:
                    self._of_object(node, field, declared, declared.names)
            case Path():
                self._path(node, event)
            case InAudience():
                self._audience(node)
            case Compare(op=op, left=left, right=right):
                self._pair(node, op, left, right, of)
            case Between(value=value, low=low, high=high):
                self._pair(node, ">=", value, low, of)
                self._pair(node, "<=", value, high, of)
            case In(value=value, items=items):
                for item in items:
                    self._pair(node, "=", value, item, of)
            case Like(value=value):
                kind = self._kind(value, of)
                # What is declared as an instant is told as a text.
                if kind not in ("any", "text") and not (kind == "instant" and isinstance(value, Path)):
                    self._error(node, "type", f"{describe(value)} is {_WORDS[kind]}; 'like' is for texts")
            case _:
                pass
        for child in children(node):
            self.check(child, event, of)

    def _of_objects(self, node: OfObjects) -> None:
        declared = self._object_type(node, node.object)
        if declared is None:
            return
        if node.path is not None:
            self._of_object(node, node.path[0], declared, declared.properties)
        if node.where is not None:
            self.check(node.where, None, declared)

    def _of_accounts(self, node: OfObjects) -> None:
        if node.path is not None:
            self._account(node, node.path[0])
        if node.where is not None:
            self.one_account = True
            self.check(node.where, None)
            self.one_account = False
        elif self.catalog.account_traits is None:
            self._no_accounts(node)

    def _object_type(self, node: Expression, name: str) -> ObjectType | None:
        declared = self.catalog.objects.get(name)
        if declared is None:
            others = {"traits", "id", "event"} if isinstance(node, Path) else set()
            self._unknown(node, "object", name, self.catalog.objects.keys() | others, allowed=False)
        return declared

    def _of_object(self, node: Expression, name: str, declared: ObjectType, known: Iterable[str]) -> None:
        if name not in known:
            self._unknown(node, "property", name, known, f" of the object '{declared.name}'", allowed=False)

    def _kind(self, node: Expression, of: ObjectType | None) -> Type:
        """The type of a value: of a path the declared one, if there is one."""
        if self._is_date(node, of):
            return "instant"
        declared = self._declared(node) if isinstance(node, Path) and len(node.parts) == 1 else None
        return type_of(node) if declared is None else declared

    def _declared(self, node: Path) -> Type | None:
        name, known = node.parts[0], self.catalog.trait_types
        if node.root == "account" or (node.root == "property" and self.one_account):
            known = {**(self.catalog.account_traits or {}), **dict.fromkeys(OWN_OF_ACCOUNT, "text")}
        elif node.root != "traits":
            return None
        return _DECLARED.get(known.get(name, "any"))

    def _is_date(self, node: Expression, of: ObjectType | None) -> bool:
        if not isinstance(node, Path):
            return False
        if node.root == "object":
            declared = self.catalog.objects.get(node.parts[0])
            return declared is not None and node.parts[1:] in {(name,) for name in declared.dates}
        return node.root == "property" and of is not None and node.parts in {(name,) for name in of.dates}

    def _aggregate(self, node: Aggregate) -> None:
        known = self.catalog.properties(node.event)
        if known is None:
            self._unknown(node, "event", node.event, self.catalog.event_names)
        elif node.path is not None:
            self._property(node, node.event, node.path)
        if node.where is not None:
            self.check(node.where, node.event)

    def _property(self, node: Expression, event: str, path: tuple[str, ...]) -> None:
        known = self.catalog.properties(event)
        if self.of == "account" and path == (MEMBER,):
            return
        if known is not None and path[0] not in known:
            self._unknown(node, "property", path[0], known, f" of '{event}'")

    def _path(self, node: Path, event: str | None) -> None:
        name = node.parts[0]
        if node.root == "traits" and name not in self.catalog.trait_names:
            self._unknown(node, "trait", name, self.catalog.trait_names)
        elif node.root == "memory" and name not in self.catalog.memories:
            self._unknown(node, "memory", name, self.catalog.memories)
        elif node.root == "account":
            self._account(node, name)
        elif node.root == "id" and name not in self.catalog.namespaces:
            self._unknown(node, "namespace", name, self.catalog.namespaces, allowed=False)
        elif node.root in ("property", "event") and event is not None:
            self._property(node, event, node.parts)

    def _account(self, node: Expression, name: str) -> None:
        known = self.catalog.account_traits
        if known is None:
            self._no_accounts(node)
        elif name not in (OWN_OF_ACCOUNT if self.of == "profile" else ("id",)) and name not in known:
            self._unknown(node, "account-trait", name, [*known, *OWN_OF_ACCOUNT])

    def _no_accounts(self, node: Expression) -> None:
        fix = "declare them in strategy.yaml: accounts: {traits: []}"
        self._error(node, "no-accounts", "no accounts are declared", fix)

    def _audience(self, node: InAudience) -> None:
        profiles, accounts = self.catalog.audiences, self.catalog.account_audiences
        known = accounts if self.of == "account" or self.one_account else {**profiles, **accounts}
        if node.name in known:
            return
        if node.name in profiles:
            self._error(
                node, "wrong-audience", f"'{node.name}' is an audience of profiles, and this asks about an account",
                "name an audience with of: account",
            )  # fmt: skip
        else:
            self._unknown(node, "audience", node.name, known, allowed=False)

    def _pair(
        self, node: Expression, op: str, left: Expression, right: Expression, of: ObjectType | None = None
    ) -> None:
        if isinstance(left, LITERALS):
            left, right = right, left
        kind = self._kind(left, of)
        self._role(left, right, of)
        if isinstance(left, Stage) or isinstance(right, Stage):
            self._stage(node, left, right)
        elif isinstance(right, Boolean):
            if op not in ("=", "!="):
                self._error(node, "type", f"true and false have no order, so '{op}' cannot compare them", "use = or !=")
            elif kind not in ("any", "boolean"):
                self._mismatch(node, left, _WORDS[kind], right, "true or false")
        elif isinstance(right, Number):
            if kind not in ("any", "number", "days", "mean"):
                self._mismatch(node, left, _WORDS[kind], right, "a number")
        elif isinstance(right, Text):
            wanted = ("any", "text") if literal_instant(right) is None else ("any", "text", "instant", "moving")
            if kind not in wanted:
                self._mismatch(node, left, _WORDS[kind], right, "a text")
        else:
            self._looked_up(node, left, kind, right, self._kind(right, of))

    def _role(self, left: Expression, right: Expression, of: ObjectType | None) -> None:
        """A role in an object is compared with the name of one that its type declares."""
        if not isinstance(left, Path) or not isinstance(right, Text):
            return
        declared = self.catalog.objects.get(left.parts[0]) if left.root == "object" else of
        asked = left.parts[1:] if left.root == "object" else left.parts
        if declared is not None and asked == ("role",) and right.value not in declared.roles:
            where = f" of the object '{declared.name}'"
            self._unknown(right, "role", right.value, declared.roles, where, allowed=False)

    def _looked_up(self, node: Expression, left: Expression, kind: Type, right: Expression, other: Type) -> None:
        kinds = {kind, other}
        if "text" in kinds and "text" not in (type_of(left), type_of(right)) and kinds & {"instant", "moving"}:
            # What is declared as a text may be an instant, written out.
            kinds -= {"text"}
        if "mean" in kinds:
            self._error(node, "type", "avg(…) compares with a number only", "write the number itself")
        elif not any(kinds <= together for together in _TOGETHER):
            first, second = _WORDS.get(kind, "a value"), _WORDS.get(other, "a value")
            self._mismatch(node, left, first, right, second)

    def _stage(self, node: Expression, left: Expression, right: Expression) -> None:
        if not isinstance(right, Text):
            self._error(
                node, "type", f"stage is compared with {describe(right)}", "compare it with the name of a stage"
            )
            return
        names = [name for name, _ in self.catalog.stages]
        if right.value not in names:
            self._unknown(right, "stage", right.value, names)

    def _mismatch(self, node: Expression, left: Expression, first: str, right: Expression, second: str) -> None:
        fix = "write an instant in ISO 8601 with a zone: '2026-11-22T09:30:00Z'" if first == "an instant" else ""
        self._error(
            node, "type", f"{describe(left)} is {first}, {describe(right)} is {second}: they never compare",
            fix or f"compare with {first}",
        )  # fmt: skip

    def _error(self, node: Expression, code: str, message: str, fix: str = "") -> None:
        self.errors.append(Problem(code=code, message=message, fix=fix, line=node.at[0], column=node.at[1]))

    def _unknown(
        self, node: Expression, what: str, name: str, known: Iterable[str], of: str = "", *, allowed: bool = True
    ) -> None:
        names = sorted(known)
        near = did_you_mean(name, names)
        some = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
        fix = near or (f"known: {some}" if names else f"no {what}{of} is declared yet")
        found = Problem(
            code=f"unknown-{what}", message=f"nobody has declared or sent the {what} '{name}'{of}", fix=fix,
            line=node.at[0], column=node.at[1],
        )  # fmt: skip
        (self.warnings if allowed and self.allow_unknown else self.errors).append(found)


_TOGETHER = (
    {"any", "text"}, {"any", "number"}, {"any", "number", "days"}, {"any", "instant", "moving"}, {"any", "boolean"},
)  # fmt: skip


def find_cycle(catalog: Catalog, start: Expression | None = None) -> tuple[str, ...] | None:
    """A cycle among the audiences and stages that *start* (default: all definitions) reads, as their names.

    The stages are one knot: `stage` reads all their rules.
    """
    follow: dict[str, Callable[[], set[str]]] = {
        f"audience '{name}'": (lambda expression=expression: references(expression))  # type: ignore[misc]
        for name, expression in (*catalog.audiences.items(), *catalog.account_audiences.items())
    }
    if catalog.stages:
        follow["the stages"] = lambda: set().union(*(references(rule) for _, rule in catalog.stages))
    done: set[str] = set()
    roots = sorted(follow) if start is None else sorted(references(start))
    for root in roots:
        path: list[str] = []
        pending: list[tuple[str, bool]] = [(root, False)]
        while pending:
            name, leaving = pending.pop()
            if leaving:
                path.pop()
                done.add(name)
            elif name in path:
                return (*path[path.index(name) :], name)
            elif name not in done and name in follow:
                path.append(name)
                pending.append((name, True))
                pending.extend((each, False) for each in sorted(follow[name](), reverse=True))
    return None


def references(expression: Expression) -> set[str]:
    """What an expression reads through definitions, in the words of `find_cycle`."""
    found: set[str] = set()
    for node in walk(expression):
        if isinstance(node, InAudience):
            found.add(f"audience '{node.name}'")
        elif isinstance(node, Stage):
            found.add("the stages")
    return found


def cycle_problem(cycle: tuple[str, ...]) -> Problem:
    """The finding about a cycle."""
    return Problem(
        code="cycle", message=f"the definitions go round in a circle: {' -> '.join(cycle)}",
        fix="let one of them name its condition itself",
    )  # fmt: skip
