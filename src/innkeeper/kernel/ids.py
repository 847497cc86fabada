"""Names of things: identifiers, subjects, and ids that are made by hashing, never drawn at random."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b
from typing import NewType

#: `namespace:value`, e.g. `user_id:c123` or `anonymous_id:9f…`; what an event is stored under.
Identifier = NewType("Identifier", str)
#: The identifier that names a profile's state row: its `user_id:…`, or its `anonymous_id:…` while it has no user id.
Subject = NewType("Subject", str)

USER = "user_id:"
ANONYMOUS = "anonymous_id:"
#: The namespaces that are there without being declared.
NAMESPACES = ("user_id", "anonymous_id", "device", "email", "phone")


def user(value: str) -> Identifier:
    """The identifier of a user id."""
    return Identifier(USER + value)


def anonymous(value: str) -> Identifier:
    """The identifier of an anonymous id."""
    return Identifier(ANONYMOUS + value)


def parse_id(text: str, namespaces: Collection[str] = NAMESPACES) -> Identifier:
    """The identifier that a person typed: a user id, unless a declared namespace stands before the first colon.

    >>> parse_id("c123"), parse_id("anonymous_id:x"), parse_id("crm:7")
    ('user_id:c123', 'anonymous_id:x', 'user_id:crm:7')
    """
    namespace, colon, _ = text.partition(":")
    return Identifier(text) if colon and namespace in namespaces else user(text)


def display_id(identifier: str, namespaces: Collection[str] = NAMESPACES) -> str:
    """How an identifier is printed: a user id bare, anything else with its namespace.

    >>> display_id("user_id:c123"), display_id("anonymous_id:x")
    ('c123', 'anonymous_id:x')
    """
    if not identifier.startswith(USER):
        return identifier
    bare = identifier[len(USER) :]
    return identifier if parse_id(bare, namespaces) != identifier else bare


def output_id(subject: str, number: int, index: int) -> str:
    """The messageId of an output: its subject, the number of the input and its place among that input's outputs.

    Padded, so that of two outputs of one instant the later has the greater id: of two traits set at once, it counts.

    >>> output_id("user_id:c1", 7, 0)
    'user_id:c1:00000007:0000'
    """
    return f"{subject}:{number:08d}:{index:04d}"


def digest(*parts: object, size: int = 10) -> str:
    """A stable hexadecimal name of a sequence of parts; *size* bytes of BLAKE2b over their length-prefixed texts."""
    state = blake2b(digest_size=size)
    for part in parts:
        text = str(part).encode("utf-8", "surrogatepass")
        state.update(len(text).to_bytes(8, "big"))
        state.update(text)
    return state.hexdigest()
