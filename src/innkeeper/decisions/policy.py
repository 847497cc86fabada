"""What the gates read: purposes, caps, quiet hours; and how long things are kept. Read from `policies.yaml`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import time
from typing import Literal

from innkeeper.events.minimise import BY_DEFAULT, Minimise
from innkeeper.events.retention import Retention
from innkeeper.kernel.time import Duration

Kind = Literal["marketing", "service", "transactional"]
Basis = Literal["consent", "legitimate_interest", "contract"]
Calendar = Literal["day", "week", "month"]
Unit = Literal["profile", "household"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """Why a message is sent; decides which gates apply.

    `priority`: the higher wins between candidates of one instant. `basis`: `consent` needs a `Consent Given`; the
    others hold until withdrawn. `double_opt_in`: a `Consent Given` counts only once it was confirmed.
    """

    name: str
    kind: Kind = "marketing"
    basis: Basis = "consent"
    priority: int = 0
    double_opt_in: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """At most *at_most* messages per period, counted when reserved.

    `rolling` counts in (t - per, t]; `calendar` in the local day, week (from Monday) or month of the profile's zone.
    None for purpose, channel: all. A cap without a purpose counts and refuses marketing only. With the unit `household`
    it counts what went to anyone of the home, and acts when a delivery is claimed.
    """

    at_most: int
    per: Duration
    calendar: Calendar | None = None
    purpose: str | None = None
    channel: str | None = None
    unit: Unit = "profile"

    @property
    def mode(self) -> str:
        """`rolling` or `calendar`."""
        return "calendar" if self.calendar else "rolling"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """The local window [start, end) in which nothing but transactional messages goes out; may span midnight."""

    start: time
    end: time


@dataclass(frozen=True, slots=True, kw_only=True)
class Bereavement:
    """What happens before the next letter to a home where somebody has died: a person is asked.

    `queue`: where the question goes. `purposes`: names or kinds of the purposes that wait for the answer.
    """

    queue: str = "front-desk"
    purposes: tuple[str, ...] = ("marketing",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """All policies of a workspace."""

    purposes: dict[str, Purpose] = field(default_factory=dict)
    caps: tuple[Cap, ...] = ()
    quiet_hours: QuietHours | None = None
    minimise: Minimise = BY_DEFAULT
    retention: Retention = field(default_factory=Retention)
    bereavement: Bereavement = field(default_factory=Bereavement)

    @property
    def home_caps(self) -> tuple[Cap, ...]:
        """The caps that count by household."""
        return tuple(cap for cap in self.caps if cap.unit == "household")
