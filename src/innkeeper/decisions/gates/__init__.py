"""The gates, in the order in which they are asked; a gate's place is its bit in a decision's `refusing`."""

from innkeeper.decisions.gates.addressable import Addressable
from innkeeper.decisions.gates.cap import FrequencyCap
from innkeeper.decisions.gates.consent import Consent
from innkeeper.decisions.gates.contract import Answer, Gate
from innkeeper.decisions.gates.priority import Priority
from innkeeper.decisions.gates.quiet_hours import Quiet
from innkeeper.decisions.gates.shelf_life import ShelfLife
from innkeeper.decisions.gates.suppressed import Suppression

GATES: tuple[Gate, ...] = (
    Addressable(), Suppression(), Consent(), ShelfLife(), Quiet(), FrequencyCap(), Priority(),
)  # fmt: skip

#: Every reason code a gate can give, with its meaning. `missing_value` comes from rendering (runtime/deliver.py).
REASONS: dict[str, str] = {code: words for gate in GATES for code, words in gate.reasons.items()}

__all__ = ["GATES", "REASONS", "Answer", "Gate"]
