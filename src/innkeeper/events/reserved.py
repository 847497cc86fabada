"""Reserved names: what no sender can say about a customer by telling a trait.

Who may do what, whether an address is verified, what was consented to: these are facts that the engine works out from
events that mean them (`Consent Given`, `Identifier Verified`, `Suppressed`), never columns that a message fills in. A
reserved name is left out where events are read by the fold and by questions; the log keeps what was sent.

Exactly: a name is looked at part by part (dots divide it), without regard to case, to compatible forms of letters
(NFKC), to invisible characters and to the signs `_ - $` and space. It is reserved when one of its parts is in
`RESERVED`, or when its first part is `innkeeper` or begins with `$innkeeper`. One spelling is free: `createdAt`, an
ordinary trait of the Segment spec; only `created_at` and `created-at` are refused. The same holds for keys inside
objects, at any depth, lists included.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

#: The names, as they are documented.
RESERVED: Final = (
    "is_admin", "consent", "tenant_id", "workspace_id", "created_at", "email_verified", "phone_verified", "suppressed",
    "deceased", "roles",
)  # fmt: skip
#: Everything below it belongs to the engine.
NAMESPACE: Final = "innkeeper"

_SIGNS = re.compile(r"[\s_\-$]+")
_FOLDED: Final = frozenset(name.replace("_", "") for name in RESERVED if name != "created_at")
_CREATED: Final = frozenset({"created_at", "created-at"})


@lru_cache(maxsize=10_000)
def is_reserved(name: str) -> bool:
    """Whether a name cannot be told as a trait.

    >>> is_reserved("isAdmin"), is_reserved("user.E-Mail Verified"), is_reserved("$innkeeper_x")
    (True, True, True)
    >>> is_reserved("created_at"), is_reserved("createdAt"), is_reserved("plan"), is_reserved("innkeeping")
    (True, False, False, False)
    """
    parts = _parts(name)
    if parts[0].lstrip("$_- ") == NAMESPACE or parts[0].startswith("$" + NAMESPACE):
        return True
    return any(part in _CREATED or _SIGNS.sub("", part) in _FOLDED for part in parts)


def _parts(name: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    if not folded.isascii():
        folded = "".join(each for each in folded if unicodedata.category(each) not in ("Cf", "Cc", "Mn"))
    return [part.strip() for part in folded.split(".")]


def without_reserved(traits: dict[str, Any]) -> dict[str, Any]:
    """The traits without what is reserved; the very same object when nothing is."""
    if not any(is_reserved(name) or isinstance(value, dict | list) for name, value in traits.items()):
        return traits
    kept = {name: _cleaned(value) for name, value in traits.items() if not is_reserved(name)}
    return traits if kept == traits else kept


def _cleaned(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _cleaned(each) for name, each in value.items() if not is_reserved(name)}
    if isinstance(value, list):
        return [_cleaned(each) for each in value]
    return value


def reserved_in(value: Any) -> Iterator[str]:
    """The names that are left out of some traits, as they are documented, each as often as it is told.

    >>> list(reserved_in({"isAdmin": True, "a": [{"Roles": []}], "innkeeper.x": 1, "plan": "pro"}))
    ['is_admin', 'roles', 'innkeeper.*']
    """
    if isinstance(value, Mapping):
        for name, each in value.items():
            if is_reserved(name):
                yield _documented(name)
            elif isinstance(each, dict | list):
                yield from reserved_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from reserved_in(each)


def _documented(name: str) -> str:
    bare = {_SIGNS.sub("", part) for part in _parts(name)}
    return next((each for each in RESERVED if each.replace("_", "") in bare), f"{NAMESPACE}.*")


def readable(path: Collection[str]) -> bool:
    """Whether a path into traits can have a value at all."""
    return not any(map(is_reserved, path))
