"""A profile's copies of what it has a role in: objects and accounts. News replace them, whatever came before.

A copy names the identifiers that it is held under, so it goes along with merges and splits (`transfer.py`).
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import structs

from innkeeper.profiles.others import News
from innkeeper.profiles.state import Copy, ProfileState
from innkeeper.profiles.ties import VERSION
from innkeeper.profiles.turn import Turn


def take_news(turn: Turn, news: tuple[News, ...]) -> None:
    """Put what the news say into the profile's copies, and mark what reads them."""
    for each in news:
        if each.kind != "item" and each.id in shelf_of(turn.state, each.kind, each.type):
            turn.had.add((each.kind, each.type, each.id))
    for each in news:
        put_copy(turn.state, each)
        turn.thing_changed(each)


def put_copy(state: ProfileState, news: News) -> None:
    """Put one thing into the profile's copies, or take it out."""
    if news.kind == "item":
        return
    kept = shelf_of(state, news.kind, news.type)
    copy = kept.get(news.id)
    if news.roles:
        if copy is None:
            copy = kept[news.id] = Copy({}, {})
        copy.view, copy.holders[news.identifier] = news.view, list(news.roles)
    elif copy is not None:
        copy.holders.pop(news.identifier, None)
        if not copy.holders:
            del kept[news.id]


def shelf_of(state: ProfileState, kind: str, type_: str) -> dict[str, Copy]:
    """The profile's copies of one type, by id."""
    return state.accounts if kind == "account" else state.objects.setdefault(type_, {})


def holders(state: ProfileState) -> set[str]:
    """The identifiers that copies are held under."""
    shelves = (*state.objects.values(), state.accounts)
    return {identifier for shelf in shelves for copy in shelf.values() for identifier in copy.holders}


def join_copies(state: ProfileState, other: ProfileState) -> None:
    """Put the copies of *other* into *state*: one thing that both hold is held under the identifiers of both."""
    for type_, theirs in [*other.objects.items(), ("", other.accounts)]:
        mine = shelf_of(state, "object", type_) if type_ else state.accounts
        for id_, copy in theirs.items():
            if id_ in mine:
                if copy.view.get(VERSION, 0) > mine[id_].view.get(VERSION, 0):
                    mine[id_].view = copy.view
                mine[id_].holders |= copy.holders
            else:
                mine[id_] = copy
    for name, plan in other.plans.items():
        own = state.plans.setdefault(name, plan)
        own.entered, own.reached = own.entered or plan.entered, own.reached or plan.reached


def split_copies(state: ProfileState, apart: ProfileState, goes: Callable[[str], bool]) -> None:
    """Give *apart* the copies that are held under identifiers which go there."""
    for type_, mine in [*state.objects.items(), ("", state.accounts)]:
        theirs = shelf_of(apart, "object", type_) if type_ else apart.accounts
        for id_, copy in list(mine.items()):
            for identifier in [each for each in copy.holders if goes(each)]:
                kept = theirs.setdefault(id_, Copy(dict(copy.view), {}))
                kept.holders[identifier] = copy.holders.pop(identifier)
            if not copy.holders:
                del mine[id_]
    for name, plan in list(state.plans.items()):
        if plan.key in apart.objects.get(plan.type, {}):
            apart.plans[name] = structs.replace(plan)
            if plan.key not in state.objects.get(plan.type, {}):
                del state.plans[name]
