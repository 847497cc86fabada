"""Names that differ from one the engine understands in case alone, or by spaces at the ends: noted, never refused.

`consent given` is an event like any other: it is kept, may be asked for, and changes no consent. Whoever sends it
most likely means `Consent Given`, so the answer, the debugger, `source show` and `doctor` say so.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from innkeeper.events.senders import CONSENT, SERVER

CODE: Final = "looks-like"
_UNDERSTOOD: Final = CONSENT | SERVER | {"Item Requested", "Item Request Withdrawn"}
_FOLDED: Final = {name.casefold(): name for name in _UNDERSTOOD}


class Alike(NamedTuple):
    """A name that came, and the one that it looks like."""

    name: str
    meant: str

    @property
    def told(self) -> str:
        """What is the matter."""
        return f"'{self.name}' has no effect of its own; it looks like '{self.meant}'"

    @property
    def fix(self) -> str:
        """What to do, where it was meant."""
        return f"if it was meant, send '{self.meant}', letter by letter"


def looks_like(name: str) -> str | None:
    """The name that the engine would understand; None: this is one, or none is near.

    >>> looks_like("consent given"), looks_like(" Consent Given "), looks_like("Consent Given"), looks_like("Login")
    ('Consent Given', 'Consent Given', None, None)
    """
    meant = _FOLDED.get(name.strip().casefold())
    return None if meant == name else meant
