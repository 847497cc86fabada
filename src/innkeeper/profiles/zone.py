"""The zone a profile lives in: its own, else its country's, else the workspace's."""

from __future__ import annotations

from typing import NamedTuple

from innkeeper.audiences.merges import NEWEST, Merges
from innkeeper.kernel.zones import country_zone, try_zone
from innkeeper.profiles.state import ProfileState
from innkeeper.profiles.traits import trait_value


class ZoneChoice(NamedTuple):
    """A zone and where it comes from: `profile`, `country` or `workspace`."""

    name: str
    source: str


def zone_of(state: ProfileState, workspace_zone: str, merges: Merges = NEWEST) -> ZoneChoice:
    """The zone whose clock counts for a profile; an unknown `timezone` or `country` falls through to the next."""
    own = trait_value(state, "timezone", merges)
    if isinstance(own, str) and try_zone(own) is not None:
        return ZoneChoice(own, "profile")
    country = trait_value(state, "country", merges)
    if isinstance(country, str):
        found = country_zone(country)
        if found is not None:
            return ZoneChoice(found, "country")
    return ZoneChoice(workspace_zone, "workspace")
