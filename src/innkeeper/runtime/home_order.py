"""The order of claims inside a home, in a run over recorded time: a delivery is claimed when everything that its home
does before it is known, so that ticks of any size give the same caps and questions.

Profiles do not wait for each other, but their deliveries meet at the claim: a home's cap counts what went to all. So,
of the members that wait with a planned delivery, only those with the earliest one are served; an event of the home
from then on waits with them; timers of the home go off up to then. The engine's passes are in `engine.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from innkeeper.decisions.policy import Policies
from innkeeper.events import outputs as o
from innkeeper.events.types import Event
from innkeeper.kernel.time import Instant
from innkeeper.profiles.home import ANSWERED, JOINED, LEFT, TRAIT, household
from innkeeper.profiles.state import ProfileState
from innkeeper.store.homes import Homes
from innkeeper.store.state import State

#: How an engine finds the state of a profile that it has at hand; None: it has none.
StateOf = Callable[[str], ProfileState | None]
_NAMING = frozenset({JOINED, LEFT, ANSWERED})


class HomeOrder:
    """What the engine asks while it passes over a tick; idle where no rule looks at homes and nobody has died."""

    def __init__(self, state: State, policies: Policies, messages: Iterable[bool], state_of: StateOf) -> None:
        self._state, self._state_of = state, state_of
        self._held: dict[str, Instant] = {}
        self._limits: dict[str, Instant] = {}
        #: Whether a rule counts by home, or somebody has died.
        self.active = bool(policies.home_caps) or any(messages)
        self.look_again()

    def look_again(self) -> None:
        """Somebody may have died in the tables: at the beginning, and after a revision."""
        self.active = self.active or Homes(self._state.connection).any_death()

    def heed(self, output: o.Output) -> None:
        """The first death makes homes matter."""
        if isinstance(output, o.DeathRecorded):
            self.active = True

    def home(self, subject: str) -> str | None:
        """The household of a profile as it is now; None for one without, or that is not at hand."""
        state = self._state_of(subject)
        return None if state is None else household(state)

    # Which part of a home may go on, up to when

    def begin(self, waiting: Mapping[str, Instant]) -> None:
        """A pass begins: nothing is held back but by those who wait already."""
        self._held = {}
        self._limits = self._earliest(waiting)

    def wait(self, subject: str, at: Instant) -> None:
        """A profile waits for a delivery of an instant: its home goes no further."""
        if self.active:
            self._limit(self._limits, self.home(subject), at)

    def hold(self, subjects: Iterable[str], event: Event, at: Instant) -> None:
        """An event is held back: the homes that it concerns go no further, nor do their deliveries from then on."""
        if self.active:
            for home in self._concerned(subjects, event):
                self._limit(self._held, home, at)
                self._limit(self._limits, home, at)

    def holds_back(self, subjects: Iterable[str], event: Event, at: Instant) -> bool:
        """Whether an event waits for something earlier in a home that it concerns."""
        if not self._limits:
            return False
        return any(self._limits.get(home, at + 1) <= at for home in self._concerned(subjects, event))

    def limit(self, subject: str) -> Instant | None:
        """Up to when the timers of a profile may go off because of its home; None: nothing holds the home back."""
        return self._limits.get(self.home(subject) or "") if self._limits else None

    def ready(self, waiting: Mapping[str, Instant], horizon: Instant | None) -> set[str]:
        """Whose planned deliveries may be claimed: in each home the earliest ones, once nothing before them is open.

        *horizon*: those after it wait for a later tick (only a run that was cut off leaves such); None: they may not.
        """
        earliest = self._earliest(waiting)
        if not earliest:
            return set(waiting)
        found = set()
        for subject, at in waiting.items():
            home = self.home(subject)
            first = home is None or (at == earliest[home] and at <= self._held.get(home, at))
            if first and (horizon is None or home is None or at <= horizon):
                found.add(subject)
        return found

    def _earliest(self, waiting: Mapping[str, Instant]) -> dict[str, Instant]:
        found: dict[str, Instant] = {}
        if self.active:
            for subject, at in waiting.items():
                self._limit(found, self.home(subject), at)
        return found

    @staticmethod
    def _limit(limits: dict[str, Instant], home: str | None, at: Instant) -> None:
        if home is not None:
            limits[home] = min(at, limits.get(home, at))

    def _concerned(self, subjects: Iterable[str], event: Event) -> set[str]:
        """The homes of profiles, and those that the event names: who joins or answers need not live there yet."""
        homes = {home for subject in subjects if (home := self.home(subject)) is not None}
        if event.name in _NAMING and isinstance(event.properties.get("household_id"), str):
            homes.add(event.properties["household_id"].strip())
        if isinstance(event.traits.get(TRAIT), str):
            homes.add(event.traits[TRAIT].strip())
        return homes

    # Answers

    def awaiting(self, event: Event) -> list[str]:
        """The profiles whose held deliveries an answer lets go or cancels."""
        household_id = event.properties.get("household_id")
        if event.name != ANSWERED or not isinstance(household_id, str):
            return []
        sql = "SELECT DISTINCT subject FROM deliveries WHERE hold = ? AND state = 'planned' ORDER BY subject"
        rows = self._state.connection.execute(sql, (household_id,))
        return [subject for (subject,) in rows]

    def answered(self, event: Event, at_hand: Iterable[str]) -> list[str]:
        """Everybody of the home that an answer is about: what they do before it comes before it."""
        if event.name != ANSWERED or not self.active:
            return []
        home = event.properties.get("household_id")
        return [subject for subject in at_hand if self.home(subject) == home]

    def settles_held(self, output: o.Output) -> bool:
        """Whether an exit cancels a delivery that was held: its receipt is then taken at once."""
        if not self.active or not isinstance(output, o.JourneyExited) or output.outcome not in ("exit", "goal"):
            return False
        sql = "SELECT EXISTS (SELECT 1 FROM deliveries WHERE enrollment = ? AND hold IS NOT NULL AND state = 'planned')"
        return bool(self._state.connection.execute(sql, (output.enrollment,)).fetchone()[0])
