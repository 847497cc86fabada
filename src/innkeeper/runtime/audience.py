"""Questions about audiences, asked of a workspace: its names, its definitions, its clock, its log.

The language is `audiences/`; the engine is not involved, and may run meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from innkeeper.audiences import Catalog, Expression, check, find_cycle, parse, print_expression, words
from innkeeper.audiences.ask import Question
from innkeeper.audiences.check import Checked, Subject, cycle_problem
from innkeeper.audiences.expand import expand
from innkeeper.audiences.jsonform import to_json
from innkeeper.audiences.nodes import ACCOUNT, OfAccount, OfObjects, object_nodes, walk
from innkeeper.audiences.nodes import Path as Path_
from innkeeper.kernel.errors import Invalid, Problem, UsageError, did_you_mean
from innkeeper.kernel.ids import ANONYMOUS, USER, display_id
from innkeeper.kernel.time import FOREVER, Instant
from innkeeper.runtime.gaps import Gaps
from innkeeper.strategy.expressions import account_names
from innkeeper.strategy.known import KnownNames, join
from innkeeper.strategy.types import Definitions

_LAST_EVENT = "SELECT max(ts) FROM events WHERE is_input"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An expression that was understood, with what it may need."""

    expression: Expression
    catalog: Catalog
    warnings: tuple[Problem, ...]
    of: Subject = "profile"


class Audiences:
    """The audiences of one workspace, for questions."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.definitions, self.clock = _definitions(home)
        self.zone = self.definitions.workspace.zone
        self.gaps = Gaps(home)
        self.rules = self.definitions.workspace.identity

    def understand(self, text: str, *, allow_unknown: bool = False, of: Subject = "profile") -> Asked:
        """The tree of an expression whose names are known.

        Raises:
            Invalid: It is no expression, or names something that nobody has declared or sent.
        """
        expression = parse(text, of)
        catalog = load_catalog(self.definitions, KnownNames())
        checked = check(expression, catalog, of=of)
        if checked.errors:
            # Only now the log is asked for its names: that reads all of it.
            catalog = load_catalog(self.definitions, _seen(self.home))
            checked = check(expression, catalog, allow_unknown=allow_unknown, of=of)
        _refuse(checked, catalog, expression)
        return Asked(expression=expression, catalog=catalog, warnings=checked.warnings, of=of)

    def count(self, asked: Asked, at: Instant | None) -> int:
        """How many profiles are members at an instant; default the clock, before any run the last event."""
        question = self._question(asked, at)
        return 0 if question is None else self._ask(question, question.count)

    def ids(self, asked: Asked, at: Instant | None, namespace: str | None = None) -> list[str]:
        """The members' ids, sorted: as ids are printed, or the identifiers of a namespace, of those who have one."""
        if namespace is not None and asked.of == "account":
            raise UsageError(
                "an account has no identifiers", code="no-namespace", fix="leave out --id, or --of account"
            )
        known = self.rules.namespaces
        if namespace is not None and namespace not in known:
            raise UsageError(
                f"there is no namespace '{namespace}'",
                code="unknown-namespace",
                fix=did_you_mean(namespace, known) or f"namespaces: {', '.join(known)}",
            )
        question = self._question(asked, at)
        if question is None:
            return []

        def answer(rows: Any) -> list[str]:
            members = question.members(rows)
            return members if namespace is None else _in_namespace(members, namespace, rows, question)

        found = self._ask(question, answer)
        return sorted(found if asked.of == "account" else (display_id(each, known) for each in found))

    def flips(self, asked: Asked, begin: Instant, until: Instant) -> list[tuple[Instant, str, bool]]:
        """Every change of membership in (begin, until]: instant, id as printed, member; sorted by instant and id."""
        from innkeeper.audiences.flips import HISTORY_SQL, History
        from innkeeper.audiences.flips_accounts import NO_ACCOUNTS
        from innkeeper.audiences.owners import Owners
        from innkeeper.runtime.told import told_history
        from innkeeper.runtime.told_accounts import account_flips, past_of
        from innkeeper.store.bulk import Bulk

        if until < begin:
            raise UsageError("--until is before --from", code="bad-period", fix="exchange them")
        expression, known = expand(asked.expression, asked.catalog, asked.of), self.rules.namespaces
        with Bulk.open(self.home) as bulk:
            if asked.of == "account":
                found = account_flips(bulk, expression, begin, until, self.zone)
                return [(flip.at, flip.subject, flip.member) for flip in found]
            accounts = past_of(bulk, expression, until, self.zone) if _reads_accounts(expression) else NO_ACCOUNTS
            told = told_history(bulk, self.definitions.workspace.objects, until) if object_nodes(expression) else {}
            owners = Owners.of(bulk.rows, self.rules, max(until, FOREVER if self.clock is None else self.clock))
            history = History(
                expression, begin=begin, until=until, owners=owners, zone=self.zone, merges=asked.catalog.merges,
                told=told, accounts=accounts,
            )  # fmt: skip
            rows = (row for piece in bulk.stream(HISTORY_SQL, history.parameters) for row in piece)
            return sorted((flip.at, display_id(flip.subject, known), flip.member) for flip in history.flips(rows))

    def gone(self, asked: Asked, at: Instant | None) -> tuple[Problem, ...]:
        """What the answer as of an instant cannot know any more, because raw events went."""
        instant = self._instant(at)
        expanded = expand(asked.expression, asked.catalog)
        return () if instant is None else self.gaps.problems(expanded, instant)

    def sql(self, asked: Asked, at: Instant | None) -> tuple[str, dict[str, Any]]:
        """The statement that lists the members, and its values."""
        instant = self._instant(at)
        question = self._as_of(asked, 0 if instant is None else instant)
        return question.sql.sql, question.sql.parameters

    def _question(self, asked: Asked, at: Instant | None) -> Question | None:
        instant = self._instant(at)
        if instant is None:
            return None
        return self._as_of(asked, instant)

    def _as_of(self, asked: Asked, instant: Instant) -> Question:
        known = FOREVER if self.clock is None else self.clock
        return Question(
            asked.expression, asked.catalog, at=instant, zone=self.zone, carried=self.gaps.carried, of=asked.of,
            rules=self.rules, known=known,
        )  # fmt: skip

    def _instant(self, at: Instant | None) -> Instant | None:
        """The instant that is asked about; None when the log is empty and there is no clock."""
        if at is not None or self.clock is not None:
            return at if at is not None else self.clock
        from innkeeper.store.bulk import Bulk

        with Bulk.open(self.home) as bulk:
            last: Instant | None = bulk.rows(_LAST_EVENT)[0][0]
        return last

    def _ask(self, question: Question, answer: Any) -> Any:
        from innkeeper.store.bulk import Bulk

        with Bulk.open(self.home, properties=question.properties) as bulk:
            return answer(bulk.rows)


def explained(audiences: Audiences, asked: Asked, at: Instant | None) -> dict[str, Any]:
    """What an expression means: in plain words, in its canonical form, and as SQL with its parameters."""
    sql, parameters = audiences.sql(asked, at)
    return {
        "words": words(asked.expression),
        "canonical": print_expression(asked.expression),
        "ast": to_json(asked.expression),
        "sql": sql,
        "parameters": {name: value if _fits(value) else str(value) for name, value in parameters.items()},
    }


def _fits(value: Any) -> bool:
    return not isinstance(value, int) or -(2**63) <= value < 2**64


def load_catalog(definitions: Definitions, seen: KnownNames) -> Catalog:
    """The names that a question may use: declared, and seen in the log."""
    declared = KnownNames(
        events=definitions.workspace.events,
        traits=definitions.workspace.traits,
        memories=definitions.workspace.memories,
    )
    known = join(declared, seen)
    return Catalog(
        events={name: frozenset(_top(path) for path in paths) for name, paths in known.events.items()},
        traits=frozenset(_top(path) for path in known.traits),
        trait_types=definitions.workspace.trait_types,
        audiences={name: audience.when for name, audience in definitions.audiences.items()},
        stages=tuple((stage.stage, stage.when) for stage in definitions.stages),
        merges=definitions.workspace.merges,
        memories=known.memories,
        objects=definitions.workspace.objects,
        **account_names(definitions, known),
    )


def _reads_accounts(expression: Expression) -> bool:
    return any(
        isinstance(node, OfAccount)
        or (isinstance(node, OfObjects) and node.object == ACCOUNT)
        or (isinstance(node, Path_) and node.root == "account")
        for node in walk(expression)
    )


def _top(path: str) -> str:
    return path.partition(".")[0]


def _definitions(home: Path) -> tuple[Definitions, Instant | None]:
    from innkeeper.runtime.definitions import applied
    from innkeeper.store.state import State

    if not (home / "state.db").is_file():
        return Definitions(version="none"), None
    with State.open(home, readonly=True) as state:
        return applied(state) or Definitions(version="none"), state.clock()


def _seen(home: Path) -> KnownNames:
    from innkeeper.runtime.known import known_names

    return known_names(home) or KnownNames()


def _refuse(checked: Checked, catalog: Catalog, expression: Expression) -> None:
    checked.raise_if_any()
    cycle = find_cycle(catalog, expression)
    if cycle is not None:
        raise Invalid([cycle_problem(cycle)])


def _in_namespace(members: Sequence[str], namespace: str, rows: Any, question: Question) -> list[str]:
    if namespace == "user_id":
        return [subject for subject in members if subject.startswith(USER)]
    owners = question.owners(rows)
    if namespace == "anonymous_id":
        from innkeeper.audiences.sql import anonymous_ids_query

        query = anonymous_ids_query(question.at, owners.subjects(question.at))
        own = {subject: ANONYMOUS + value for subject, value in rows(query.sql, query.parameters)}
    else:
        own = owners.in_namespace(rows, namespace, question.at, question.known)
    prefix = namespace + ":"
    found = (subject if subject.startswith(prefix) else own.get(subject) for subject in members)
    return [identifier for identifier in found if identifier is not None]
