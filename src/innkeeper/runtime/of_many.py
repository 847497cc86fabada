"""What a revision does not put right: accounts, which add up what many do, and items, which tell those who asked.

Who has to do with one is refused before anything is played, rather than put into a world that is wrong. Asked by
`revision.py`; the other refusal is `gone_past.py`.
"""

from __future__ import annotations

from collections.abc import Iterable

from innkeeper.events.accounts import named_account
from innkeeper.events.items import item_set, wishes
from innkeeper.events.types import Event
from innkeeper.identity.retraction import Retraction
from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.ids import display_id
from innkeeper.lifecycle import World
from innkeeper.runtime import definitions as applied
from innkeeper.runtime.as_if import Recorded
from innkeeper.runtime.record import events_left_out, events_of
from innkeeper.strategy.types import Definitions


def require_alone(recorded: Recorded, identifiers: set[str]) -> None:
    """Refuse to play customers who have to do with an account or have asked for an item.

    Raises:
        OperationFailed: One of their events names an account or an item.
    """
    declared = applied.earlier(recorded.real)
    if _any(declared):
        _refuse(declared, recorded.there(events_of(recorded.bulk, identifiers)))


def require_own(recorded: Recorded, retraction: Retraction) -> None:
    """Refuse to leave out, or to bring back, events that are about an account or an item.

    Raises:
        OperationFailed: One of them is.
    """
    declared = applied.earlier(recorded.real)
    if _any(declared):
        _refuse(declared, recorded.there(events_left_out(recorded.bulk, retraction, nobody=True)))


def _any(declared: Iterable[Definitions]) -> bool:
    return any(each.workspace.accounts is not None or each.catalogs for each in declared)


def _refuse(declared: list[Definitions], events: Iterable[Event]) -> None:
    accounts = any(each.workspace.accounts is not None for each in declared)
    asked = [World.build(each).items.wished_by for each in declared if each.catalogs]
    for event in events:
        if accounts and (account := named_account(event)) is not None:
            raise _refusal(event, f"the account '{account}'", "all members of accounts hear of")
        if asked and item_set(event) is not None:
            raise _refusal(event, "an item", "all who asked for it hear of")
        if any(wishes(event, each) for each in asked):
            raise _refusal(event, "an item that its sender asks for", "is told by changes of the item")


def _refusal(event: Event, what: str, why: str) -> OperationFailed:
    who = "" if event.is_about_nobody else f" of {display_id(event.identifier)}"
    return OperationFailed(
        f"the event '{event.name}'{who} is about {what}, and what {why} cannot be made as if it had been otherwise;"
        " nothing was changed",
        code="past-of-many", where=f"source '{event.source}', messageId {event.message_id}",
        fix="name the messageIds of customers who have nothing to do with accounts or wishes: --messages FILE;"
        " correct the others by newer events",
    )  # fmt: skip
