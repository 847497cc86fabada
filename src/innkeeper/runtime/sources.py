"""Sources and their keys: made, rotated, revoked; and which source a key that came with a request belongs to.

A key is shown once, when it is made; what is kept is its hash (`store/sources.py`). How a user's token is checked is
`user_tokens.py`; what a source may say is `events/senders.py`.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from innkeeper.events import lookalikes
from innkeeper.events.limits import check_source
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import Clock, Duration, Instant, format_instant
from innkeeper.runtime.user_tokens import Signing, read_signing
from innkeeper.store.sources import Key, Kind, Known, Sources, Use

_BEGINNINGS: Final[dict[tuple[str, str], str]] = {
    ("public", "write"): "pub", ("server", "write"): "srv", ("public", "watch"): "see",
}  # fmt: skip
_HINT: Final = 8
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")


@dataclass(frozen=True, slots=True)
class NewKeys:
    """Keys that were just made: the only time that they can be read."""

    name: str
    kind: Kind
    keys: dict[Use, str]

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; a server source's one key does both."""
        told = {"source": self.name, "kind": self.kind, "write_key": self.keys["write"]}
        return told | ({"watch_key": self.keys["watch"]} if "watch" in self.keys else {})


def create(home: Path, name: str, kind: Kind, clock: Clock) -> NewKeys:
    """A new source with its keys; the home is made when it is missing.

    Raises:
        UsageError: The name cannot be one, or is taken.
    """
    check_source(name)
    if not _NAME.match(name):
        raise UsageError(
            f"{name!r} cannot name a source that sends over HTTP: letters, digits, dots, - and _ are taken",
            code="bad-source",
            fix="choose a short name: shop",
        )
    now = clock.now()
    made = _new_keys(name, kind)
    with Sources.open(home) as sources:
        sources.create(Known(name, kind, now, None), _hashed(made, now))
    return made


def rotate(home: Path, name: str, grace: Duration, clock: Clock) -> NewKeys:
    """New keys for a source; the old ones open for *grace* longer.

    Raises:
        UsageError: There is no such source.
    """
    now = clock.now()
    with Sources.open(home) as sources:
        made = _new_keys(name, sources.get(name).kind)
        sources.rotate(name, _hashed(made, now), now + grace)
    return made


def revoke(home: Path, name: str, clock: Clock) -> int:
    """End every key of a source at once, also where it is being served; how many were in force.

    Raises:
        UsageError: There is no such source.
    """
    with Sources.open(home) as sources:
        sources.get(name)
        return sources.revoke(name, clock.now())


def set_user_tokens(home: Path, name: str, signing: Signing | None) -> None:
    """Say how the tokens of a source's users are signed; None: it takes none.

    Raises:
        UsageError: There is no such source, or the key is none.
    """
    with Sources.open(home) as sources:
        if sources.get(name).kind == "server":
            raise UsageError(
                f"'{name}' is a server source: its word needs no user's token",
                code="not-needed",
                fix="user tokens are for sources of --kind public",
            )
        sources.set_user_tokens(name, None if signing is None else signing.kept())


def listing(home: Path, clock: Clock) -> list[dict[str, Any]]:
    """Every source with its keys and counts."""
    with Sources.open(home) as sources:
        return [_told(sources, each, clock.now()) for each in sources.all()]


def show(home: Path, name: str, clock: Clock) -> dict[str, Any]:
    """One source.

    Raises:
        UsageError: There is none of this name.
    """
    with Sources.open(home) as sources:
        return _told(sources, sources.get(name), clock.now())


def _told(sources: Sources, source: Known, now: Instant) -> dict[str, Any]:
    counts = {each.what: each for each in sources.counts(source.name)}
    taken = {what: counts.pop(what).number if what in counts else 0 for what in ("accepted", "duplicate")}
    left_out, ignored, alike = (counts.pop(what, None) for what in ("reserved-trait", "ignored", lookalikes.CODE))
    return {
        "source": source.name,
        "kind": source.kind,
        "created_at": format_instant(source.created_at),
        "user_tokens": None if source.user_tokens is None else source.user_tokens["alg"],
        "webhook": None if source.webhook is None else {key: source.webhook[key] for key in ("scheme", "file")},
        "keys": [
            {
                "key": f"{key.hint}…", "use": key.use, "created_at": format_instant(key.created_at),
                "until": None if key.until_at is None else format_instant(key.until_at),
                "in_force": _opens(key, now),
            }
            for key in sources.keys_of(source.name)
        ],
        "accepted": taken["accepted"],
        "duplicates": taken["duplicate"],
        "refused": sum(each.number for each in counts.values()),
        "ignored": 0 if ignored is None else ignored.number,
        "reserved_left_out": 0 if left_out is None else left_out.number,
        "names_alike": 0 if alike is None else alike.number,
        "errors": [
            {"code": each.what, "count": each.number, "last_at": format_instant(each.last_at)}
            for each in sorted(counts.values(), key=lambda each: -each.last_at)
        ],
    }  # fmt: skip


def _opens(key: Key, now: Instant) -> bool:
    return key.until_at is None or now < key.until_at


def _new_keys(name: str, kind: Kind) -> NewKeys:
    uses: tuple[Use, ...] = ("write", "watch") if kind == "public" else ("write",)
    return NewKeys(name, kind, {use: f"{_BEGINNINGS[kind, use]}_{secrets.token_hex(20)}" for use in uses})


def _hashed(made: NewKeys, now: Instant) -> Iterable[Key]:
    for use, key in made.keys.items():
        yield Key(_hash(key), made.name, use, key[:_HINT], now, None)


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a key says is sending."""

    source: str
    kind: Kind
    signing: Signing | None


class Keyring:
    """Asks for keys; what another process writes into `sources.db` holds from the next question on."""

    def __init__(self, home: Path, clock: Clock) -> None:
        self._sources, self._clock = Sources.open(home), clock
        self._version = -1
        self._keys: dict[bytes, Key] = {}
        self._senders: dict[str, Sender] = {}

    def sender(self, candidates: Iterable[str]) -> Sender | None:
        """Whose events come with the first of these keys that opens; None: none does."""
        self._follow()
        now = self._clock.now()
        for candidate in candidates:
            # Looked up by its hash: how long that takes tells nothing about a key.
            key = self._keys.get(_hash(candidate))
            if key is not None and key.use == "write" and _opens(key, now):
                return self._senders[key.source]
        return None

    def may_watch(self, candidates: Iterable[str], source: str) -> bool:
        """Whether one of these keys shows what becomes of a source's events: its watch key, or its server key."""
        self._follow()
        now = self._clock.now()
        found = [key for each in candidates if (key := self._keys.get(_hash(each))) is not None and _opens(key, now)]
        secret = [key for key in found if key.use == "watch" or self._senders[key.source].kind == "server"]
        return any(key.source == source for key in secret)

    def _follow(self) -> None:
        version = self._sources.version()
        if version == self._version:
            return
        self._keys = {key.hash: key for key in self._sources.keys_of()}
        self._senders = {
            each.name: Sender(
                each.name, each.kind, None if each.user_tokens is None else read_signing(each.user_tokens)
            )
            for each in self._sources.all()
        }
        self._version = version

    def close(self) -> None:
        """Close the file."""
        self._sources.close()
