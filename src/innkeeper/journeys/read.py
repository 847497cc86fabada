"""A journey from YAML. `script.py` reads its parts, `steps/` its steps; `strategy/` checks the names in it."""

from __future__ import annotations

import re
from typing import Literal

from innkeeper.journeys.anchors import read_entry_anchor
from innkeeper.journeys.definition import (
    AFTER_EXIT,
    AudienceEntry,
    Entry,
    EventEntry,
    Goal,
    ItemEntry,
    Journey,
    ObjectEntry,
    Reentry,
)
from innkeeper.journeys.script import Script
from innkeeper.kernel.errors import UsageError, did_you_mean
from innkeeper.kernel.ids import digest
from innkeeper.kernel.json import canonical
from innkeeper.kernel.located import Findings, Located, Reader
from innkeeper.kernel.time import DAY, parse_duration

_ENTRY_FIX = (
    "write: enter: { event: Booking Confirmed }, or: enter: { audience: loyal },"
    " or: enter: { object: booking, at: arrival - 3 days }, or: enter: { item: products, change: back_in_stock }"
)
_KEY = re.compile(r"[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*\Z")


def read_journey(node: Located, name: str, findings: Findings) -> Journey | None:
    """The journey that a file declares; None when a part that it cannot be without is wrong.

    Args:
        node: The file's mapping.
        name: The file's name without its ending; the key `journey` overrides it.
        findings: Takes everything that is wrong.
    """
    reader = Reader(node, findings, "a journey")
    script = Script(findings)
    given = reader.text("journey", name) or name
    entry_node = reader.require("enter", _ENTRY_FIX)
    enter, when_node = (None, None) if entry_node is None else _read_entry(entry_node, script)
    when_node = reader.get("when") or when_node
    key = _read_key(reader, enter, findings)
    exits = [script.expression(item) for item in reader.items("exit")]
    goal_node, purpose_node = reader.get("goal"), reader.get("purpose")
    purpose = reader.text("purpose")
    if purpose is not None and purpose_node is not None:
        script.mention("purpose", purpose, purpose_node)
    when = None if when_node is None else script.expression(when_node)
    goal = None if goal_node is None else _read_goal(goal_node, script)
    steps = script.steps(reader.require("steps", "steps:\n  - send: welcome-1"))
    description = reader.text("description", "") or ""
    priority, shelf_life = reader.integer("priority"), reader.duration("shelf_life", DAY)
    reentry, late = _read_reentry(reader.get("reentry"), findings), reader.choice("late", ("enter", "skip"), "enter")
    reader.close()
    if enter is None:
        return None
    return Journey(
        name=given, description=description, enter=enter, steps=steps, key=key, when=when,
        exits=tuple(each for each in exits if each is not None), goal=goal, purpose=purpose, priority=priority,
        reentry=reentry, shelf_life=DAY if shelf_life is None else shelf_life,
        late="skip" if late == "skip" else "enter", version=digest(canonical(node.plain())), place=node.place,
        clauses=tuple(script.clauses), mentions=tuple(script.mentions),
    )  # fmt: skip


def _read_entry(node: Located, script: Script) -> tuple[Entry | None, Located | None]:
    reader = Reader(node, script.findings, "'enter'")
    when = reader.get("when")
    ways = [key for key in ("event", "audience", "entered", "left", "object", "item") if reader.has(key)]
    if len(ways) != 1:
        if isinstance(node.value, dict):
            message = "'enter' needs exactly one of: event, audience, entered, left, object, item"
            script.findings.add(node, "bad-entry", message, _ENTRY_FIX)
        return None, when
    enter: Entry | None
    if ways == ["object"]:
        enter = _object_entry(reader, script)
    elif ways == ["item"]:
        enter = _item_entry(reader, script)
    else:
        enter = _event_entry(reader, script) if ways == ["event"] else _audience_entry(reader, ways[0], script)
    own = ("at", "on", "time", "zone") if ways == ["object"] else ("where", "change")
    trust = ("trust",) if ways == ["event"] else ()
    reader.close(("event", "audience", "entered", "left", "object", "item", "when", *own, *trust))
    return enter, when


def _object_entry(reader: Reader, script: Script) -> ObjectEntry | None:
    of, node = reader.text("object"), reader.get("object")
    at, wall, zone = reader.get("at"), reader.get("time"), reader.get("zone")
    on = reader.choice("on", ("created", "changed", "cancelled", "ended"))
    if of is None or node is None:
        return None
    script.mention("object", of, node)
    if (at is None) is (reader.get("on") is None):
        message = f"an entry by a {of} needs either 'at' (a date) or 'on' (a change)"
        script.findings.add(reader.node, "bad-entry", message, f"enter: {{ object: {of}, at: arrival - 3 days }}")
        return None
    if at is not None:
        anchor = read_entry_anchor(at, of, wall, zone, script)
        return None if anchor is None else ObjectEntry(object=of, at=anchor)
    for extra in (wall, zone):
        if extra is not None:
            script.findings.add(extra, "bad-entry", "'time' and 'zone' go with 'at'", "leave them out")
    match on:
        case "created" | "changed" | "cancelled" | "ended":
            return ObjectEntry(object=of, on=on)
    return None


def _event_entry(reader: Reader, script: Script) -> EventEntry | None:
    event, where = reader.text("event"), reader.get("where")
    node = reader.get("event")
    if event is None or node is None:
        return None
    script.mention("event", event, node)
    said = None if where is None else script.expression(where, "event", event)
    match reader.choice("trust", ("anyone", "user", "server"), "anyone"):
        case "user":
            return EventEntry(event=event, where=said, trust="user")
        case "server":
            return EventEntry(event=event, where=said, trust="server")
        case _:
            return EventEntry(event=event, where=said)


def _item_entry(reader: Reader, script: Script) -> ItemEntry | None:
    catalog, node = reader.text("item"), reader.get("item")
    if catalog is None or node is None:
        return None
    script.mention("catalog", catalog, node)
    match reader.choice("change", ("back_in_stock", "price_drop", "changed"), "back_in_stock"):
        case "price_drop":
            return ItemEntry(catalog=catalog, change="price_drop")
        case "changed":
            return ItemEntry(catalog=catalog, change="changed")
        case _:
            return ItemEntry(catalog=catalog)


def _audience_entry(reader: Reader, way: str, script: Script) -> AudienceEntry | None:
    audience, node = reader.text(way), reader.get(way)
    if audience is None or node is None:
        return None
    script.mention("audience", audience, node)
    change: Literal["entered", "left"] = "left" if way == "left" else "entered"
    if way == "audience":
        change = "left" if reader.choice("change", ("entered", "left"), "entered") == "left" else "entered"
    return AudienceEntry(audience=audience, change=change)


def _read_key(reader: Reader, enter: Entry | None, findings: Findings) -> str | None:
    key, node = reader.text("key"), reader.get("key")
    if key is None or node is None:
        return enter.object if isinstance(enter, ObjectEntry) else None
    if isinstance(enter, ObjectEntry) and key != enter.object:
        message = f"a journey that a {enter.object} begins has one enrollment per {enter.object}, not per '{key}'"
        findings.add(node, "bad-key", message, f"key: {enter.object}")
        return enter.object
    if isinstance(enter, AudienceEntry):
        message = "'key' names a property of the entry event, and this journey is entered by an audience"
        findings.add(node, "key-without-event", message, "enter by an event, or leave 'key' out")
    if not _KEY.match(key):
        findings.add(node, "bad-key", f"'{key}' is not the name of an event property", "key: booking_id")
    return key


def _read_goal(node: Located, script: Script) -> Goal | None:
    if not isinstance(node.value, dict):
        when = script.expression(node)
        return None if when is None else Goal(when=when)
    reader = Reader(node, script.findings, "'goal'")
    event, condition, within = reader.text("event"), reader.get("when"), reader.duration("within")
    event_node = reader.get("event")
    reader.close()
    if (event_node is None) is (condition is None):
        script.findings.add(
            node, "bad-goal", "'goal' needs either 'event' or 'when'", "goal: { event: Order Completed }"
        )
        return None
    if condition is not None:
        when = script.expression(condition)
    else:
        assert event_node is not None
        text = "did('" + (event or "").replace("'", "''") + "')"
        script.mention("event", event or "", event_node)
        when = script.expression(Located(text, event_node.place))
    return None if when is None else Goal(when=when, within=within)


def _read_reentry(node: Located | None, findings: Findings) -> Reentry:
    if node is None:
        return AFTER_EXIT
    match node.value:
        case "never" | "after_exit" | "always" as mode:
            return Reentry(mode=mode)
        case {"after": Located(value=length)}:
            try:
                return Reentry(mode="after", period=parse_duration(str(length)))
            except UsageError as error:
                findings.add_from(node, error)
                return AFTER_EXIT
    words = ("never", "after_exit", "always")
    fix = did_you_mean(str(node.value), words) or "write: reentry: { after: 30 days }"
    findings.add(node, "bad-reentry", f"'reentry' must be one of {', '.join(words)}, or {{after: DURATION}}", fix)
    return AFTER_EXIT
