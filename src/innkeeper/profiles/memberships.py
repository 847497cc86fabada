"""Audiences and the stage: evaluated when something they read has changed, or exactly when time could change them.

The engine keeps what it has announced; `in_audience` and `stage` read that. Next in the flow: `journeys/enrollment.py`.
"""

from __future__ import annotations

from innkeeper.events.outputs import AudienceEntered, AudienceLeft, StageChanged
from innkeeper.kernel.time import FOREVER, Instant
from innkeeper.profiles.rules import STAGES, Node
from innkeeper.profiles.state import Membership
from innkeeper.profiles.turn import Turn


def mark_due(turn: Turn) -> None:
    """Mark the audiences whose answer could have changed by time alone."""
    rechecks, positions = turn.state.rechecks, turn.rules.positions
    for name in [name for name, at in rechecks.items() if at <= turn.now]:
        if name in positions:
            turn.nodes |= 1 << positions[name]
        else:
            del rechecks[name]


def settle_memberships(turn: Turn, *, announce: bool = True) -> None:
    """Evaluate what is marked, in topological order, each at most once."""
    marked, turn.nodes = turn.nodes, 0
    nodes = turn.rules.nodes
    while marked:
        lowest = marked & -marked
        marked ^= lowest
        node = nodes[lowest.bit_length() - 1]
        changed = _settle_stage(turn, node, announce) if node.name == STAGES else _settle_audience(turn, node, announce)
        if changed:
            marked |= node.dependents
            turn.watchers |= node.watchers
            turn.trace.append(f"audience '{node.name}'" if node.name else "stages")


def _recheck(turn: Turn, name: str, at: Instant) -> None:
    if at >= FOREVER:
        turn.state.rechecks.pop(name, None)
    else:
        turn.state.rechecks[name] = max(at, turn.now + 1)


def _settle_audience(turn: Turn, node: Node, announce: bool) -> bool:
    state, name = turn.state, node.name
    holds, recheck = node.rules[0][1].evaluate(turn.reader, turn.now)
    _recheck(turn, name, recheck)
    old = state.memberships.get(name)
    if holds is (old is not None):
        return False
    if holds:
        state.memberships[name] = Membership(turn.now, turn.identifier)
        if announce:
            turn.outputs.append(AudienceEntered(identifier=turn.identifier, audience=name))
    elif old is not None:
        del state.memberships[name]
        if announce:
            turn.outputs.append(AudienceLeft(identifier=_answers(turn, old.identifier), audience=name))
    if announce:
        turn.changed.append((name, holds))
    return True


def _settle_stage(turn: Turn, node: Node, announce: bool) -> bool:
    state = turn.state
    found, recheck = None, FOREVER
    for stage, condition in node.rules:
        holds, at = condition.evaluate(turn.reader, turn.now)
        recheck = min(recheck, at)
        if holds:
            found = stage
            break
    _recheck(turn, STAGES, recheck)
    if found == state.stage:
        return False
    if announce:
        turn.outputs.append(StageChanged(identifier=turn.identifier, before=state.stage, stage=found))
    state.stage, state.stage_by, state.stage_at = found, turn.identifier, turn.now
    return True


def _answers(turn: Turn, identifier: str) -> str:
    # A membership that ends by an event is announced under that event's identifier, one that ends by time alone under
    # the identifier that it came about under.
    return turn.identifier if turn.event is not None else identifier
