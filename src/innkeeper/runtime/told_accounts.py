"""Accounts through time, read from the log for flips (`audiences/flips_accounts.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from innkeeper.audiences.flips import Flip, History
from innkeeper.audiences.flips_accounts import Past, Word
from innkeeper.audiences.nodes import Expression, OfAccount, walk
from innkeeper.audiences.owners import Owners
from innkeeper.audiences.sql_accounts import ACCOUNT_HISTORY_SQL, ACCOUNT_WORDS_SQL
from innkeeper.identity.namespaces import DEFAULT_RULES
from innkeeper.kernel.time import BEGINNING, Instant
from innkeeper.store.bulk import Bulk

#: Accounts are nobody's.
_NO_OWNERS = Owners(joins=(), rules=DEFAULT_RULES)


def account_flips(bulk: Bulk, expression: Expression, begin: Instant, until: Instant, zone: str) -> list[Flip]:
    """Every change in (begin, until] of which accounts meet an expanded condition on accounts."""
    history = History(expression, begin=begin, until=until, owners=_NO_OWNERS, zone=zone)
    asked = {"until": until, "names": history.parameters["names"]}
    return history.flips(_rows(bulk, ACCOUNT_HISTORY_SQL, asked))


def past_of(bulk: Bulk, expression: Expression, until: Instant, zone: str) -> Past:
    """What an expanded condition on profiles may read of accounts, at every instant up to *until*."""
    words: dict[tuple[str, str], Word] = {}
    told: list[tuple[str, Instant, str]] = []
    for account, at, source, message_id, joined, role, traits in _rows(bulk, ACCOUNT_WORDS_SQL, {"until": until}):
        words[source, message_id] = Word(account, joined, role)
        if traits != "{}":
            told.append((account, at, traits))
    conditions = {node.name: node.when for node in walk(expression) if isinstance(node, OfAccount)}
    return Past(
        words, told,
        {
            name: [(flip.at, flip.subject) for flip in account_flips(bulk, when, BEGINNING, until, zone)]
            for name, when in sorted(conditions.items())
        },
    )  # fmt: skip


def _rows(bulk: Bulk, sql: str, values: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for page in bulk.stream(sql, values):
        yield from page
