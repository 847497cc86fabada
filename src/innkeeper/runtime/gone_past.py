"""Whether the past of some customers is whole: what went by retention cannot be played as if it had been otherwise.

Asked by `revision.py` before it plays anybody. What is retracted stays while it is: retention looks at what counts.
"""

from __future__ import annotations

from collections.abc import Collection

from innkeeper.events.retention import CARRIED, ENDED
from innkeeper.events.types import ENGINE_SOURCE
from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.ids import display_id
from innkeeper.kernel.json import dumps
from innkeeper.runtime.about import every_fold
from innkeeper.runtime.about_many import account_ids, rules_of_many
from innkeeper.runtime.as_if import Recorded
from innkeeper.store.accounts import words_of
from innkeeper.store.state import State
from innkeeper.store.things import ThingKey, told_of

_CARRIED = (
    "SELECT min(identifier) FROM every_event WHERE ((source = $engine AND name = $carried)"
    " OR json_exists(extra, $ended)) AND identifier IN (SELECT unnest($wanted))"
)
_UNKNOWN = (
    "SELECT subject, delivery FROM taken WHERE mode = 'receipt' AND position < :position"
    " AND subject IN (SELECT value FROM json_each(:names))"
)


class PastIsGone(OperationFailed):
    """Something went by retention that would have to be played."""


def require_past(recorded: Recorded, ledger: State, identifiers: set[str], things: Collection[ThingKey]) -> None:
    """Refuse to play customers of whom inputs or ended deliveries are gone, or with things whose past is gone.

    Raises:
        PastIsGone: Something went by retention.
    """
    bulk = recorded.bulk
    wanted = sorted(identifiers)
    bound = {"engine": ENGINE_SOURCE, "carried": CARRIED, "ended": f"/{ENDED}", "wanted": wanted}
    found = bulk.rows(_CARRIED, bound)[0][0]
    if found is not None:
        raise _gone(f"events of {display_id(found)}")
    gone = {each.name for each in bulk.let_go}
    about = {name for fold in every_fold(recorded.real) for name in fold.event_names}
    if gone & about and (told_of(ledger, identifiers) or any(key.kind == "object" for key in things)):
        raise _gone(f"events '{min(gone & about)}' about objects")
    # What makes accounts and items now stays; an earlier strategy may have counted more.
    counted = rules_of_many(recorded.real).counted if gone else frozenset()
    if gone & counted and (account_ids(things) or any(words_of(ledger, identifiers).values())):
        raise _gone(f"events '{min(gone & counted)}' that counted for accounts")
    known = {id for (id,) in ledger.connection.execute("SELECT id FROM deliveries")} if ledger.has_retired() else None
    if known is not None:
        asked = {"position": recorded.position, "names": dumps(wanted)}
        for subject, delivery in recorded.real.connection.execute(_UNKNOWN, asked):
            if delivery not in known:
                raise _gone(f"deliveries to {display_id(subject)}")


def _gone(what: str) -> PastIsGone:
    return PastIsGone(
        f"{what} went by retention, so that nobody can say any more what would be without others; nothing was changed",
        code="past-is-gone", fix="retract events only of customers of whom everything is still there",
    )  # fmt: skip
