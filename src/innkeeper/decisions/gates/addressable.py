"""Is there an address to write to? The trait `email` for email, `phone` for channels of a phone."""

from __future__ import annotations

import re
from typing import ClassVar

from innkeeper.audiences.merges import NEWEST, Merges
from innkeeper.content.addresses import is_email
from innkeeper.decisions.candidate import Candidate, Sight
from innkeeper.decisions.gates.contract import Answer, Gate
from innkeeper.profiles.state import ProfileState
from innkeeper.profiles.traits import trait_value

#: The trait that holds a channel's address; any other channel writes to `email`.
ADDRESS_TRAITS = {"sms": "phone", "whatsapp": "phone", "phone": "phone"}
_PHONE = re.compile(r"\+?[0-9][0-9 ().-]{4,24}\Z")


def address_of(state: ProfileState, channel: str, merges: Merges = NEWEST) -> tuple[str | None, str]:
    """The profile's address in a channel (None: absent or invalid) and the trait it comes from."""
    trait = ADDRESS_TRAITS.get(channel, "email")
    value = trait_value(state, trait, merges)
    if not isinstance(value, str):
        return None, trait
    address = value.strip()
    valid = _PHONE.match(address) is not None if trait == "phone" else is_email(address)
    return (address if valid else None), trait


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
        address, trait = address_of(sight.state, candidate.message.channel, sight.merges)
        if address is not None:
            return Answer(facts={"trait": trait, "address": address})
        value = trait_value(sight.state, trait, sight.merges)
        return Answer(reason="no_address", facts={"trait": trait, "value": value})
