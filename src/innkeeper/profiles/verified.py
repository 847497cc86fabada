"""Which addresses have been shown to be someone's own: told by `Identifier Verified`, or confirmed (double opt-in).

A source that verifies what it tells (`sources:` of strategy.yaml) needs no such event; `provenance.py` knows.
"""

from __future__ import annotations

from innkeeper.events.types import Event
from innkeeper.profiles.state import Facts, Verification

#: What says that an address is someone's own.
VERIFYING_EVENTS = frozenset({"Identifier Verified", "Double Opt-In Confirmed"})
#: Which kind of address a channel writes to; every other channel writes to an email address.
_NAMESPACES = {"sms": "phone", "whatsapp": "phone", "phone": "phone"}


def address_key(namespace: str, value: str) -> str:
    """The one spelling under which an address is looked up: exact, but for what no mail system distinguishes.

    >>> address_key("email", " Ada@Example.COM"), address_key("phone", "+351 (21) 555-01")
    ('email:Ada@example.com', 'phone:+3512155501')
    """
    text = value.strip()
    if namespace == "email" and "@" in text:
        local, _, domain = text.rpartition("@")
        text = f"{local}@{domain.lower()}"
    elif namespace == "phone":
        text = "".join(each for each in text if each not in " ().-/")
    return f"{namespace}:{text}"


def take_verification(facts: Facts, event: Event) -> None:
    """Fold an event that verifies an address; each source's earliest word is kept."""
    said = event.properties
    namespace, value = said.get("namespace"), said.get("value")
    if event.name == "Double Opt-In Confirmed":
        channel = said.get("channel")
        namespace = _NAMESPACES.get(channel, "email") if isinstance(channel, str) else "email"
        value = said.get("address")
    if not (isinstance(namespace, str) and namespace and isinstance(value, str) and value.strip()):
        return
    words = facts.verified.setdefault(address_key(namespace, value), [])
    word = Verification(event.timestamp, event.source, event.message_id, event.name)
    for place, old in enumerate(words):
        if old.source == word.source:
            if (word.at, word.message_id) < (old.at, old.message_id):
                words[place] = word
            return
    words.append(word)
    words.sort(key=lambda each: each.source)
