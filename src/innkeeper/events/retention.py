"""How long what is remembered is kept: the classes, and the class and rule of each event of the log. Pure.

`decisions/read_retention.py` reads the rules, `strategy/retention_check.py` holds them against the definitions, and
`runtime/retention.py` is the job that lets go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from innkeeper.events.signals import OPT_OUT
from innkeeper.events.types import ENGINE_SOURCE, RECEIPTS
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.located import NOWHERE, Place
from innkeeper.kernel.time import DAY, Duration, format_duration, parse_duration

Class = Literal["events", "traits", "ledger", "decisions", "consent", "logs"]

#: What stands in for raw events that went: written by the retention job, never by a fold.
CARRIED: Final = "Facts Carried"
#: In `extra` of an event that stays: words went out of it.
ENDED: Final = "$innkeeper.ended"

#: Proof: what the customer has said on being written to, and what forbids it. Kept, whatever the other rules say.
CONSENT_EVENTS: Final = frozenset(
    {
        "Consent Given", "Consent Withdrawn", "Unsubscribed", "Suppressed", "Unsuppressed", "Message Complained",
        "Message Bounced", "Consent Recorded", "Suppression Recorded", "Double Opt-In Requested",
        "Double Opt-In Confirmed", OPT_OUT,
    }
)  # fmt: skip
#: Inputs that stay by their name, and why: what they say may still stand, whenever it was said.
STANDING: Final = {
    "Link Added": "it links identifiers", "Link Removed": "it links identifiers",
    "Identifier Verified": "an address was verified by it",
    "Memory Noted": "somebody is remembered by it", "Memory Forgotten": "somebody is remembered by it",
    "Household Joined": "it says who lives together", "Household Left": "it says who lives together",
    "Deceased Reported": "it says who has died", "Suppression Corrected": "it says who has died",
    "Bereavement Answered": "it says what may be sent to a home",
}  # fmt: skip
_MONTH: Final = 30 * DAY
_YEAR: Final = 365 * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How long a class, or events of one name, are kept; *length* None: for good."""

    length: Duration | None = None
    place: Place = field(default=NOWHERE, compare=False, repr=False)

    def __str__(self) -> str:
        return "keep" if self.length is None else format_duration(self.length)


KEEP: Final = Rule()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """`retention` of policies.yaml. Without it everything is kept.

    Attributes:
        events: Of raw events by name.
        default: Of the raw events that have no rule of their own.
        ledger: Of deliveries that have ended, and their receipts.
        decisions: Of decision records, and of what else the engine has said.
        logs: Of files beside the store: lines that an import refused.
    """

    events: Mapping[str, Rule] = field(default_factory=dict)
    default: Rule = KEEP
    ledger: Rule = KEEP
    decisions: Rule = KEEP
    logs: Rule = KEEP

    @property
    def declared(self) -> bool:
        """Whether anything is ever to go."""
        rules = (self.default, self.ledger, self.decisions, self.logs, *self.events.values())
        return any(rule.length is not None for rule in rules)

    def rule_of(self, source: str, name: str) -> Rule:
        """The rule of an event of the log."""
        match class_of(source, name):
            case "ledger":
                return self.ledger
            case "decisions":
                return self.decisions
            case "events":
                return self.events.get(name, self.default)
            case _:
                return KEEP


def class_of(source: str, name: str) -> Class:
    """The class of an event of the log.

    >>> class_of("import", "Order Completed"), class_of("innkeeper", "Message Sent"), class_of("web", "Consent Given")
    ('events', 'ledger', 'consent')
    """
    if name in CONSENT_EVENTS or (source == ENGINE_SOURCE and name == CARRIED):
        return "consent"
    if source != ENGINE_SOURCE:
        return "events"
    return "ledger" if name in RECEIPTS or name == "Delivery Planned" else "decisions"


def parse_length(text: str) -> Duration | None:
    """The length that a rule names, None for `keep`. A month is 30 days, as in the caps, and a year 365.

    Raises:
        UsageError: It is neither `keep` nor a duration longer than nothing.

    >>> parse_length("13 months") // DAY, parse_length("90 days") // DAY, parse_length("keep")
    (390, 90, None)
    """
    if text.strip() == "keep":
        return None
    number, _, unit = text.strip().partition(" ")
    size = {"month": _MONTH, "year": _YEAR}.get(unit.strip().removesuffix("s"))
    if size is not None and number.isdigit() and len(number) <= 4:
        length = int(number) * size
    else:
        try:
            length = parse_duration(text)
        except UsageError as error:
            raise UsageError(
                f"'{text}' is no retention", code="bad-duration", fix="write it like '13 months', '90 days' or keep"
            ) from error
    if length <= 0:
        raise UsageError(
            "a retention must be longer than nothing", code="bad-duration", fix="write it like '13 months'"
        )
    return length
