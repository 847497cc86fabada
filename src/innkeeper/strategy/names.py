"""What a definition may be called."""

from __future__ import annotations

from innkeeper.kernel.located import Findings, Place

_LONGEST = 100
_REFUSED = frozenset("/\\'\"`<>{}|")


def check_name(name: str, place: Place, findings: Findings) -> None:
    """Names go into files, addresses and expressions: printable, no quotes or slashes, no space at either end."""
    bad = sorted({character for character in name if character in _REFUSED or not character.isprintable()})
    if bad:
        findings.add(place, "bad-name", f"the name {name!r} holds {', '.join(map(repr, bad))}", "leave them out")
    elif len(name) > _LONGEST:
        findings.add(place, "bad-name", f"the name has {len(name)} characters; {_LONGEST} is the limit", "shorten it")
    elif name != name.strip():
        findings.add(place, "bad-name", f"the name {name!r} begins or ends with a space", "remove the space")
