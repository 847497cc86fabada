"""Asks an audience of everyone at once: from an expression to the members as of an instant.

Pure: whoever calls gives a function that runs SQL over the view `events` (the bulk engine of the store).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from innkeeper.audiences.catalog import Catalog
from innkeeper.audiences.expand import expand
from innkeeper.audiences.nodes import Expression
from innkeeper.audiences.owners import Owners, Rows
from innkeeper.audiences.sql import (
    NOBODY,
    LocalZone,
    Persons,
    Query,
    counting,
    members_query,
    uses_calendar,
    zones_query,
)
from innkeeper.identity.namespaces import DEFAULT_RULES, IdentityRules
from innkeeper.kernel.errors import InnkeeperError
from innkeeper.kernel.json import loads
from innkeeper.kernel.time import FOREVER, Instant
from innkeeper.kernel.zones import country_zone, try_zone


def zone_of(timezone: Any, country: Any, default: str) -> str:
    """The zone of a profile with these traits: its own, else its country's, else the workspace's."""
    if isinstance(timezone, str) and try_zone(timezone) is not None:
        return timezone
    found = country_zone(country) if isinstance(country, str) else None
    return default if found is None else found


class Question:
    """An expression with its definitions put in, ready to be asked as of any instant."""

    def __init__(
        self, expression: Expression, catalog: Catalog, *, at: Instant, zone: str = "UTC",
        rules: IdentityRules = DEFAULT_RULES, known: Instant = FOREVER,
    ) -> None:  # fmt: skip
        self.expression = expand(expression, catalog)
        self.at, self.zone, self.rules, self.known = at, zone, rules, max(known, at)

    @cached_property
    def sql(self) -> Query:
        """The statement that lists the members; without the table of zones that calendar words need."""
        return self._query()

    @property
    def properties(self) -> frozenset[tuple[str, ...]]:
        """The paths of properties that the view `events` must have columns for."""
        return self.sql.properties

    def members(self, rows: Rows) -> list[str]:
        """The subjects of all members, sorted."""
        return sorted(subject for (subject,) in self._run(rows, lambda query: query))

    def count(self, rows: Rows) -> int:
        """How many members there are."""
        return int(self._run(rows, counting)[0][0])

    def _run(self, rows: Rows, finish: Callable[[Query], Query]) -> list[tuple[Any, ...]]:
        persons = self.owners(rows).subjects(self.at)
        zones = self._zones(rows, persons)
        query = finish(self._query(zones, persons) if zones or persons else self.sql)
        try:
            return rows(query.sql, query.parameters)
        except InnkeeperError as error:
            if "OutOfRange" not in error.message:
                raise
        query = finish(self._query(zones, persons, wide=True))
        return rows(query.sql, query.parameters)

    def owners(self, rows: Rows) -> Owners:
        """Who is who in this picture of the log."""
        return Owners.of(rows, self.rules, self.known)

    def _query(self, zones: Sequence[LocalZone] = (), persons: Persons = NOBODY, *, wide: bool = False) -> Query:
        return members_query(
            self.expression, at=self.at, zones=zones, default_zone=self.zone, wide=wide, persons=persons
        )

    def _zones(self, rows: Rows, persons: Persons) -> list[LocalZone]:
        """The zones of all profiles, when calendar words need them."""
        if not uses_calendar(self.expression):
            return []
        query = zones_query(self.at, persons)
        return [
            LocalZone(timezone=timezone, country=country, zone=zone_of(_plain(timezone), _plain(country), self.zone))
            for timezone, country in rows(query.sql, query.parameters)
        ]


def _plain(text: str | None) -> Any:
    return None if text is None else loads(text)
