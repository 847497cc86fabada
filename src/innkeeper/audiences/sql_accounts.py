"""Accounts in SQL: what events say about them, who was a member when, which events count for which account.

`AccountSources` makes an account the subject of a statement, as `sql.py` has it for profiles; `AccountColumns` are the
columns `account.x` of a statement about profiles. The same in Python: `events/accounts.py`, `profiles/ties.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Final

import sqlglot
from sqlglot import exp

from innkeeper.audiences.check import MEMBER
from innkeeper.audiences.nodes import OfObjects, Path, walk
from innkeeper.audiences.sql_values import (
    Binder,
    Looked,
    Sql,
    fn,
    instant,
    json_at,
    micro,
    newest_values,
    number,
    of_json,
    of_text,
    text,
    two_valued,
    unquoted,
)
from innkeeper.events.reserved import readable
from innkeeper.kernel.time import FOREVER

_NAMED_BY: Final = """CASE json_type({0}, '$.{1}')
    WHEN 'VARCHAR' THEN nullif(json_extract_string({0}, '$.{1}'), '')
    WHEN 'UBIGINT' THEN json_extract_string({0}, '$.{1}')
    WHEN 'BIGINT' THEN json_extract_string({0}, '$.{1}') END"""
_ROLE: Final = "CASE WHEN json_type({0}, '$.role') = 'VARCHAR' THEN nullif(json_extract_string({0}, '$.role'), '') END"
_OWN: Final = "type = 'group' OR (type = 'track' AND name IN ('Left Account', 'Account Updated'))"

_SAID: Final = f"""
SELECT identifier, ts, source, message_id, type, name,
  CASE WHEN type = 'group' THEN {_NAMED_BY.format("extra", "groupId")}
       ELSE {_NAMED_BY.format("properties", "account_id")} END AS account,
  CASE WHEN type = 'group' THEN json_extract(extra, '$.traits') ELSE json_extract(properties, '$.set') END AS said,
  CASE WHEN type = 'group' THEN coalesce({_ROLE.format("json_extract(extra, '$.traits')")},
         {_ROLE.format("properties")}, {_ROLE.format("context")})
       WHEN name = 'Account Updated' THEN {_ROLE.format("properties")} END AS role,
  json_exists(properties, '$.role') AS has_role
FROM events WHERE is_input AND source <> 'innkeeper' AND ts <= at_instant AND ({_OWN})
"""  # noqa: S608 – constants of ours
#: One row per event with a word on an account.
_WORDS: Final = f"""
SELECT identifier, account, ts, source, message_id, role,
  CASE WHEN type = 'group' THEN TRUE WHEN name = 'Left Account' THEN FALSE END AS joined,
  CASE WHEN type = 'group' THEN role IS NOT NULL ELSE name = 'Left Account' OR has_role END AS states_role,
  CASE WHEN json_type(said) = 'OBJECT' AND name <> 'Left Account' THEN CAST(said AS VARCHAR) ELSE '{{}}' END AS traits
FROM ({_SAID}) AS said WHERE account IS NOT NULL
"""  # noqa: S608 – constants of ours
#: When who was a member of what: [since, until).
_SPANS: Final = f"""
SELECT identifier, account, since, until FROM (
  SELECT identifier, account, ts AS since, joined,
    coalesce(lead(ts) OVER (PARTITION BY identifier, account ORDER BY ts, source, message_id), {FOREVER}) AS until
  FROM account_words WHERE joined IS NOT NULL
) AS stretches WHERE joined
"""  # noqa: S608 – constants of ours
_NAMING: Final = f"""
SELECT *, CASE WHEN type = 'group' THEN {_NAMED_BY.format("extra", "groupId")}
  WHEN {_OWN} THEN {_NAMED_BY.format("properties", "account_id")}
  WHEN contains(context, '"groupId"') THEN {_NAMED_BY.format("context", "groupId")} END AS named
FROM events WHERE is_input AND source <> 'innkeeper' AND ts <= at_instant
"""  # noqa: S608 – constants of ours
#: Every event once for each account that it counts for.
_EVENTS: Final = f"""
SELECT *, named AS account FROM ({_NAMING}) AS naming WHERE named IS NOT NULL
UNION ALL
SELECT naming.*, s.account FROM ({_NAMING}) AS naming
JOIN account_spans AS s ON s.identifier = naming.identifier AND naming.ts >= s.since AND naming.ts < s.until
WHERE naming.named IS NULL
"""  # noqa: S608 – constants of ours
#: Each membership that stands: its newest word, and the role of those that state one.
_TIES: Final = """
SELECT subject, identifier, account, ts, source, message_id, role FROM (
  SELECT coalesce(o.subject, w.identifier) AS subject, w.identifier, account,
    arg_max(joined, row(ts, source, message_id)) FILTER (WHERE joined IS NOT NULL) AS joined,
    arg_max(ts, row(ts, source, message_id)) FILTER (WHERE joined IS NOT NULL) AS ts,
    arg_max(source, row(ts, source, message_id)) FILTER (WHERE joined IS NOT NULL) AS source,
    arg_max(message_id, row(ts, source, message_id)) FILTER (WHERE joined IS NOT NULL) AS message_id,
    max(row(ts, source, message_id, coalesce(role, ''))) FILTER (WHERE states_role) AS role
  FROM account_words AS w
  LEFT JOIN owned AS o ON o.identifier = w.identifier AND w.ts >= o.since AND w.ts < o.until
  GROUP BY 1, 2, 3
) AS newest WHERE joined
"""
#: The account of each profile: the one that the newest word joined it to.
_ACCOUNT_OF: Final = """
SELECT subject, arg_max(account, row(ts, source, message_id, account)) AS account FROM account_ties GROUP BY subject
"""
_ROLES: Final = """
SELECT subject, account, coalesce(nullif(struct_extract(max(role), 4), ''), 'member') AS role FROM account_ties
GROUP BY subject, account
"""


_TABLES: Final = f"""
WITH account_words AS ({_WORDS}), account_spans AS ({_SPANS}), account_events AS ({_EVENTS})
""".replace("at_instant", "$until")
#: For flips of accounts, rows as those of `flips.py`; an account is all by itself. The last rows say when it began.
ACCOUNT_HISTORY_SQL: Final = f"""{_TABLES}
SELECT account AS belongs, account, account, ts, 0 AS kind, NULL, source, message_id, name,
  left(CAST(properties AS VARCHAR), -1) || CASE WHEN properties = '{{}}' THEN '' ELSE ',' END
    || '"{MEMBER}":' || CAST(to_json(identifier) AS VARCHAR) || '}}', '{{}}', TRUE
FROM account_events WHERE list_contains($names, name)
UNION ALL
SELECT account, account, account, ts, 0, NULL, source, message_id, '', '{{}}', traits, FALSE FROM account_words
WHERE traits <> '{{}}'
UNION ALL
SELECT account, account, account, min(ts), 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM account_events
GROUP BY account
ORDER BY belongs, ts, kind, source, message_id
"""  # noqa: S608 – constants of ours
#: Every word on an account, in the order of time.
ACCOUNT_WORDS_SQL: Final = f"""{_TABLES}
SELECT account, ts, source, message_id, joined, CASE WHEN states_role THEN coalesce(role, '') END, traits
FROM account_words ORDER BY ts, source, message_id
"""  # noqa: S608 – constants of ours


@lru_cache(maxsize=16)
def _parsed(sql: str) -> exp.Query:
    tree = sqlglot.parse_one(sql, read="duckdb")
    assert isinstance(tree, exp.Query)
    return tree


def _table(sql: str, at: Sql) -> exp.Query:
    """A table of ours as of an instant."""

    def put(node: exp.Expr) -> exp.Expr:
        return at.copy() if isinstance(node, exp.Column) and node.name == "at_instant" else node

    made = _parsed(sql).copy().transform(put)
    assert isinstance(made, exp.Query)
    return made


class AccountSources:
    """The common table expressions of a statement whose subjects are accounts."""

    def __init__(self, bind: Binder, at: int) -> None:
        self.bind, self.at = bind, bind.bind(at)

    def prelude(self) -> list[tuple[str, exp.Query]]:
        """What all others are made from."""
        tables = (("account_words", _WORDS), ("account_spans", _SPANS), ("account_events", _EVENTS))
        return [(name, _table(sql, self.at)) for name, sql in tables]

    def events(self, *columns: Sql) -> exp.Select:
        """Events up to the instant, with the account that they count for as the first column, `subject`."""
        owner = exp.alias_(exp.column("account"), "subject")
        return exp.select(owner, *columns).from_("account_events").group_by(number(1))

    def traits(self, names: list[str]) -> exp.Select:
        """The newest value of each trait, as JSON text."""
        owner = exp.alias_(exp.column("account"), "subject")
        return (
            exp.select(owner, *newest_values(names, self.bind))
            .from_("account_words")
            .where(exp.NEQ(this=exp.column("traits"), expression=text("{}")))
            .group_by(number(1))
        )


class AccountColumns:
    """What a statement about profiles reads of each profile's account, and of all that it is a member of.

    *nodes*: the functions over the accounts that it is a member of.
    """

    def __init__(self, bind: Binder, at: Sql, nodes: Sequence[OfObjects] = ()) -> None:
        self.bind, self.at, self.nodes = bind, at, nodes
        self.names = list(dict.fromkeys(name for node in nodes for name in _names(node)))
        self.used = False
        self.paths: list[tuple[str, ...]] = []
        self.columns: set[str] = set()

    def id(self) -> Sql:
        """The account's id."""
        self.used = True
        return exp.column("account")

    def look(self, path: tuple[str, ...]) -> Looked:
        """A trait of the account, its id, or the role in it."""
        self.used = True
        if path in (("id",), ("role",)):
            return of_text(partial(exp.column, "account" if path == ("id",) else "account_role"))
        if path not in self.paths:
            self.paths.append(path)
        if path[0] not in self.names:
            self.names.append(path[0])
        base = f"av{self.paths.index(path)}"

        def column(kind: str) -> Sql:
            self.columns.update((base + kind, base + "s") if kind == "i" else (base + kind,))
            return exp.column(base + kind)

        return Looked(*(partial(column, kind) for kind in ("", "n", "s", "i")))

    def parts(self, conditions: Sequence[Sql | None]) -> list[tuple[str, exp.Query]]:
        """The tables: `account_values` has a row for each profile that has an account, if one is read of it, and
        `accounts_of` one with the columns of the functions, whose conditions are given in their order.
        """
        tables = (("account_words", _WORDS), ("account_ties", _TIES), ("account_roles", _ROLES))
        made = [(name, _table(sql, self.at)) for name, sql in tables]
        if self.names:
            newest = AccountSources.__new__(AccountSources)
            newest.bind = self.bind
            made.append(("account_newest", newest.traits(self.names)))
        if self.used:
            made += [("account_of", _table(_ACCOUNT_OF, self.at)), ("account_values", self._one())]
        if self.nodes:
            made.append(("accounts_of", self._every(conditions)))
        return made

    def tables(self) -> list[str]:
        """The tables with a row for each profile."""
        return [*(["account_values"] if self.used else []), *(["accounts_of"] if self.nodes else [])]

    def _one(self) -> exp.Select:
        """What is read of the account of each profile."""
        values = exp.select(
            exp.column("subject", table="account_of"), exp.column("account", table="account_of"),
            exp.alias_(exp.column("role", table="account_roles"), "account_role"), *self._values(),
        ).from_("account_of")  # fmt: skip
        return self._with_newest(values.join("account_roles", using=["subject", "account"]), "account_of")

    def _every(self, conditions: Sequence[Sql | None]) -> exp.Select:
        """The functions over all accounts of each profile."""
        columns: list[Sql] = []
        for index, (node, condition) in enumerate(zip(self.nodes, conditions, strict=True)):
            value = exp.Count(this=exp.Star()) if node.path is None else exp.Sum(this=self.property(node.path).number())
            where = exp.Where(this=exp.true() if condition is None else two_valued(condition))
            columns.append(exp.alias_(exp.Filter(this=value, expression=where), f"af{index}"))
        found = exp.select(exp.column("subject", table="account_roles"), *columns).from_("account_roles")
        return self._with_newest(found, "account_roles").group_by(number(1))

    def _with_newest(self, select: exp.Select, table: str) -> exp.Select:
        if not self.names:
            return select
        same = exp.EQ(
            this=exp.column("subject", table="account_newest"), expression=exp.column("account", table=table)
        )  # fmt: skip
        return select.join("account_newest", on=same, join_type="left")

    def property(self, path: tuple[str, ...]) -> Looked:
        """What a condition reads of one of the accounts."""
        name, rest = path[0], path[1:]
        if name in ("id", "role"):
            column = "account" if name == "id" else "role"
            return of_text(exp.Null if rest else partial(exp.column, column, table="account_roles"))
        if not readable(path):
            return of_text(exp.Null)
        raw = exp.column(f"t{self.names.index(name)}", table="account_newest")
        return of_json(lambda: json_at(raw, rest, self.bind) if rest else raw.copy())

    def _values(self) -> list[Sql]:
        columns: list[Sql] = []
        for index, path in enumerate(self.paths):
            raw: Sql = exp.column(f"t{self.names.index(path[0])}", table="account_newest")
            base = f"av{index}"
            if not readable(path):
                raw = exp.Null()
            columns.append(exp.alias_(json_at(raw, path[1:], self.bind) if len(path) > 1 else raw, base, copy=False))
            made = {"n": micro(exp.column(base)), "s": unquoted(exp.column(base)), "i": instant(exp.column(f"{base}s"))}
            columns += [exp.alias_(value, base + kind) for kind, value in made.items() if base + kind in self.columns]
        return columns


def _names(node: OfObjects) -> list[str]:
    """The traits that a function over accounts reads."""
    below = () if node.where is None else walk(node.where)
    read = [each.parts[0] for each in below if isinstance(each, Path) and each.root == "property"]
    return [name for name in [*read, *(node.path or ())[:1]] if name not in ("id", "role")]


def member() -> Looked:
    """The property `member` of an event that counts for an account: its sender's identifier."""
    quoted = partial(fn, "to_json", exp.column("identifier"))
    plain = of_text(partial(exp.column, "identifier"))
    return Looked(lambda: exp.cast(quoted(), "varchar"), plain.number, plain.text, plain.instant)
