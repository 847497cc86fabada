"""A profile's copies of what it has a role in: objects and accounts. News replace them, whatever came before.

A copy names the identifiers that it is held under, so it goes along with merges and splits (`transfer.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from msgspec import structs

from innkeeper.profiles.others import Kind, News
from innkeeper.profiles.state import Copy, ProfileState
from innkeeper.profiles.ties import ACCOUNT_THING, VERSION
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
            copy = kept[news.id] = Copy({}, {}, {})
        copy.view, copy.holders[news.identifier] = news.view, list(news.roles)
        if news.kind == "object":
            copy.said[news.identifier] = news.said_at
    elif copy is not None:
        copy.holders.pop(news.identifier, None)
        copy.said.pop(news.identifier, None)
        if not copy.holders:
            del kept[news.id]


def shelf_of(state: ProfileState, kind: str, type_: str) -> dict[str, Copy]:
    """The profile's copies of one type, by id."""
    return state.accounts if kind == "account" else state.objects.setdefault(type_, {})


class Role(NamedTuple):
    """A role of a profile in a thing; an account has no type of its own."""

    kind: Kind
    type: str
    id: str
    identifier: str
    name: str


def roles(state: ProfileState) -> Iterator[Role]:
    """Every role that a profile has in a thing."""
    for kind, type_, shelf in _shelves(state):
        for id_, copy in shelf.items():
            for identifier, names in copy.holders.items():
                for name in names:
                    yield Role(kind, type_, id_, identifier, name)


def _shelves(state: ProfileState) -> Iterator[tuple[Kind, str, dict[str, Copy]]]:
    for type_, shelf in state.objects.items():
        yield "object", type_, shelf
    yield "account", ACCOUNT_THING[1], state.accounts


def join_copies(state: ProfileState, other: ProfileState) -> None:
    """Put the copies of *other* into *state*: one thing that both hold is held under the identifiers of both."""
    for kind, type_, theirs in _shelves(other):
        mine = shelf_of(state, kind, type_)
        for id_, copy in theirs.items():
            if id_ in mine:
                if copy.view.get(VERSION, 0) > mine[id_].view.get(VERSION, 0):
                    mine[id_].view = copy.view
                kept = mine[id_].holders
                kept |= {each: sorted({*kept.get(each, ()), *names}) for each, names in copy.holders.items()}
                mine[id_].said |= copy.said
            else:
                mine[id_] = copy
    for name, plan in other.plans.items():
        own = state.plans.setdefault(name, plan)
        own.entered, own.reached = own.entered or plan.entered, own.reached or plan.reached


def split_copies(state: ProfileState, apart: ProfileState, goes: Callable[[Role], bool]) -> None:
    """Give *apart* the roles that go there, with copies of what they are in."""
    for role in [role for role in roles(state) if goes(role)]:
        mine, theirs = shelf_of(state, role.kind, role.type), shelf_of(apart, role.kind, role.type)
        copy = mine[role.id]
        kept = theirs.setdefault(role.id, Copy(dict(copy.view), {}, {}))
        kept.holders.setdefault(role.identifier, []).append(role.name)
        if role.identifier in copy.said:
            kept.said[role.identifier] = copy.said[role.identifier]
        copy.holders[role.identifier].remove(role.name)
        if not copy.holders[role.identifier]:
            del copy.holders[role.identifier]
            copy.said.pop(role.identifier, None)
        if not copy.holders:
            del mine[role.id]
    for name, plan in list(state.plans.items()):
        if plan.key in apart.objects.get(plan.type, {}):
            apart.plans[name] = structs.replace(plan)
            if plan.key not in state.objects.get(plan.type, {}):
                del state.plans[name]
