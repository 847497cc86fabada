"""New object types over an old log: every object is folded anew from all that was taken, and its holders are shown it.

Part of `adopt.py`. Nothing is announced; what an object is does not depend on the order of its events.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from innkeeper import lifecycle
from innkeeper.kernel.ids import digest
from innkeeper.kernel.time import Instant
from innkeeper.objects.definition import signature
from innkeeper.profiles.objects import ObjectFold
from innkeeper.runtime.engine import Engine, subject_row
from innkeeper.runtime.record import taken_events
from innkeeper.runtime.telling import Things
from innkeeper.store import things
from innkeeper.store.state import Cursor, State

if TYPE_CHECKING:
    from innkeeper.store.bulk import Bulk

_PAGE = 2_000
_MARK = "objects_signature"


def adopt_objects(engine: Engine, bulk: Bulk, cursor: Cursor, *, upto: Instant | None = None) -> None:
    """Fold all objects under the engine's world, unless their types fold as before; *upto* as for `adopt`."""
    fold = next((each for each in engine.world.others if isinstance(each, ObjectFold)), None)
    types = {} if fold is None else fold.types
    mark = digest(signature(types))
    state = engine.state
    if mark == (state.meta(_MARK) or digest("")):
        return
    with state.transaction():
        things.drop_all(state, "object")
    _forget_copies(engine)
    if fold is not None:
        events = engine.counted(taken_events(bulk, cursor, sorted(fold.event_names), upto=upto))
        kept = Things(state)
        while page := list(islice(events, _PAGE)):
            kept.fold_all(page, (fold,))
        _show_all(engine, fold)
    with state.transaction():
        state.set_meta(_MARK, mark)


def _forget_copies(engine: Engine) -> None:
    for page in engine.state.pages(_PAGE):
        profiles = [lifecycle.decode(body) for _, body in page]
        changed = [each for each in profiles if each.objects]
        for each in changed:
            each.objects = {}
        with engine.state.transaction():
            engine.state.put_subjects([subject_row(each, engine.world) for each in changed])


def _show_all(engine: Engine, fold: ObjectFold) -> None:
    for page in things.pages(engine.state, fold.kind, size=_PAGE):
        present = [fold.present(row.type, row.id, row.body) for row in page]
        engine.identities.forget()
        engine.identities.know({identifier for each in present for identifier in each.holders})
        told = [one for each in present for one in each.tell(engine.identities.owner)]
        profiles = dict(_profiles(engine.state, sorted({subject for subject, _ in told})))
        for subject, news in told:
            lifecycle.show(profiles[subject], news)
        with engine.state.transaction():
            engine.state.put_subjects([subject_row(each, engine.world) for each in profiles.values()])
            things.add_told(engine.state, [(each.identifier, each.kind, each.type, each.id) for _, each in told])


def _profiles(state: State, subjects: list[str]) -> Iterator[tuple[str, lifecycle.ProfileState]]:
    bodies = state.bodies(subjects)
    for subject in subjects:
        body = bodies.get(subject)
        yield subject, lifecycle.new_state(subject) if body is None else lifecycle.decode(body)
