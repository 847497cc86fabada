"""advance(): the fold of one profile. One input in, the changed state and what it says out; the slices do the work.

The order inside one input is fixed (docs/flow.md, part 3): identity and traits, audiences and stage, exits and goals,
entries, steps that are due or waiting, gates. `World` is everything that is declared, compiled once. What is not here:
reading and writing states (`store/`), and the order of inputs (`runtime/engine.py`), which calls this.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from innkeeper.events.outputs import Output, ProfileParked
from innkeeper.events.types import Event
from innkeeper.identity.namespaces import DEFAULT_RULES, IdentityRules
from innkeeper.journeys.by_object import enter_by_news, plan_entries, record_plans
from innkeeper.journeys.compiled import (
    JourneyRules,
    by_object,
    compile_journeys,
    entries,
    item_entries,
    service_journeys,
)
from innkeeper.journeys.enrollment import (
    count_event,
    end,
    end_enrollments,
    enter_by_change,
    enter_by_event,
    enter_by_item,
)
from innkeeper.journeys.runner import run_steps, settle_offers
from innkeeper.kernel.time import FOREVER, Instant
from innkeeper.profiles import fold, traits, transfer
from innkeeper.profiles.account_fold import AccountRules
from innkeeper.profiles.copies import put_copy, take_news
from innkeeper.profiles.item_fold import ItemRules
from innkeeper.profiles.memberships import mark_due, settle_memberships
from innkeeper.profiles.objects import ObjectFold
from innkeeper.profiles.others import News, OtherFold
from innkeeper.profiles.reading import ProfileReader
from innkeeper.profiles.rules import ProfileRules, RulesBuilder
from innkeeper.profiles.state import Enrollment, Facts, ProfileState, decode, encode, new_state
from innkeeper.profiles.turn import EventInput, Input, TimerInput, ToldInput, Turn
from innkeeper.strategy.content_reads import account_traits_in_content, content_reads_items
from innkeeper.strategy.types import Definitions

NO_ITEMS = ItemRules()
#: How often the reactions inside one input may go round before the profile is parked.
MAX_ROUNDS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that is declared, compiled for the fold.

    Attributes:
        others: The folds of what is no profile.
        retold: Traits of which a profile may lack words when definitions change: under earlier ones they may not have
            been kept, or not for so long.
    """

    version: str
    profiles: ProfileRules
    journeys: JourneyRules
    others: tuple[OtherFold, ...] = ()
    accounts: AccountRules | None = None
    items: ItemRules = NO_ITEMS
    identity: IdentityRules = DEFAULT_RULES
    retold: frozenset[str] = frozenset()

    @staticmethod
    def build(definitions: Definitions, earlier: Iterable[Definitions] = ()) -> World:
        """Compile the definitions; people inside a journey finish on the version they began, if *earlier* has it."""
        from innkeeper.audiences.live import compile_live
        from innkeeper.audiences.where import compile_where

        earlier = list(earlier)
        merges = definitions.workspace.merges
        audiences = {name: compile_live(each.when) for name, each in definitions.audiences.items()}
        stages = tuple((each.stage, compile_live(each.when)) for each in definitions.stages)
        builder = RulesBuilder(
            definitions.workspace.zone, audiences, stages, merges,
            accounts=definitions.workspace.accounts is not None,
        )  # fmt: skip
        named = definitions.journeys
        older = [journey for each in earlier for journey in each.journeys.values() if journey.name in named]
        objects = definitions.workspace.objects
        current, versions = compile_journeys(named, older, builder, compile_live, compile_where, objects)
        by_event, by_change = entries(current)
        by_thing, by_date = by_object(current)
        counted = frozenset(name for each in versions.values() for name in each.local)
        journeys = JourneyRules(
            current=current, versions=versions, counted=counted, by_event=by_event, by_change=by_change,
            messages=definitions.messages, policies=definitions.policies, workspace=definitions.workspace.name,
            by_item=item_entries(current), by_thing=by_thing, by_date=by_date,
            service=service_journeys(versions, definitions.messages, definitions.policies),
        )  # fmt: skip
        return World(
            version=definitions.version, profiles=builder.build(), journeys=journeys, others=other_folds(definitions),
            accounts=_account_rules(definitions, builder), items=_item_rules(definitions, frozenset(journeys.by_item)),
            identity=definitions.workspace.identity,
            retold=frozenset(merges.remembered).union(merges.kept, *(each.workspace.merges.kept for each in earlier)),
        )  # fmt: skip


def _item_rules(definitions: Definitions, heard: frozenset[tuple[str, str]]) -> ItemRules:
    wished_by: dict[str, tuple[tuple[str, str], ...]] = {}
    for name, catalog in sorted(definitions.catalogs.items()):
        if catalog.wished_by is not None:
            event, item = catalog.wished_by
            wished_by[event] = (*wished_by.get(event, ()), (name, item))
    catalogs = {name: catalog.items for name, catalog in definitions.catalogs.items()}
    return ItemRules(catalogs=catalogs, wished_by=wished_by, heard=heard, in_content=content_reads_items(definitions))


def _account_rules(definitions: Definitions, profiles: RulesBuilder) -> AccountRules | None:
    from innkeeper.audiences.expand import of_account
    from innkeeper.audiences.live import compile_live

    if definitions.workspace.accounts is None:
        return None
    audiences = {name: compile_live(of_account(each.when)) for name, each in definitions.account_audiences.items()}
    traits = profiles.account_traits | account_traits_in_content(definitions)
    return AccountRules(
        rules=RulesBuilder(definitions.workspace.zone, audiences, ()).build(),
        traits=frozenset(traits) - {"id", "role"}, audiences=frozenset(profiles.account_audiences & audiences.keys()),
    )  # fmt: skip


def other_folds(definitions: Definitions) -> tuple[OtherFold, ...]:
    """The folds of what is declared and is no profile."""
    objects = definitions.workspace.objects
    return (ObjectFold(objects),) if objects else ()


def advance(state: ProfileState, given: Input, world: World) -> list[Output]:
    """Take one input: change the state in place and say what came of it. Pure but for that."""
    if isinstance(given, EventInput):
        turn = _begin(state, given.taken_at, world)
        event, nobody = given.event, not state.facts
        turn.event, turn.identifier, turn.happened_at = event, event.identifier, event.timestamp
        turn.said_at = event.timestamp
        turn.history = given.mode == "history"
        fold.fold_event(turn, event)
        if nobody:
            state.next_due_at = next_due_at(state, world)
        _hear(turn, given.news, event)
        count_event(turn, world.journeys)
    elif isinstance(given, ToldInput):
        turn = _begin(state, given.taken_at, world)
        first = given.news[0]
        turn.identifier, turn.said_at, turn.happened_at = first.identifier, first.said_at, given.event.timestamp
        turn.history = given.mode == "history"
        _hear(turn, given.news, given.event)
    else:
        turn = _begin(state, given.at, world)
    # Who has only been told of has no facts: a profile exists from its own first event on.
    if state.parked is not None:
        state.next_due_at = traits.next_end(state, world.profiles.merges)
    elif not turn.history and state.facts:
        _react(turn, world)
    return turn.outputs


def _hear(turn: Turn, news: tuple[News, ...], event: Event) -> None:
    turn.news, turn.about = news, event
    take_news(turn, news)


def _begin(state: ProfileState, now: Instant, world: World) -> Turn:
    state.inputs += 1
    state.last_at = max(state.last_at, now)
    return _turn(state, now, world)


def _turn(state: ProfileState, now: Instant, world: World) -> Turn:
    rules = world.profiles
    turn = Turn(state, rules, ProfileReader(state, rules.zone, rules.merges), now)
    if rules.merges.kept:
        for name in traits.end_words(state, now, rules.merges):
            turn.trait_changed(name)
    return turn


def _react(turn: Turn, world: World) -> None:
    state, journeys = turn.state, world.journeys
    if state.next_due_at <= turn.now:
        mark_due(turn)
    entry = turn.event is not None and turn.event.name in journeys.by_event
    if not (turn.nodes or turn.watchers or entry or turn.news or turn.replan or state.next_due_at <= turn.now):
        return
    offers: dict[str, str] = {}
    for number in range(MAX_ROUNDS):
        settle_memberships(turn)
        turn.concerned, turn.watchers = turn.watchers, 0
        end_enrollments(turn, journeys)
        if number == 0:
            enter_by_event(turn, journeys)
            enter_by_news(turn, journeys)
            enter_by_item(turn, journeys)
        if number == 0 or turn.replan:
            plan_entries(turn, journeys)
            turn.replan = False
        enter_by_change(turn, journeys)
        run_steps(turn, journeys, offers)
        if turn.nodes or turn.watchers:
            continue
        if not offers:
            state.next_due_at = next_due_at(state, world)
            return
        settle_offers(turn, journeys, offers)
    _park(turn, world)


def record_history(
    state: ProfileState, at: Instant, world: World, audiences: Collection[str] | None = None, *, past: bool = False
) -> None:
    """Evaluate memberships and stage at an instant without announcing anything: after history, and after `apply`.

    *audiences*: only these (the empty name: the stages) and what reads them. *past*: what was due up to then is done.
    Also forgets what is no longer defined, and lets a parked profile go on.
    """
    transfer.forget_undefined(state, world.profiles)
    if not state.facts:
        return
    _record(state, at, world, transfer.nodes_of(world.profiles, audiences))
    record_plans(_turn(state, at, world), world.journeys, past=past)
    for enrollment in state.enrollments:
        if state.parked or (enrollment.journey, enrollment.version) not in world.journeys.versions:
            enrollment.recheck_at = min(enrollment.recheck_at, at)
    state.parked = None
    state.next_due_at = next_due_at(state, world)


def _record(state: ProfileState, at: Instant, world: World, nodes: int) -> None:
    turn = _turn(state, at, world)
    turn.nodes |= nodes
    settle_memberships(turn, announce=False)


def show(state: ProfileState, news: News) -> None:
    """Let a profile know a thing as it is, outside the recorded order: after `apply`. `record_history` comes after."""
    put_copy(state, news)


def missing_accumulators(before: World | None, world: World) -> set[str]:
    """The keys of the summaries that profiles folded under *before* do not have yet."""
    known = set() if before is None else before.profiles.accumulators.keys()
    return set(world.profiles.accumulators.keys() - known)


def refold(state: ProfileState, identifier: str, events: Iterable[Event], world: World, keys: Collection[str]) -> None:
    """Make the summaries with *keys* anew from all events of one identifier; `record_history` comes after."""
    facts = state.facts.get(identifier)
    if facts is not None:
        fold.refold(facts, events, {key: world.profiles.accumulators[key] for key in keys})


def refold_traits(state: ProfileState, identifier: str, events: Iterable[Event], world: World) -> None:
    """Keep the words anew of `World.retold`; *events*: all that told traits. `record_history` comes after."""
    facts = state.facts.get(identifier)
    if facts is not None:
        traits.refold_traits(facts, events, world.retold, world.profiles.merges)


def settle(
    state: ProfileState, at: Instant, world: World, *, members: Collection[str] = (),
    gone: Collection[Enrollment] = (), announce: bool = True,
) -> list[Output]:  # fmt: skip
    """Let a profile look at everything again that has joined another or come apart (`profiles/transfer.py`).

    Args:
        members: The audiences that it was in together with what came apart: who still is alone has not entered.
        gone: Enrollments that give way to older ones.
        announce: Whether anything is evaluated; not in history, where `record_history` comes later.
    """
    if announce and state.facts:
        # An evaluation of the rest may find that these follow: what they were together is recorded, not announced.
        _record(state, at, world, transfer.nodes_of(world.profiles, set(members) - state.memberships.keys()))
    turn = _begin(state, at, world)
    for enrollment in gone:
        end(turn, enrollment, "left", "merged: an older enrollment stays")
    return _look_at_everything(turn, world) if announce else turn.outputs


def known_as(state: ProfileState, identifiers: Collection[str], at: Instant, world: World) -> bool:
    """Note everything that a profile is known as, and look again at *at* at what reads it; whether it is new."""
    others = sorted(set(identifiers) - {state.subject})
    if others == state.identifiers:
        return False
    state.identifiers = others
    rules = world.profiles
    for name, position in rules.positions.items():
        if rules.id_nodes >> position & 1:
            state.rechecks[name] = min(state.rechecks.get(name, at), at)
    for enrollment in state.enrollments:
        compiled = world.journeys.find(enrollment.journey, enrollment.version)
        if compiled is not None and compiled.bit & rules.id_watchers:
            enrollment.recheck_at = min(enrollment.recheck_at, at)
    state.next_due_at = next_due_at(state, world)
    return True


def remade(events: Iterable[Event], world: World) -> Facts | None:
    """The facts of one identifier, made anew from events of it; None from no events."""
    return fold.facts_from(events, world.profiles)


def _look_at_everything(turn: Turn, world: World) -> list[Output]:
    turn.nodes, turn.watchers, turn.replan = world.profiles.all_nodes, -1, True
    if turn.state.parked is None and turn.state.facts:
        _react(turn, world)
    return turn.outputs


def next_due_at(state: ProfileState, world: World) -> Instant:
    """The next instant at which time alone changes something for a profile; never for one that has no facts."""
    if not state.facts:
        return FOREVER
    due = min(state.rechecks.values(), default=FOREVER)
    if world.profiles.merges.kept:
        due = min(due, traits.next_end(state, world.profiles.merges))
    for enrollment in state.enrollments:
        due = min(due, enrollment.due_at, enrollment.recheck_at)
    for plan in state.plans.values():
        due = min(due, plan.due_at)
    return due


def next_is_service(state: ProfileState, world: World) -> bool:
    """Whether what is due next belongs to a service or transactional journey: a busy tick takes that first."""
    due = state.next_due_at
    return any(
        min(each.due_at, each.recheck_at) == due and (each.journey, each.version) in world.journeys.service
        for each in state.enrollments
    )


def _park(turn: Turn, world: World) -> None:
    names = ", ".join(sorted(set(turn.trace[-MAX_ROUNDS:])))
    turn.state.parked = f"the reactions to one input did not settle in {MAX_ROUNDS} rounds: {names}"
    turn.state.next_due_at = traits.next_end(turn.state, world.profiles.merges)
    turn.outputs.append(ProfileParked(identifier=turn.state.subject, error=turn.state.parked))


__all__ = [
    "FOREVER", "EventInput", "Input", "ProfileState", "TimerInput", "ToldInput", "World", "advance", "decode", "encode",
    "known_as", "missing_accumulators", "new_state", "next_due_at", "next_is_service", "other_folds", "record_history",
    "refold", "refold_traits", "remade", "settle", "show",
]  # fmt: skip
