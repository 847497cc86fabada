"""Homes and deaths: who lives together, and who has died. Facts, so the order of arrival changes nothing.

A household is a name that several profiles have said (`Household Joined`, the trait `household`) or were found by
(`match`). What follows from it is the ledger's business (`store/homes.py`): it is asked when a delivery is claimed,
never in a profile's fold. A death is no suppression like others: it closes every channel, and only a person's
`Suppression Corrected` opens them again.
"""

from __future__ import annotations

from collections.abc import Iterable

from innkeeper.events.outputs import BereavementAnswered, DeathRecorded, HouseholdRecorded, Output, TaskCreated
from innkeeper.events.types import ENGINE_SOURCE, Event
from innkeeper.kernel.ids import digest, display_id
from innkeeper.profiles.state import DeathWord, Facts, HouseholdWord, ProfileState

JOINED, LEFT = "Household Joined", "Household Left"
TRAIT = "household"
DECEASED = "deceased"
CORRECTED = "Suppression Corrected"
ANSWERED = "Bereavement Answered"
HELD = "Message Held"
#: The events that this file folds. The trait comes with any event that carries traits.
HOME_EVENTS = frozenset({JOINED, LEFT, "Suppressed", "Deceased Reported", CORRECTED, ANSWERED, HELD})


def take_home(facts: Facts, event: Event) -> list[Output]:
    """Fold an event's words on home and death; what the store has to know of them."""
    outputs: list[Output] = []
    for household in _households(event):
        if _take_household(facts, household):
            outputs.append(
                HouseholdRecorded(
                    identifier=event.identifier, household=household.household, joined=household.joined, at=household.at
                )
            )
    death = death_of(event)
    if death is not None and (facts.death is None or _rank(death) > _rank(facts.death)):
        facts.death = death
        outputs.append(DeathRecorded(identifier=event.identifier, dead=death.dead, at=death.at))
    if event.name == ANSWERED:
        outputs += _answer(event)
    elif event.name == HELD and event.source == ENGINE_SOURCE:
        outputs += _question(event)
    return outputs


def _households(event: Event) -> list[HouseholdWord]:
    words = []
    if TRAIT in event.traits:
        named = event.traits[TRAIT]
        if isinstance(named, str) and named.strip():
            words.append(HouseholdWord(named.strip(), True, event.timestamp))
        elif named is None:
            words.append(HouseholdWord("", False, event.timestamp))
    if event.name in (JOINED, LEFT):
        given = event.properties.get("household_id")
        household = given.strip() if isinstance(given, str) else ""
        if household or event.name == LEFT:
            words.append(HouseholdWord(household, event.name == JOINED, event.timestamp))
    return words


def _take_household(facts: Facts, word: HouseholdWord) -> bool:
    """Keep the latest word on each household (the empty name, of leaving: on all); whether this is it."""
    for position, old in enumerate(facts.households):
        if old.household == word.household:
            # Of two words of one instant, that of leaving counts.
            if (word.at, not word.joined) <= (old.at, not old.joined):
                return False
            facts.households[position] = word
            return True
    facts.households.append(word)
    facts.households.sort(key=lambda each: each.household)
    return True


def home_of(words: Iterable[HouseholdWord]) -> str | None:
    """The household that words of all identifiers of a profile add up to: the one joined last and not left since.

    >>> home_of([HouseholdWord("a", True, 1), HouseholdWord("b", True, 2), HouseholdWord("b", False, 3)])
    'a'
    >>> home_of([HouseholdWord("a", True, 1), HouseholdWord("", False, 1)]) is None
    True
    """
    joined: dict[str, int] = {}
    left: dict[str, int] = {}
    for word in words:
        latest = joined if word.joined else left
        latest[word.household] = max(word.at, latest.get(word.household, word.at))
    gone = left.get("")
    lived = [
        (at, household)
        for household, at in joined.items()
        if (gone is None or at > gone) and (household not in left or at > left[household])
    ]
    return max(lived)[1] if lived else None


def household(state: ProfileState) -> str | None:
    """The household of a profile."""
    return home_of(word for facts in state.facts.values() for word in facts.households)


def death_of(event: Event) -> DeathWord | None:
    """The word that an event says: a report, a suppression for this reason, or a person's correction of it."""
    reason = event.properties.get("reason")
    deceased = isinstance(reason, str) and reason.strip().casefold() == DECEASED
    if event.name == "Deceased Reported" or (event.name == "Suppressed" and deceased):
        return DeathWord(True, event.timestamp)
    by = event.properties.get("by")
    if event.name == CORRECTED and deceased and isinstance(by, str) and by.strip():
        return DeathWord(False, event.timestamp)
    return None


def _rank(word: DeathWord) -> tuple[int, bool]:
    return word.at, word.dead


def death(state: ProfileState) -> DeathWord | None:
    """The word that says a profile's person has died; None while nobody says so. One identifier is enough."""
    said = [facts.death for facts in state.facts.values() if facts.death is not None and facts.death.dead]
    return min(said, key=lambda word: word.at, default=None)


def _answer(event: Event) -> list[Output]:
    household_id, answer = event.properties.get("household_id"), event.properties.get("answer")
    if not isinstance(household_id, str) or answer not in ("yes", "no"):
        return []
    return [
        BereavementAnswered(
            identifier=event.identifier, household=household_id, allowed=answer == "yes", at=event.timestamp
        )
    ]


def question_id(household: str, deceased: str) -> str:
    """The task that asks whether a home may be written to after a death."""
    return digest("bereavement", household, deceased)


def _question(event: Event) -> list[Output]:
    """The task that the first held letter to a home makes; `ask` is set by the claim that held it."""
    said = event.properties
    if not said.get("ask"):
        return []
    who, deceased, home = display_id(event.identifier), display_id(str(said["deceased"])), said["household_id"]
    return [
        TaskCreated(
            identifier=event.identifier, task_id=question_id(home, said["deceased"]),
            queue=str(said["queue"]),
            title=f"{deceased} of the home {home} has died; may we write to {who}?",
            body=f"'{said['message']}' is held. Answer with: innkeeper household release {home} --yes (or --no)",
            journey=str(said["journey"]), enrollment="", key=None,
            context={"household_id": home, "deceased": deceased, "delivery_id": said["delivery_id"]},
        )
    ]  # fmt: skip
