"""Audiences and stages compiled for the fold, and the routing: which summary, audience or journey an event concerns.

`RulesBuilder` collects what audiences, stages and journeys need; `build` freezes it. Audiences and the stages are
*nodes* in topological order, so that one pass over a bitmask evaluates each at most once, after all it reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from innkeeper.audiences.types import Accumulator, Condition
from innkeeper.kernel.errors import InternalError

#: A summary of the whole profile: storage key, accumulator, the nodes and the watching journeys that read it.
Counted = tuple[str, Accumulator, int, int]
#: A summary kept apart by the value of an event property: storage key, accumulator, the property's path.
Partitioned = tuple[str, Accumulator, tuple[str, ...]]
#: The name under which the stages stand among the nodes.
STAGES = ""


@dataclass(slots=True)
class Node:
    """An audience, or the stages (name ""), with what its change concerns.

    Attributes:
        rules: For an audience one rule with the empty stage; for the stages each in order.
        dependents: Bitmask of the nodes that read it.
        watchers: Bitmask of the journeys whose open enrollments read it.
    """

    name: str
    rules: tuple[tuple[str, Condition], ...]
    dependents: int = 0
    watchers: int = 0


@dataclass(slots=True)
class Route:
    """What an event of one name concerns."""

    accumulators: list[Counted] = field(default_factory=list)
    partitioned: list[Partitioned] = field(default_factory=list)
    watchers: int = 0


NO_ROUTE = Route()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRules:
    """Everything that the facts, audiences and stage of a profile depend on, compiled."""

    zone: str
    nodes: tuple[Node, ...]
    positions: Mapping[str, int]
    routes: Mapping[str, Route]
    trait_nodes: Mapping[str, int]
    trait_watchers: Mapping[str, int]
    accumulators: Mapping[str, tuple[Accumulator, tuple[str, ...] | None]]
    id_nodes: int = 0
    id_watchers: int = 0

    @property
    def all_nodes(self) -> int:
        """The bitmask of every node."""
        return (1 << len(self.nodes)) - 1


@dataclass(slots=True)
class RulesBuilder:
    """Collects audiences, stages and what journeys read; answers with `ProfileRules`."""

    zone: str
    audiences: Mapping[str, Condition]
    stages: tuple[tuple[str, Condition], ...]
    _nodes: list[Node] = field(default_factory=list)
    _routes: dict[str, Route] = field(default_factory=dict)
    _trait_nodes: dict[str, int] = field(default_factory=dict)
    _trait_watchers: dict[str, int] = field(default_factory=dict)
    _keys: dict[str, tuple[Accumulator, tuple[str, ...] | None]] = field(default_factory=dict)
    _id_nodes: int = 0
    _id_watchers: int = 0

    def __post_init__(self) -> None:
        for name in self._order():
            rules = self.stages if name == STAGES else ((STAGES, self.audiences[name]),)
            self._nodes.append(Node(name, rules))
        positions = self.positions
        for position, node in enumerate(self._nodes):
            for _, condition in node.rules:
                self._route_node(condition, position, positions)

    @property
    def positions(self) -> dict[str, int]:
        """Where each node stands."""
        return {node.name: position for position, node in enumerate(self._nodes)}

    def _reads(self, name: str) -> set[str]:
        conditions = [each for _, each in self.stages] if name == STAGES else [self.audiences[name]]
        found: set[str] = set()
        for condition in conditions:
            found |= condition.audiences & self.audiences.keys()
            if condition.reads_stage and self.stages:
                found.add(STAGES)
        return found

    def _order(self) -> list[str]:
        names = sorted(self.audiences) + ([STAGES] if self.stages else [])
        done: list[str] = []
        waiting = {name: self._reads(name) for name in names}
        while waiting:
            ready = [name for name in names if name in waiting and waiting[name] <= set(done)]
            if not ready:
                raise InternalError(f"audiences read one another in a circle: {', '.join(sorted(waiting))}")
            for name in ready:
                done.append(name)
                del waiting[name]
        return done

    def _route_node(self, condition: Condition, position: int, positions: Mapping[str, int]) -> None:
        bit = 1 << position
        self.need(condition, nodes=bit)
        if condition.reads_id:
            self._id_nodes |= bit
        for trait in condition.traits:
            self._trait_nodes[trait] = self._trait_nodes.get(trait, 0) | bit
        for name in condition.audiences & positions.keys():
            self._nodes[positions[name]].dependents |= bit
        if condition.reads_stage and STAGES in positions:
            self._nodes[positions[STAGES]].dependents |= bit

    def _route(self, event: str) -> Route:
        return self._routes.setdefault(event, Route())

    def need(self, condition: Condition, *, nodes: int = 0) -> None:
        """Keep the summaries of a condition for the profile as a whole."""
        for accumulator in condition.accumulators:
            self.need_one(accumulator, nodes=nodes)

    def need_one(self, accumulator: Accumulator, *, nodes: int = 0, watchers: int = 0) -> None:
        """Keep one summary for the profile as a whole, with what reads it."""
        counted = self._route(accumulator.event).accumulators
        for position, (key, known, old_nodes, old_watchers) in enumerate(counted):
            if key == accumulator.key:
                counted[position] = (key, known, old_nodes | nodes, old_watchers | watchers)
                return
        self._keys[accumulator.key] = (accumulator, None)
        counted.append((accumulator.key, accumulator, nodes, watchers))

    def need_partitioned(self, accumulator: Accumulator, path: tuple[str, ...]) -> None:
        """Keep a summary apart by the value of an event property."""
        key = partition_key(accumulator, path)
        if key not in self._keys:
            self._keys[key] = (accumulator, path)
            self._route(accumulator.event).partitioned.append((key, accumulator, path))

    def watch_event(self, event: str, watcher: int) -> None:
        """Let a journey's open enrollments look again after every event of a name."""
        self._route(event).watchers |= watcher

    def watch(self, condition: Condition, watcher: int) -> None:
        """Let a journey's open enrollments look again whenever a trait, audience or stage of a condition changes."""
        if condition.reads_id:
            self._id_watchers |= watcher
        for trait in condition.traits:
            self._trait_watchers[trait] = self._trait_watchers.get(trait, 0) | watcher
        positions = self.positions
        read = set(condition.audiences) | ({STAGES} if condition.reads_stage else set())
        for name in read & positions.keys():
            self._nodes[positions[name]].watchers |= watcher

    def build(self) -> ProfileRules:
        """The compiled rules."""
        return ProfileRules(
            zone=self.zone, nodes=tuple(self._nodes), positions=self.positions, routes=self._routes,
            trait_nodes=self._trait_nodes, trait_watchers=self._trait_watchers, accumulators=self._keys,
            id_nodes=self._id_nodes, id_watchers=self._id_watchers,
        )  # fmt: skip


def partition_key(accumulator: Accumulator, path: tuple[str, ...]) -> str:
    """The storage key of a summary that is kept apart by a property."""
    return f"{accumulator.key}/{'.'.join(path)}"
