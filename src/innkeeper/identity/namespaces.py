"""Namespaces of identifiers: who owns what is in them, how many of them a profile may have, what joins nothing.

`strategy.yaml` declares them under `identity:` and says under `sources:` what each source is trusted with
(`strategy/read_identity.py`, `read_sources.py`). Exact forms of values are made in `normal.py`. Next in the flow:
`evidence.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from innkeeper.kernel.ids import NAMESPACES

Owner = Literal["person", "spans"]

#: What broken clients send instead of an id. Compared without case and white space: strict for blocking, exact for
#: joining.
BROKEN: Final = frozenset({"", "null", "(null)", "undefined", "nil", "nan", "[object object]"})
#: What stands for "nobody in particular" anywhere but in a user id.
NOBODY: Final = BROKEN | {
    "0", "-1", "none", "n/a", "unknown", "anonymous", "guest", "test", "default", "true", "false",
    "00000000-0000-0000-0000-000000000000",
}  # fmt: skip
FAN_IN: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """One namespace.

    Attributes:
        owner: `person`: an identifier belongs to one person for all time; `spans`: it is owned in spans of time.
        paths: Where events carry values, besides their own ids: `traits.card` as ("traits", "card").
        limit: The most identifiers of it in one profile (person) or claimed by one identifier (spans); None: `fan_in`.
        blocked: Values that join nothing, folded; the built-in ones are added to these.
        sources: The sources that may link by it; None: all.
        verified: Whether a value counts only where it has been verified.
    """

    name: str
    owner: Owner = "person"
    paths: tuple[tuple[str, ...], ...] = ()
    limit: int | None = None
    blocked: frozenset[str] = frozenset()
    sources: frozenset[str] | None = None
    verified: bool = False

    def blocks(self, value: str) -> bool:
        """Whether a value joins nothing."""
        return folded_value(value) in self.nobody

    @property
    def nobody(self) -> frozenset[str]:
        """All blocked values, folded."""
        return (BROKEN if self.name == "user_id" else NOBODY) | self.blocked


def folded_value(value: str) -> str:
    """A value as blocked ones are compared: without white space around it, and without the case of ASCII letters."""
    return value.strip(" \t\r\n").translate(_LOWER)


_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a source is trusted with.

    Attributes:
        verifies: Namespaces whose values it has verified itself.
        may_link: Whether it may join persons; else it only says whose browser or device it sees.
        vouches: Whether its word that an address is somebody's own counts for anything.
    """

    verifies: frozenset[str] = frozenset()
    may_link: bool = True
    vouches: bool = True


BUILT_IN: Final = {
    "user_id": Namespace(name="user_id"),
    "anonymous_id": Namespace(name="anonymous_id", owner="spans"),
    "device": Namespace(name="device", owner="spans", paths=(("context", "device", "id"),)),
    "email": Namespace(name="email", paths=(("traits", "email"),), verified=True),
    "phone": Namespace(name="phone", paths=(("traits", "phone"),), verified=True),
}
assert tuple(BUILT_IN) == NAMESPACES


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityRules:
    """Everything that decides who is who.

    Attributes:
        fan_in: The most identifiers that are joined into a profile, and the most of one namespace that one claims.
        namespaces: By name, the built-in ones first.
        sources: By name; one that is not declared has the defaults.
    """

    fan_in: int = FAN_IN
    namespaces: dict[str, Namespace] = field(default_factory=lambda: dict(BUILT_IN))
    sources: dict[str, Source] = field(default_factory=dict)

    def namespace(self, identifier: str) -> Namespace:
        """The namespace of an identifier."""
        return self.namespaces[identifier.partition(":")[0]]

    def limit(self, namespace: str) -> int:
        """The most of one namespace in one profile, or that one identifier claims."""
        own = self.namespaces[namespace].limit
        return self.fan_in if own is None else min(own, self.fan_in)

    def source(self, name: str) -> Source:
        """What a source is trusted with."""
        return self.sources.get(name, _TRUSTED)

    def joins(self) -> bool:
        """Whether anything beside user ids, anonymous ids and explicit words can join persons."""
        return len(self.namespaces) > len(BUILT_IN) or any(source.verifies for source in self.sources.values())


_TRUSTED = Source()
DEFAULT_RULES: Final = IdentityRules()
