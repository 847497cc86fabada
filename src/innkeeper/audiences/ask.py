"""Asks an audience of everyone at once: from an expression to the members as of an instant.

Pure: whoever calls gives a function that runs SQL over the view `events` (the bulk engine of the store).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from innkeeper.audiences.catalog import Catalog
from innkeeper.audiences.check import Subject
from innkeeper.audiences.expand import expand
from innkeeper.audiences.nodes import Expression, OfAccount, walk
from innkeeper.audiences.object_sql import LocalDate
from innkeeper.audiences.owners import Owners, Rows
from innkeeper.audiences.sql import counting, local_dates_queries, members_query, uses_calendar, zones_query
from innkeeper.audiences.sql_query import LocalZone, Query
from innkeeper.audiences.sql_sources import NOBODY, Persons
from innkeeper.identity.namespaces import DEFAULT_RULES, IdentityRules
from innkeeper.kernel.errors import InnkeeperError
from innkeeper.kernel.json import loads
from innkeeper.kernel.time import FOREVER, Instant
from innkeeper.kernel.zones import country_zone, try_zone
from innkeeper.objects.dates import instant_of
from innkeeper.objects.dates import zone_of as rule_zone


def zone_of(timezone: Any, country: Any, default: str) -> str:
    """The zone of a profile with these traits: its own, else its country's, else the workspace's."""
    if isinstance(timezone, str) and try_zone(timezone) is not None:
        return timezone
    found = country_zone(country) if isinstance(country, str) else None
    return default if found is None else found


class Question:
    """An expression with its definitions put in, ready to be asked as of any instant.

    Args:
        carried: Whether raw events went, so that what was carried of them counts too.
        rules: The rules of who is who.
        known: Explicit words on links count that were said by then.
    """

    def __init__(
        self, expression: Expression, catalog: Catalog, *, at: Instant, zone: str = "UTC", carried: bool = False,
        of: Subject = "profile", rules: IdentityRules = DEFAULT_RULES, known: Instant = FOREVER,
    ) -> None:  # fmt: skip
        self.expression = expand(expression, catalog, of)
        self.at, self.zone, self.of, self.objects = at, zone, of, catalog.objects
        self.merges, self.carried = catalog.merges, carried
        self.rules, self.known = rules, max(known, at)

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
        zones, dates = self._zones(rows, persons), self._dates(rows)
        query = finish(self._query(zones, dates, persons) if zones or dates or persons else self.sql)
        try:
            return rows(query.sql, query.parameters)
        except InnkeeperError as error:
            if "OutOfRange" not in error.message:
                raise
        query = finish(self._query(zones, dates, persons, wide=True))
        return rows(query.sql, query.parameters)

    def owners(self, rows: Rows) -> Owners:
        """Who is who in this picture of the log."""
        return Owners.of(rows, self.rules, self.known)

    def _query(
        self, zones: Sequence[LocalZone] = (), dates: Sequence[LocalDate] = (), persons: Persons = NOBODY, *,
        wide: bool = False,
    ) -> Query:  # fmt: skip
        return members_query(
            self.expression, at=self.at, zones=zones, default_zone=self.zone, wide=wide, merges=self.merges,
            carried=self.carried, objects=self.objects, dates=dates, of=self.of, persons=persons,
        )  # fmt: skip

    def _dates(self, rows: Rows) -> list[LocalDate]:
        """The instants of the objects' days and local times, when a condition reads such dates."""
        found: list[LocalDate] = []
        for name, (query, dates) in local_dates_queries(self.expression, self.at, self.objects).items():
            for place, text, zone in rows(query.sql, query.parameters):
                rule = self.objects[name].dates[dates[place]]
                at = instant_of(text, rule_zone(rule, zone), rule.wall)
                found.append(LocalDate(type=name, date=dates[place], text=text, zone=zone, at=at))
        return found

    def _zones(self, rows: Rows, persons: Persons) -> list[LocalZone]:
        """The zones of all profiles, and of accounts, when calendar words need them."""
        found: list[LocalZone] = []
        for of, parts in (
            (self.of, [self.expression]),
            ("account", [node.when for node in walk(self.expression) if isinstance(node, OfAccount)]),
        ):
            if any(map(uses_calendar, parts)):
                query = zones_query(self.at, self.merges, of, persons)
                found += [
                    LocalZone(
                        timezone=timezone, country=country, zone=zone_of(_plain(timezone), _plain(country), self.zone),
                        of=of,
                    )
                    for timezone, country in rows(query.sql, query.parameters)
                ]  # fmt: skip
        return found


def _plain(text: str | None) -> Any:
    return None if text is None else loads(text)
