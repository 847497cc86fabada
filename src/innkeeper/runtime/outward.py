"""What of the log is told to the outside: which events somebody wants, and what stands in the notice of one.

The same for webhooks (`relay.py`) and for the event stream (`stream.py`). A notice has ids, names and counts; what
could be personal beyond that (addresses, texts, traits, what sources sent) is left out unless it is asked for by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from innkeeper.audiences import compile_where, parse
from innkeeper.events import outputs
from innkeeper.events.types import ENGINE_SOURCE, RECEIPTS, Event
from innkeeper.kernel.errors import UsageError, did_you_mean
from innkeeper.kernel.ids import digest
from innkeeper.kernel.time import format_instant

EVERYTHING: Final = "*"
#: Every output that can be asked for.
OUTPUTS: Final = frozenset(each.event_name for each in outputs.Output.__subclasses__()) | RECEIPTS
#: Properties of outputs that hold texts about a person, or what was seen of one.
_HELD_BACK: Final = frozenset(
    {"address", "ask", "body", "context", "deceased", "facts", "household", "household_id", "quiet", "title", "traits"}
)
_AUDIENCE_EVENTS: Final = frozenset({"Audience Entered", "Audience Left"})
_MOST_NAMES: Final = 100

#: The value of a trait of whoever an event is about; None: there is none.
TraitOf = Callable[[Event, str], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What somebody wants to be told.

    Attributes:
        events: Names of outputs; `*`: all.
        incoming: Names of events that sources send; `*`: all.
        audiences: Of `Audience Entered` and `Audience Left`, these audiences alone; empty: all.
        where: A condition over the properties; empty: none.
        include: What is told beyond the least: `traits.NAME`, `properties`, `properties.NAME`.
    """

    events: frozenset[str] = frozenset()
    incoming: frozenset[str] = frozenset()
    audiences: frozenset[str] = frozenset()
    where: str = ""
    include: tuple[str, ...] = ()

    @classmethod
    def read(
        cls, *, events: Iterable[str] = (), incoming: Iterable[str] = (), audiences: Iterable[str] = (),
        where: str = "", include: Iterable[str] = (),
    ) -> Selection:  # fmt: skip
        """A selection as a person wrote it.

        Raises:
            UsageError: A name is none, or the condition is none.
        """
        found = cls(
            events=frozenset(events), incoming=frozenset(incoming), audiences=frozenset(audiences), where=where.strip(),
            include=tuple(sorted(set(include))),
        )  # fmt: skip
        found._check()
        return found

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Selection:
        """A selection as it is kept; a name that has gone since then stops nobody."""
        return cls(
            events=frozenset(kept["events"]), incoming=frozenset(kept["incoming"]),
            audiences=frozenset(kept["audiences"]), where=kept["where"], include=tuple(kept["include"]),
        )  # fmt: skip

    def kept(self) -> dict[str, Any]:
        """The form in which it is kept."""
        return {
            "events": sorted(self.events), "incoming": sorted(self.incoming), "audiences": sorted(self.audiences),
            "where": self.where, "include": list(self.include),
        }  # fmt: skip

    def _check(self) -> None:
        if not self.events and not self.incoming:
            raise UsageError(
                "nothing is asked for", code="nothing-selected",
                fix="name outputs (--events 'Audience Entered,Stage Changed', or '*') or --incoming events",
            )  # fmt: skip
        for name in sorted(self.events - OUTPUTS - {EVERYTHING}):
            raise UsageError(
                f"the engine says no '{name}'", code="unknown-output",
                fix=did_you_mean(name, OUTPUTS) or f"events that sources send: --incoming '{name}'; outputs are: "
                + ", ".join(sorted(OUTPUTS)),
            )  # fmt: skip
        if max(map(len, (self.events, self.incoming, self.audiences, self.include))) > _MOST_NAMES:
            raise UsageError(f"more than {_MOST_NAMES} names", code="too-many-names", fix="'*' stands for all events")
        for each in self.include:
            kind, _, name = each.partition(".")
            if not ((kind == "traits" and name) or each == "properties" or (kind == "properties" and name)):
                raise UsageError(
                    f"'{each}' cannot be included", code="bad-include",
                    fix="write traits.NAME, properties, or properties.NAME",
                )  # fmt: skip
        if self.where:
            parse(self.where, scope="event")

    def matcher(self) -> Callable[[Event], bool]:
        """Tells whether an event is wanted."""
        holds = compile_where(parse(self.where, scope="event")) if self.where else None

        def wanted(event: Event) -> bool:
            own = event.source == ENGINE_SOURCE
            if own and event.name not in OUTPUTS:
                return False
            names = self.events if own else self.incoming
            if event.name not in names and EVERYTHING not in names:
                return False
            named = event.properties.get("audience") if own and event.name in _AUDIENCE_EVENTS else None
            if named is not None and self.audiences and named not in self.audiences:
                return False
            return holds is None or holds(event.properties)

        return wanted


def notice_id(event: Event) -> str:
    """The stable id of what is told about an event: it is the same whenever and wherever the event is told."""
    return "evt_" + digest(event.source, event.message_id, size=16)


def subject_hash(event: Event) -> bytes:
    """Whom an event is about, as a hash: notices about one are told in their order."""
    about = event.properties.get("account_id", "") if event.is_about_nobody else event.identifier
    return bytes.fromhex(digest(event.is_about_nobody, about, size=8))


def notice(event: Event, include: Iterable[str] = (), trait_of: TraitOf | None = None) -> dict[str, Any]:
    """What is told about an event.

    Args:
        event: The event.
        include: What is told beyond the least.
        trait_of: Looks traits up, for those that are included.
    """
    asked = set(include)
    own = event.source == ENGINE_SOURCE
    data: dict[str, Any] = {"source": event.source, "userId": event.user_id, "anonymousId": event.anonymous_id}
    properties = {
        name: value
        for name, value in event.properties.items()
        if "properties" in asked or f"properties.{name}" in asked or (own and name not in _HELD_BACK)
    }
    if own or properties:
        data["properties"] = properties
    names = sorted(each.partition(".")[2] for each in asked if each.startswith("traits."))
    if names and trait_of is not None and not event.is_about_nobody:
        data["traits"] = {name: trait_of(event, name) for name in names}
    return {"id": notice_id(event), "type": event.name, "timestamp": format_instant(event.timestamp), "data": data}
