"""What the definitions say about each other: every name that one uses must be declared by another.

Names inside expressions are checked with these (`expressions.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from innkeeper.content.message import MessageFile
from innkeeper.journeys.definition import Journey, Mention
from innkeeper.kernel.errors import did_you_mean
from innkeeper.kernel.located import Findings, Located, Place
from innkeeper.strategy.read_catalogs import CatalogDefinition
from innkeeper.strategy.read_traits import TraitDefinition

#: Where each kind of thing is declared, for the fix.
_DECLARED_IN = {
    "message": "write messages/{}.md",
    "audience": "write audiences/{}.yaml",
    "purpose": "declare it in policies.yaml: purposes: {{{}: {{kind: ..., basis: ...}}}}",
    "channel": "declare it in channels.yaml",
    "catalog": "write catalogs/{}.yaml",
    "event": "declare it in strategy.yaml under events, or import the events first",
    "object": "declare it in strategy.yaml under objects",
}
_MESSAGES = {"event": "nobody has declared or sent the {} '{}'"}


def check_mentions(
    mentions: Iterator[Mention],
    known: Mapping[str, Collection[str] | None],
    findings: Findings,
) -> None:
    """Add a finding for every name that nothing declares.

    Args:
        mentions: The names and where they stand; those of kind `template` are Liquid texts.
        known: The declared names by kind; None where they could not be read.
        findings: Takes what is wrong.
    """
    for mention in mentions:
        if mention.kind == "template":
            _check_template(mention, findings, known["object"] or ())
            continue
        names = known[mention.kind]
        if mention.kind == "audience" and mention.name in (known.get("account audience") or ()):
            message = f"'{mention.name}' is an audience of accounts, and a journey is entered by profiles"
            fix = f"name an audience of profiles, with when: in_audience('{mention.name}') in it"
            findings.add(mention.place, "wrong-audience", message, fix)
        elif names is not None and mention.name not in names:
            findings.add(
                mention.place,
                f"unknown-{mention.kind}",
                _MESSAGES.get(mention.kind, "there is no {0} '{1}'").format(mention.kind, mention.name),
                did_you_mean(mention.name, names) or _DECLARED_IN[mention.kind].format(mention.name),
            )


def _check_template(mention: Mention, findings: Findings, objects: Collection[str]) -> None:
    from innkeeper.content.render import ROOTS, check_template

    for line, message in check_template(mention.name, ROOTS | frozenset(objects)):
        place = Place(mention.place.file, mention.place.line + line - 1, mention.place.column if line == 1 else 1)
        findings.add(place, "bad-template", f"this is not valid Liquid: {message}", "mend the tag or the name")


def journey_mentions(journeys: Mapping[str, Journey]) -> Iterator[Mention]:
    """What journeys name."""
    for journey in journeys.values():
        yield from journey.mentions


def catalog_mentions(catalogs: Mapping[str, CatalogDefinition]) -> Iterator[Mention]:
    """The events by which catalogs say that somebody asks for an item."""
    for catalog in catalogs.values():
        if catalog.wished_by is not None:
            yield Mention(kind="event", name=catalog.wished_by[0], place=catalog.wished_place)


def message_mentions(files: Collection[MessageFile]) -> Iterator[Mention]:
    """What the front matter of messages names."""
    for file in files:
        yield from _keys(file.front)


def cap_mentions(policies: Located | None) -> Iterator[Mention]:
    """What the caps of `policies.yaml` name."""
    caps = policies.value.get("caps") if policies is not None and isinstance(policies.value, dict) else None
    for cap in caps.value if caps is not None and isinstance(caps.value, list) else []:
        yield from _keys(cap)


def trait_mentions(traits: Mapping[str, TraitDefinition]) -> Iterator[Mention]:
    """The purposes that declared traits are kept for."""
    for trait in traits.values():
        if trait.purpose is not None:
            yield Mention(kind="purpose", name=trait.purpose, place=trait.purpose_place)


def _keys(node: Located) -> Iterator[Mention]:
    items = node.value if isinstance(node.value, dict) else {}
    for kind in ("purpose", "channel"):
        named = items.get(kind)
        if named is not None and isinstance(named.value, str):
            yield Mention(kind=kind, name=named.value, place=named.place)  # type: ignore[arg-type]
