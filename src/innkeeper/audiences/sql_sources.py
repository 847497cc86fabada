"""What statements about profiles read: events and traits, each with its owner; of accounts it is `sql_accounts.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlglot import exp

from innkeeper.audiences.check import Subject
from innkeeper.audiences.merges import Merges
from innkeeper.audiences.sql_accounts import AccountSources
from innkeeper.audiences.sql_traits import traits_sql
from innkeeper.audiences.sql_values import Binder, Sql, fn, number, text
from innkeeper.identity.spans import ALWAYS
from innkeeper.kernel.ids import ANONYMOUS
from innkeeper.kernel.time import Instant

#: The subjects of identifiers that do not name their profile themselves.
Persons = Mapping[str, str]
NOBODY: Final[Persons] = {}


class Sources:
    """The common table expressions that do not depend on the expression."""

    def __init__(self, bind: Binder, at: Instant, merges: Merges, persons: Persons) -> None:
        self.bind, self.at, self.merges, self.persons = bind, bind.bind(at), merges, persons

    def prelude(self) -> list[tuple[str, exp.Query]]:
        """What all others are made from."""
        return [("owned", self.owned())]

    def owned(self) -> exp.Select:
        """Whose each identifier is that is not its own, in which stretch of time (`owners.py`)."""
        stretch = [exp.column(name, table="turns") for name in ("since", "until")]
        claimant = exp.column("claimant", table="turns")
        began = exp.LTE(this=exp.column("ts", table="turns"), expression=self.at.copy())
        identifier = exp.column("identifier", table="turns")
        if not self.persons:
            return exp.select(identifier, claimant.as_("subject"), *stretch).from_("turns").where(began)
        names = exp.select(
            fn("unnest", self.bind.texts(self.persons.keys())).as_("identifier"),
            fn("unnest", self.bind.texts(self.persons.values())).as_("subject"),
        )
        subject = exp.Coalesce(this=exp.column("subject", table="person"), expressions=[claimant.copy()])
        claimed = (
            exp.select(identifier, subject.as_("subject"), *stretch)
            .from_("turns")
            .join(
                exp.to_table("person"), join_type="left",
                on=exp.EQ(this=exp.column("identifier", table="person"), expression=claimant.copy()),
            )
            .where(began)
        )  # fmt: skip
        themselves = exp.select("identifier", "subject", number(ALWAYS), number(-ALWAYS)).from_("person")
        both = exp.union(claimed, themselves, distinct=False, copy=False).subquery("owned_by_all")
        return exp.select("*").from_(both).with_("person", as_=names)

    def events(self, *columns: Sql, view: str = "events") -> exp.Select:
        """Events up to the instant, or what was carried of them, with their owner as the first column, `subject`."""
        owner = exp.Coalesce(this=exp.column("subject", table="o"), expressions=[exp.column("identifier", table="e")])
        return (
            exp.select(exp.alias_(owner, "subject"), *columns)
            .from_(exp.to_table(view, alias="e"))
            .join(
                exp.to_table("owned", alias="o"), join_type="left",
                on=exp.and_(
                    exp.EQ(this=exp.column("identifier", table="o"), expression=exp.column("identifier", table="e")),
                    exp.GTE(this=exp.column("ts", table="e"), expression=exp.column("since", table="o")),
                    exp.LT(this=exp.column("ts", table="e"), expression=exp.column("until", table="o")),
                ),
            )
            .where(exp.LTE(this=exp.column("ts"), expression=self.at.copy()))
            .group_by(number(1))
        )  # fmt: skip

    def traits(self, names: Sequence[str]) -> exp.Select:
        """The value of each trait, as JSON text (NULL: none, or removed)."""
        return traits_sql(names, self.merges, self.events, self.bind, self.at)


def sources_of(
    bind: Binder, at: Instant, merges: Merges, of: Subject, persons: Persons
) -> Sources | AccountSources:  # fmt: skip
    """What a statement about profiles, or about accounts, reads."""
    return Sources(bind, at, merges, persons) if of == "profile" else AccountSources(bind, at)


def own_ids() -> exp.Select:
    """The smallest anonymous id of each person, from the table `owned`."""
    bare = fn("substr", exp.column("identifier"), number(len(ANONYMOUS) + 1))
    return (
        exp.select("subject", exp.alias_(exp.Min(this=bare), "anonymous"))
        .from_("owned")
        .where(fn("starts_with", exp.column("identifier"), text(ANONYMOUS)))
        .group_by("subject")
    )
