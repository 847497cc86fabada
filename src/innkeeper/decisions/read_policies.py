"""`policies.yaml` to `Policies`. What the gates make of them: `gates/`."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import time
from typing import get_args

from innkeeper.decisions.policy import Basis, Bereavement, Calendar, Cap, Kind, Policies, Purpose, QuietHours, Unit
from innkeeper.decisions.read_retention import read_minimise, read_retention
from innkeeper.kernel.errors import UsageError, did_you_mean
from innkeeper.kernel.located import Findings, Located, Reader
from innkeeper.kernel.time import DAY, WEEK, Duration, parse_duration

_CALENDAR: dict[str, tuple[Calendar, Duration]] = {
    "day": ("day", DAY), "week": ("week", WEEK), "month": ("month", 30 * DAY),
}  # fmt: skip
_CALENDAR_LENGTHS: dict[Duration, Calendar] = {DAY: "day", WEEK: "week", 30 * DAY: "month"}
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])\Z")
_MONTHS = re.compile(r"1 months?\Z")
_LATER_KEYS = ("consent", "blend", "sensitive", "guards", "topics", "holdout")


def read_policies(node: Located, findings: Findings) -> Policies:
    """The policies of a file; what is wrong is left out and added to the findings."""
    if node.value is None:
        return Policies()
    reader = Reader(node, findings, "policies.yaml")
    policies = Policies(
        purposes=_purposes(reader.get("purposes"), findings),
        caps=tuple(cap for item in reader.items("caps") if (cap := _cap(item, findings)) is not None),
        quiet_hours=_quiet_hours(reader.get("quiet_hours"), findings),
        minimise=read_minimise(reader.get("minimise"), findings),
        retention=read_retention(reader.get("retention"), findings),
    )
    policies = replace(policies, bereavement=_bereavement(reader.get("bereavement"), policies, findings))
    for key in _LATER_KEYS:
        if reader.has(key):
            findings.add(node.keys[key], "later", f"'{key}' comes with a later version", "remove it until then")
    reader.close()
    return policies


def _purposes(node: Located | None, findings: Findings) -> dict[str, Purpose]:
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        findings.add(
            node, "not-a-mapping", "'purposes' names each purpose with its kind and basis",
            "write it like {newsletter: {kind: marketing, basis: consent}}",
        )  # fmt: skip
        return {}
    purposes = {}
    for name, item in node.value.items():
        reader = Reader(Located({}, item.place, {}) if item.value is None else item, findings, f"the purpose '{name}'")
        kind = reader.choice("kind", get_args(Kind), "marketing")
        basis = reader.choice("basis", get_args(Basis), "consent")
        priority = reader.integer("priority", 0)
        double = _double_opt_in(reader, basis)
        reader.close()
        purposes[name] = Purpose(
            name=name, kind=kind, basis=basis, priority=priority or 0, double_opt_in=double,  # type: ignore[arg-type]
        )  # fmt: skip
    return purposes


def _double_opt_in(reader: Reader, basis: str | None) -> bool:
    node = reader.get("double_opt_in")
    if node is None:
        return False
    if not isinstance(node.value, bool):
        reader.findings.add(
            node,
            "not-a-boolean",
            f"'double_opt_in' is true or false, not '{node.plain()}'",
            "write double_opt_in: true",
        )  # fmt: skip
        return False
    if node.value and basis != "consent":
        reader.findings.add(
            node, "nothing-to-confirm", f"a purpose with the basis {basis} asks for no consent, so none is confirmed",
            "write basis: consent, or remove double_opt_in",
        )  # fmt: skip
        return False
    return node.value


def _cap(node: Located, findings: Findings) -> Cap | None:
    reader = Reader(node, findings, "a cap")
    at_most = reader.integer("at_most", required=True)
    mode = reader.choice("mode", ("rolling", "calendar"), "rolling")
    per = reader.require("per", "write it like per: 7 days")
    purpose, channel = reader.text("purpose"), reader.text("channel")
    unit = reader.choice("unit", get_args(Unit), "profile")
    reader.close()
    if at_most is not None and at_most < 0:
        findings.add(
            reader.get("at_most") or node, "negative", f"'at_most' is {at_most}; it cannot be negative", "use 0"
        )
        return None
    period = _period(per, mode == "calendar", findings) if per is not None else None
    if at_most is None or period is None:
        return None
    calendar, duration = period
    return Cap(at_most=at_most, per=duration, calendar=calendar, purpose=purpose, channel=channel, unit=unit)  # type: ignore[arg-type]


def _period(node: Located, calendar: bool, findings: Findings) -> tuple[Calendar | None, Duration] | None:
    text = str(node.plain()).strip()
    word = "month" if _MONTHS.match(text) else text
    if word in _CALENDAR:
        name, duration = _CALENDAR[word]
        return (name if calendar else None), duration
    try:
        duration = parse_duration(text)
    except UsageError as error:
        near = did_you_mean(text, _CALENDAR)
        findings.add(node, error.code, error.message, near or f"{error.fix}, or as day, week, month")
        return None
    if duration <= 0:
        findings.add(node, "bad-duration", "a cap's period must be longer than nothing", "write it like 7 days")
        return None
    if not calendar:
        return None, duration
    if duration not in _CALENDAR_LENGTHS:
        findings.add(
            node, "not-a-calendar-period", f"'{text}' is no calendar period: mode calendar counts a day, week or month",
            "write per: day, week or month, or mode: rolling",
        )  # fmt: skip
        return None
    return _CALENDAR_LENGTHS[duration], duration


def _quiet_hours(node: Located | None, findings: Findings) -> QuietHours | None:
    if node is None:
        return None
    reader = Reader(node, findings, "quiet_hours")
    start, end = _clock(reader, "from"), _clock(reader, "to")
    reader.close()
    if start is None or end is None:
        return None
    if start == end:
        findings.add(
            node, "empty-window", f"quiet hours from {start:%H:%M} to {end:%H:%M} are no window",
            "give two different times, or remove quiet_hours",
        )  # fmt: skip
        return None
    return QuietHours(start=start, end=end)


def _bereavement(node: Located | None, policies: Policies, findings: Findings) -> Bereavement:
    default = Bereavement()
    if node is None:
        return default
    reader = Reader(node, findings, "bereavement")
    queue = reader.text("queue", default.queue) or default.queue
    known = {*policies.purposes, *(kind for kind in get_args(Kind) if kind != "transactional")}
    purposes = []
    for item in reader.items("purposes"):
        name = str(item.plain())
        purpose = policies.purposes.get(name)
        if name not in known:
            findings.add(
                item, "unknown-purpose", f"'purposes' of bereavement names '{name}', which is no purpose and no kind",
                did_you_mean(name, known) or f"write one of: {', '.join(sorted(known))}",
            )  # fmt: skip
        elif purpose is not None and purpose.kind == "transactional":
            findings.add(
                item, "transactional-goes-on", f"'{name}' is transactional: it goes on, nobody is asked", "leave it out"
            )
        else:
            purposes.append(name)
    reader.close()
    return Bereavement(queue=queue, purposes=tuple(purposes) or default.purposes)


def _clock(reader: Reader, key: str) -> time | None:
    node = reader.require(key, f'write it like {key}: "22:00"')
    if node is None:
        return None
    found = _CLOCK.match(node.value) if isinstance(node.value, str) else None
    if found is None:
        fix = 'write midnight as "00:00"' if str(node.plain()).startswith("24") else 'write it like "22:00"'
        reader.findings.add(node, "bad-clock-time", f"'{node.plain()}' is not a time of day", fix)
        return None
    return time(int(found[1]), int(found[2]))
