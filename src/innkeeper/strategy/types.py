"""A workspace's definitions, loaded and checked: what `load` answers and everything else reads."""

from __future__ import annotations

from dataclasses import dataclass, field

from innkeeper.audiences.merges import Merges
from innkeeper.audiences.nodes import Expression
from innkeeper.channels.contract import ChannelConfig
from innkeeper.content.types import Message
from innkeeper.decisions.policy import Policies
from innkeeper.identity.matching import MatchRules
from innkeeper.identity.namespaces import DEFAULT_RULES, IdentityRules
from innkeeper.journeys.definition import Journey
from innkeeper.kernel.located import NOWHERE, Place
from innkeeper.objects.definition import ObjectType
from innkeeper.strategy.read_catalogs import CatalogDefinition
from innkeeper.strategy.read_sources import Source
from innkeeper.strategy.read_traits import TraitDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsDeclared:
    """`accounts` of `strategy.yaml`: traits by name with their type, roles, and how many members are too many."""

    traits: dict[str, str] = field(default_factory=dict)
    roles: tuple[str, ...] = ()
    most_members: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """`strategy.yaml`: `name, zone, locale, currency`, and the declared names.

    `events` maps each declared event to its declared property names; `traits` are declared trait names. They join what
    the log has seen: a name that is in neither is an error in an expression. `declared` holds what more is said of a
    trait, `memories` what guests are remembered by. `sources` are the declared ones; any other has the defaults of
    `Source`. `objects` are the declared types. `matching`: what is compared to find one person behind two profiles;
    None: nothing is.
    """

    name: str = "workspace"
    zone: str = "UTC"
    locale: str = "en"
    currency: str = "EUR"
    events: dict[str, frozenset[str]] = field(default_factory=dict)
    traits: frozenset[str] = frozenset()
    declared: dict[str, TraitDefinition] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    memories: frozenset[str] = frozenset()
    accounts: AccountsDeclared | None = None
    identity: IdentityRules = DEFAULT_RULES
    objects: dict[str, ObjectType] = field(default_factory=dict)
    matching: MatchRules | None = None

    @property
    def trait_types(self) -> dict[str, str]:
        """The declared type of each declared trait."""
        return {name: each.rule.type for name, each in self.declared.items()}

    @property
    def merges(self) -> Merges:
        """How traits are merged, how far each source is trusted, and how long a word counts."""
        rules = {name: each.rule for name, each in self.declared.items() if each.rule.merge != "newest"}
        kept = {name: each.retention for name, each in self.declared.items() if each.retention is not None}
        return Merges(rules=rules, trust={name: each.trust for name, each in self.sources.items()}, kept=kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceDefinition:
    """`audiences/NAME.yaml`: `{name, description, of, when}`; the name is the file's unless given."""

    name: str
    description: str
    when: Expression
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class StageDefinition:
    """One rule of `stages.yaml`; the first true rule wins."""

    stage: str
    when: Expression
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """Everything that is declared. `version` is a hash of the files; equal files, equal version."""

    version: str
    workspace: Workspace = field(default_factory=Workspace)
    audiences: dict[str, AudienceDefinition] = field(default_factory=dict)
    account_audiences: dict[str, AudienceDefinition] = field(default_factory=dict)
    stages: tuple[StageDefinition, ...] = ()
    journeys: dict[str, Journey] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    policies: Policies = field(default_factory=Policies)
    channels: dict[str, ChannelConfig] = field(default_factory=dict)
    catalogs: dict[str, CatalogDefinition] = field(default_factory=dict)
