"""`Link Removed` as a revision: two profiles as if the link had never been stated, each as it would have become.

Who is who would come apart by itself (`moving.py`), and facts with it. But an audience that only both together were in,
or a journey that ended because the other had begun it first, follows from a past that has not been; so that past is
played again without the link, and made real by `revise.py`. The word itself is taken there as well.
"""

from __future__ import annotations

from pathlib import Path

from innkeeper.events.types import Event
from innkeeper.identity.evidence import Evidence, is_unlinking
from innkeeper.identity.retraction import is_control
from innkeeper.identity.spans import ALWAYS
from innkeeper.kernel.time import FOREVER
from innkeeper.runtime.as_if import Recorded
from innkeeper.runtime.engine import Engine
from innkeeper.runtime.gone_past import PastIsGone
from innkeeper.runtime.revise import Order, make_real
from innkeeper.runtime.revising import Revising
from innkeeper.runtime.revision import Concerned, require
from innkeeper.runtime.work import Item
from innkeeper.store.bulk import Bulk
from innkeeper.store.identity import IdentityTables, Merge
from innkeeper.store.retractions import joined
from innkeeper.store.state import Cursor, State

#: Files of a strategy that make more of facts; the names stand in the JSON of all files that were ever applied.
_PROCESS = ('%"audiences/%', '%"journeys/%', '%"stages.%')


def is_word(event: Event) -> bool:
    """Whether an event may ask for a revision."""
    return is_unlinking(event) or is_control(event)


def parting(engine: Engine, event: Event) -> Concerned | None:
    """Everybody concerned by a word that takes a link away; None if no revision is needed.

    None is where nothing holds that it takes away, and where nothing but facts can follow from a link.
    """
    engine.begin()
    words = _words(engine, event)
    if not any(engine.identities.parts(word) for word in words) or not _has_process(engine.state):
        return None
    return _concerned(engine, event)


def unlink(engine: Engine, home: Path, item: Item, whom: Concerned, cursor: Cursor) -> bool:
    """Take the word, and put everybody concerned; False if their past is gone, and it is to be taken like any other.

    Args:
        engine: Nothing of it may wait to be committed, and no timer of those concerned.
        home: The workspace.
        item: The word.
        whom: As `parting` has found.
        cursor: How far the engine has come with it.
    """
    with Bulk.open(home) as bulk:
        recorded = Recorded(bulk, engine.state, engine.next_position + 2, item.event.seq + 1)
        try:
            require(recorded, engine.state, whom)
        except PastIsGone:
            return False
        _put(engine, recorded, item, whom, cursor)
        return True


def unlink_again(engine: Engine, recorded: Recorded, item: Item, identifiers: set[str] | None) -> None:
    """The same in a replay.

    Args:
        engine, item: As in `unlink`.
        recorded: The record up to the word and with it.
        identifiers: In a replay of a few customers, only these.
    """
    engine.begin()
    whom = _concerned(engine, item.event)
    if identifiers is not None:
        whom = Concerned([group for group in whom.groups if not group.isdisjoint(identifiers)])
    _put(engine, recorded, item, whom, None)


def _concerned(engine: Engine, event: Event) -> Concerned:
    edges = [each.pair for each in engine.identities.evidence(event)]
    return Concerned(joined(engine.state.connection, (event.identifier,), edges))


def _put(engine: Engine, recorded: Recorded, item: Item, whom: Concerned, cursor: Cursor | None) -> None:
    event, at = item.event, item.taken_at
    words = _words(engine, event)
    names = sorted({name for word in words for name in word.pair})
    before = _owners(engine, names)
    order = Order(name=event.message_id, kind="unlinked", left_out=engine.left_out, whom=whom)

    def record(revising: Revising) -> None:
        IdentityTables(revising.connection).put_words((word.pair, word) for word in words)
        revising.take(item)
        # Where the other world is played, it finds the word among the inputs.
        revising.write()

    def note() -> None:
        engine.begin()
        apart = {(one, other) for one, other in zip(before, _owners(engine, names), strict=True) if one != other}
        for word in words[:1]:
            engine.pending.merges += [
                Merge(at, "apart", one, other, word.kind, word.a, word.b, *word.key) for one, other in sorted(apart)
            ]

    make_real(engine, recorded, order, event.seq, at, cursor, record=record, after=note)


def _words(engine: Engine, event: Event) -> list[Evidence]:
    return [each for each in engine.identities.evidence(event) if each.kind == "removed" and not each.reason]


def _owners(engine: Engine, names: list[str]) -> list[str]:
    return [engine.identities.owner(name, at) for name in names for at in (ALWAYS, FOREVER)]


def _has_process(state: State) -> bool:
    """Whether there ever was anything that a past is needed for."""
    sql = "SELECT 1 FROM definitions WHERE " + " OR ".join(["files LIKE ?"] * len(_PROCESS)) + " LIMIT 1"  # noqa: S608 – only marks
    return state.connection.execute(sql, _PROCESS).fetchone() is not None
