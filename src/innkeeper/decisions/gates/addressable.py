"""Is there an address to write to? The trait `email` for email, `phone` for channels of a phone."""

from __future__ import annotations

import re
from typing import ClassVar

from innkeeper.decisions.candidate import Candidate, Sight
from innkeeper.decisions.gates.contract import Answer, Gate
from innkeeper.profiles.state import ProfileState
from innkeeper.profiles.traits import trait_value

#: The trait that holds a channel's address; any other channel writes to `email`.
ADDRESS_TRAITS = {"sms": "phone", "whatsapp": "phone", "phone": "phone"}
# One @, no blanks or control characters, a dotted domain: what every mail server needs. The rest it says itself.
_ATOM = r"[^@\s\x00-\x1f\x7f<>,;:\"()\[\]\\.]"
_SHAPES = {
    "email": re.compile(rf"(?=.{{3,254}}\Z)(?:{_ATOM}|\.){{1,64}}@{_ATOM}+(?:\.{_ATOM}+)+\Z"),
    "phone": re.compile(r"\+?[0-9][0-9 ().-]{4,24}\Z"),
}


def address_of(state: ProfileState, channel: str) -> tuple[str | None, str]:
    """The profile's address in a channel (None: absent or invalid) and the trait it comes from."""
    trait = ADDRESS_TRAITS.get(channel, "email")
    value = trait_value(state, trait)
    if isinstance(value, str) and _SHAPES[trait].match(value.strip()):
        return value.strip(), trait
    return None, trait


class Addressable(Gate):
    """Refuses a profile without a valid address in the message's channel."""

    name = "addressable"
    reasons: ClassVar = {"no_address": "there is no valid address for this channel"}
    examples: ClassVar = (
        ("traits.email is 'ada@example.com'", "allow"),
        ("traits.email is 'ada at example'", "deny: no_address"),
    )

    def answer(self, candidate: Candidate, sight: Sight) -> Answer:
        """Whether there is an address."""
        address, trait = address_of(sight.state, candidate.message.channel)
        if address is not None:
            return Answer(facts={"trait": trait, "address": address})
        return Answer(reason="no_address", facts={"trait": trait, "value": trait_value(sight.state, trait)})
