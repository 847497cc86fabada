"""A workspace's definitions, loaded and checked: what `load` answers and everything else reads."""

from __future__ import annotations

from dataclasses import dataclass, field

from innkeeper.audiences.nodes import Expression
from innkeeper.channels.contract import ChannelConfig
from innkeeper.content.types import Message
from innkeeper.decisions.policy import Policies
from innkeeper.identity.namespaces import DEFAULT_RULES, IdentityRules
from innkeeper.journeys.definition import Journey
from innkeeper.kernel.located import NOWHERE, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """`strategy.yaml`: `name, zone, locale, currency`, and the declared names.

    `events` maps each declared event to its declared property names; `traits` are declared trait names. They join what
    the log has seen: a name that is in neither is an error in an expression.
    """

    name: str = "workspace"
    zone: str = "UTC"
    locale: str = "en"
    currency: str = "EUR"
    events: dict[str, frozenset[str]] = field(default_factory=dict)
    traits: frozenset[str] = frozenset()
    identity: IdentityRules = DEFAULT_RULES


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceDefinition:
    """`audiences/NAME.yaml`: `{name, description, when}`; the name is the file's unless given."""

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
    stages: tuple[StageDefinition, ...] = ()
    journeys: dict[str, Journey] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    policies: Policies = field(default_factory=Policies)
    channels: dict[str, ChannelConfig] = field(default_factory=dict)
