"""Random questions about objects: each an expression, and what it means in plain Python over the oracle's bookings."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from innkeeper.events.types import Event
from oracle.object_oracle import START, UTC, Happened, Known, bookings, claims, date_at, owner, speakers

DAY = 86_400_000_000
#: A condition on one booking in one role as of an instant.
Test = Callable[[Known, str, int], bool]


@dataclass
class Question:
    """An expression; *holds* says for one profile's bookings, each with the roles in it, whether it is a member."""

    text: str
    holds: Callable[[list[tuple[Known, set[str]]], int], bool]
    shifts: set[int]


def event_of(happened: Happened, seq: int = 0) -> Event:
    """The product's event."""
    user = happened.sender.removeprefix("user_id:") if happened.sender.startswith("user_id:") else None
    return Event(
        seq=seq, source=happened.source, message_id=happened.message_id, type="track", name=happened.name, user_id=user,
        anonymous_id=happened.anonymous, timestamp=happened.at, received_at=happened.at, properties=happened.properties,
    )  # fmt: skip


def members(question: Question, history: list[Happened], at: int) -> list[str]:
    """Who is a member as of an instant: everybody with an event of their own is asked."""
    claimed = claims(history, at)
    everybody = speakers(history, at)
    held: dict[str, dict[str, set[str]]] = {}
    known = bookings(history, at)
    for one in known.values():
        for role, (identifier, said) in one.roles.items():
            held.setdefault(owner(claimed, identifier, said), {}).setdefault(one.id, set()).add(role)
    return sorted(
        subject
        for subject in everybody
        if question.holds([(known[id_], roles) for id_, roles in held.get(subject, {}).items()], at)
    )


def random_question(dice: random.Random) -> Question:
    """One function over bookings, or two joined."""
    first = _function(dice)
    if dice.random() < 0.6:
        return first
    second, word = _function(dice), dice.choice(("and", "or", "and not"))

    def holds(mine: list[tuple[Known, set[str]]], at: int) -> bool:
        a, b = first.holds(mine, at), second.holds(mine, at)
        return {"and": a and b, "or": a or b, "and not": a and not b}[word]

    return Question(f"{first.text} {word} {second.text}", holds, first.shifts | second.shifts)


def _function(dice: random.Random) -> Question:
    shifts: set[int] = {0}
    where, test = _where(dice, shifts)
    inner = "" if where is None else f", {where}"

    def chosen(mine: list[tuple[Known, set[str]]], at: int) -> list[Known]:
        return [one for one, roles in mine if any(test(one, role, at) for role in roles)]

    kind = dice.choice(("any", "any", "count", "sum"))
    if kind == "any":
        return Question(f"any(booking{inner})", lambda mine, at: bool(chosen(mine, at)), shifts)
    op, least = dice.choice((">=", "<", "=")), dice.choice((0, 1, 2))
    if kind == "count":
        return Question(
            f"count(booking{inner}) {op} {least}", lambda mine, at: _compare(op, len(chosen(mine, at)), least), shifts
        )
    name, most = dice.choice(("nights", "total", "room", "arrival")), dice.choice((0, 2, 100))
    return Question(
        f"sum(booking, {name}{inner}) {op} {most}",
        lambda mine, at: _compare(op, sum((_number(each.values.get(name)) or 0) for each in chosen(mine, at)), most),
        shifts,
    )


def _where(dice: random.Random, shifts: set[int]) -> tuple[str | None, Test]:
    if dice.random() < 0.15:
        return None, lambda one, role, at: True
    first, test = _atom(dice, shifts)
    if dice.random() < 0.5:
        return first, test
    second, other = _atom(dice, shifts)
    word = dice.choice(("and", "or"))
    if word == "and":
        return f"{first} and {second}", lambda one, role, at: test(one, role, at) and other(one, role, at)
    return f"{first} or {second}", lambda one, role, at: test(one, role, at) or other(one, role, at)


def _atom(dice: random.Random, shifts: set[int]) -> tuple[str, Test]:
    text, test = dice.choice((_status, _role, _room, _nights, _date, _date, _dates, _missing, _id))(dice, shifts)
    if dice.random() < 0.2:
        return f"not ({text})", lambda one, role, at: not test(one, role, at)
    return text, test


def _status(dice: random.Random, shifts: set[int]) -> tuple[str, Test]:
    status = dice.choice(("confirmed", "cancelled", "checked_out"))
    if dice.random() < 0.3:
        return f"status != '{status}'", lambda one, role, at: one.status is not None and one.status != status
    return f"status = '{status}'", lambda one, role, at: one.status == status


def _role(dice: random.Random, shifts: set[int]) -> tuple[str, Test]:
    wanted = dice.choice(("owner", "payer"))
    return f"role = '{wanted}'", lambda one, role, at: role == wanted


def _id(dice: random.Random, shifts: set[int]) -> tuple[str, Test]:
    return "id in ('b0', 'b1')", lambda one, role, at: one.id in ("b0", "b1")


def _room(dice: random.Random, shifts: set[int]) -> tuple[str, Test]:
    room = dice.choice(("12", "14"))
    return f"room = '{room}'", lambda one, role, at: one.values.get("room") == room


def _nights(dice: random.Random, shifts: set[int]) -> tuple[str, Test]:
    op, least = dice.choice((">=", "<", "=", "!=")), dice.choice((1, 2, 3))

    def test(one: Known, role: str, at: int) -> bool:
        value = _number(one.values.get("nights"))
        return value is not None and _compare(op, value, least)

    return f"nights {op} {least}", test


def _missing(dice: random.Random, shifts: set[int]) -> tuple[str, Test]:
    name = dice.choice(("room", "arrival", "departure", "status"))

    def test(one: Known, role: str, at: int) -> bool:
        if name == "status":
            return one.status is None
        return (one.values.get(name) if name == "room" else date_at(one, name)) is None

    return f"{name} is missing", test


def _date(dice: random.Random, shifts: set[int]) -> tuple[str, Test]:
    name, op = dice.choice(("arrival", "departure")), dice.choice(("<", "<=", ">", ">=", "="))
    if dice.random() < 0.3:
        moment = START + dice.randrange(40) * DAY // 2
        text = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment)).isoformat()
        return f"{name} {op} '{text}'", lambda one, role, at: _moment(one, name, op, moment)
    days = dice.choice((-20, -3, 0, 2, 10))
    shifts.add(days * DAY)
    now = "now()" if not days else f"now() {'-' if days < 0 else '+'} '{abs(days)} days'"
    if dice.random() < 0.4 and days > 0:
        return f"{name} between now() and {now}", lambda one, role, at: (
            _moment(one, name, ">=", at) and _moment(one, name, "<=", at + days * DAY)
        )  # fmt: skip
    return f"{name} {op} {now}", lambda one, role, at: _moment(one, name, op, at + days * DAY)


def _dates(dice: random.Random, shifts: set[int]) -> tuple[str, Test]:
    op = dice.choice(("<", ">=", "=", "!="))

    def test(one: Known, role: str, at: int) -> bool:
        departure = date_at(one, "departure")
        return departure is not None and _moment(one, "arrival", op, departure)

    return f"arrival {op} departure", test


def _moment(one: Known, name: str, op: str, other: int) -> bool:
    at = date_at(one, name)
    return at is not None and _compare(op, at, other)


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return Decimal(str(value)).quantize(Decimal("0.000001"), ROUND_HALF_UP)


def _compare(op: str, left: Any, right: Any) -> bool:
    answers: dict[str, bool] = {
        "<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right, "=": left == right,
        "!=": left != right,
    }  # fmt: skip
    return answers[op]
