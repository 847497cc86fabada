"""What a step sees when it runs: its enrollment, the profile, the instant. The runner is `runner.py`."""

from __future__ import annotations

from typing import Any

from innkeeper.audiences.resolve import ITEM
from innkeeper.content.dates import with_zones
from innkeeper.content.render import render_text
from innkeeper.journeys.compiled import CompiledJourney, Instruction
from innkeeper.journeys.scoping import EnrollmentReader, KeyPath
from innkeeper.kernel.ids import display_id
from innkeeper.kernel.time import Instant
from innkeeper.profiles.memories import all_memories
from innkeeper.profiles.reading import ProfileReader, held_of
from innkeeper.profiles.state import Enrollment, ProfileState
from innkeeper.profiles.ties import account_view
from innkeeper.profiles.traits import all_traits, trait_value
from innkeeper.profiles.turn import Turn


class Here:
    """One enrollment at one step."""

    __slots__ = ("enrollment", "instruction", "journey", "turn", "workspace")

    def __init__(
        self, turn: Turn, journey: CompiledJourney, enrollment: Enrollment, instruction: Instruction, workspace: str
    ) -> None:
        self.turn, self.journey, self.enrollment, self.instruction = turn, journey, enrollment, instruction
        self.workspace = workspace

    @property
    def now(self) -> Instant:
        """The instant of the input."""
        return self.turn.now

    def holds(self, number: int) -> tuple[bool, Instant]:
        """Whether the step's condition of that number holds, and when the answer could change by time alone."""
        own = self.instruction.step.own_scope
        return self.instruction.conditions[number].evaluate(
            EnrollmentReader(self.turn.reader, self.enrollment, self.journey.key_path, own=own), self.now
        )

    def zone(self) -> str:
        """The profile's zone."""
        return self.turn.reader.zone()

    def context(self) -> dict[str, Any]:
        """What templates of this journey may read."""
        key_path = self.journey.key_path
        return template_context(self.turn.state, self.turn.reader, self.enrollment, self.workspace, key_path)

    def fill(self, template: str) -> str:
        """The text of a template of this journey."""
        context, of = self.context(), None if self.journey.key_path is None else self.journey.key_path.about
        copy = None if of is None else self.turn.state.objects.get(of, {}).get(self.enrollment.key or "")
        if of is not None and copy is not None:
            context[of] = with_zones(context[of], copy.view["dates"], copy.view["zones"])
        return render_text(template, context)


def template_context(
    state: ProfileState, reader: ProfileReader, enrollment: Enrollment, workspace: str, key_path: KeyPath | None = None
) -> dict[str, Any]:
    """What templates may read: traits, memories, account, the entry event, item, object, the journey, zone and locale.

    An object's dates are as they were said, its other properties too; `roles` are the customer's roles in it.
    """
    memories, account = all_memories(state), account_view(state)
    told = all_traits(state, reader.merges) | ({"memories": memories} if memories else {})
    locale = trait_value(state, "locale", reader.merges)
    about = {} if key_path is None or key_path.about is None else _object(state, key_path.about, enrollment.key)
    return {
        **about,
        "profile": {**told, "id": display_id(state.subject)},
        **({"account": account} if account else {}),
        **({"item": enrollment.event[ITEM]} if ITEM in enrollment.event else {}),
        "event": enrollment.event,
        "journey": {"name": enrollment.journey, "key": enrollment.key},
        "key": enrollment.key,
        "locale": locale if isinstance(locale, str) else None,
        "zone": reader.zone(),
        "workspace": {"name": workspace},
    }


def _object(state: ProfileState, of: str, key: str | None) -> dict[str, Any]:
    copy = state.objects.get(of, {}).get(key or "")
    if copy is None:
        return {of: {"id": key}}
    roles = list(held_of(copy).roles)
    return {of: {"roles": roles, **copy.view["properties"], "id": key, "status": copy.view["status"]}}
