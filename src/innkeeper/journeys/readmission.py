"""Messages that were due before the world was revised: offered to the gates again, now, while their time is not over.

Their enrollments have gone on; what the gates refuse now is missed. Who calls this is `runtime/revise.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from innkeeper.decisions.arbitrate import arbitrate
from innkeeper.decisions.candidate import Candidate, Sight, purpose_of
from innkeeper.events.outputs import DeliveryPlanned, Output
from innkeeper.journeys.compiled import JourneyRules
from innkeeper.kernel.time import Instant
from innkeeper.profiles.state import ProfileState


def offer_again(
    state: ProfileState,
    due: Sequence[tuple[DeliveryPlanned, Instant, Instant]],
    now: Instant,
    rules: JourneyRules,
    zone: str,
) -> list[Output]:
    """Ask the gates about messages; what they say. With each: when its enrollment began, and what says whose it is."""
    found = [_candidate(*each, rules) for each in due]
    sight = Sight(state=state, now=now, policies=rules.policies, workspace_zone=zone)
    outputs: list[Output] = []
    arbitrate([each for each in found if each is not None], sight, outputs)
    return outputs


def _candidate(planned: DeliveryPlanned, began_at: Instant, owned_at: Instant, rules: JourneyRules) -> Candidate | None:
    message = rules.messages.get(planned.message)
    compiled = rules.find(planned.journey, planned.version)
    if message is None or compiled is None:
        return None
    purpose = purpose_of(rules.policies, planned.purpose)
    journey = compiled.journey
    return Candidate(
        message=message, purpose=purpose, journey=journey.name, version=planned.version,
        enrollment=planned.enrollment, identifier=planned.identifier, key=planned.key, step=planned.step,
        priority=purpose.priority if journey.priority is None else journey.priority,
        offered_at=planned.expires_at - journey.shelf_life, began_at=began_at, owned_at=owned_at,
        shelf_life=journey.shelf_life, context=planned.context,
    )  # fmt: skip
