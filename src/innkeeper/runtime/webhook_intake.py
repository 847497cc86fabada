"""Webhooks taken in: is it the sender's, has it come before, what events are in it. Over HTTP: `web/webhooks.py`.

First the signature, over the bytes as they came; only then is anything read. What was signed for one time is kept in
`sources.db` after its events are on disk: a copy that comes in between finds its events there, and they are duplicates.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from innkeeper.events.limits import Refusal, Refused
from innkeeper.events.payloads import Around, Bound, events_of, read_payload
from innkeeper.events.signatures import SCHEMES, TOLERANCE, Forged, Received, Scheme, Terms, Verified
from innkeeper.events.types import LogRow
from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.time import Instant
from innkeeper.runtime.bodies import unpack
from innkeeper.runtime.debugger import ignored, refused
from innkeeper.runtime.fetching import Certificates, Fetch, fetch
from innkeeper.runtime.ingest import Door, Taken
from innkeeper.runtime.webhooks import Rule, compiled, read_rule, spoken
from innkeeper.store.sources import Sources

_SHORTEST_SECRET: Final = 16
#: What is said back: nothing that a browser could take for a page.
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9._~-]{1,200}\Z")


@dataclass(frozen=True, slots=True)
class _Hook:
    rule: Rule
    scheme: Scheme
    bounds: list[Bound]


class Webhooks:
    """The webhooks of all sources of an open door."""

    def __init__(self, home: Path, door: Door, *, get: Fetch = fetch) -> None:
        self.door, self._get = door, get
        self._certificates = Certificates(get, door.clock)
        self._sources = Sources.open(home)
        # Written in a thread, so on a connection of its own.
        self._used, self._using = Sources.open(home), asyncio.Lock()
        self._version = -1
        self._rules: dict[str, Rule] = {}
        self._hooks: dict[str, _Hook] = {}

    def close(self) -> None:
        """Close the file."""
        self._sources.close()
        self._used.close()

    async def take(self, name: str, received: Received) -> Taken | bytes | None:
        """Put the events of a webhook on disk; what the sender wants to hear instead; None: there is no such source.

        Raises:
            Forged: It is not the sender's, or came before; nothing has happened.
            BadBody: It cannot be unpacked.
            Full: The log does not keep up; the sender should come again.
            InnkeeperError: Nothing could be written.
        """
        hook = self._hook(name)
        if hook is None:
            return None
        try:
            verified, once = await self._verify(name, hook, received)
        except (Forged, OperationFailed) as error:
            reason = error.reason if isinstance(error, Forged) else error.message
            self.door.debugger.see(name, [refused(received.at, b"", Refusal(error.code, reason))])
            self.door.count(name, [error.code], received.at)
            raise
        if verified.confirm:
            await asyncio.to_thread(self._get, verified.confirm)
        outcome = await self._put(name, hook, received) if verified.reply is None else verified.reply
        if once:
            until_at = received.at + 2 * TOLERANCE
            async with self._using:
                await asyncio.to_thread(self._used.use, name, once, received.at, until_at)
        return outcome

    def greet(self, name: str, query: Mapping[str, str], at: Instant) -> bytes | None:
        """What a sender hears who asks first whether it may come (`hub.challenge`); None: there is no such source.

        Raises:
            Forged: It does not know the token, or does not ask that.
            OperationFailed: The token is not in the environment.
        """
        hook = self._hook(name)
        if hook is None or not hook.rule.verify_env:
            return None
        said, challenge = query.get("hub.verify_token", "").encode(), query.get("hub.challenge", "")
        known = [hmac.compare_digest(each, said) for each in _secrets(hook.rule.verify_env)]
        if not any(known) or query.get("hub.mode") != "subscribe" or _CHALLENGE.match(challenge) is None:
            forged = Forged("bad-challenge", "the question does not hold hub.mode, the token and a challenge")
            self.door.debugger.see(name, [refused(at, b"", Refusal(forged.code, forged.reason))])
            self.door.count(name, [forged.code], at)
            raise forged
        return challenge.encode()

    async def _verify(self, name: str, hook: _Hook, received: Received) -> tuple[Verified, bytes]:
        """What the request proves, and what must not come again."""
        terms = _terms(hook.rule, hook.scheme, self._certificates)
        if hook.rule.topic:
            # A certificate may have to be fetched first.
            verified = await asyncio.to_thread(hook.scheme.verify, received, terms)
        else:
            verified = hook.scheme.verify(received, terms)
        once = hashlib.sha256(verified.once.encode("utf-8", "replace")).digest() if verified.once else b""
        if once and self._sources.was_used(name, once):
            raise Forged("replayed", "the same signed request came before")
        return verified, once

    async def _put(self, name: str, hook: _Hook, received: Received) -> Taken:
        body = unpack(received.body, received.headers.get("content-encoding", ""))
        around = Around(received.headers, received.query, received.at)
        try:
            payloads = read_payload(body, received.headers.get("content-type", ""))
            made = events_of(payloads, hook.bounds, around, source=name, minimise=self.door.minimise)
        except Refused as no:
            made = [no.refusal]
        made = spoken(made, hook.scheme)
        if not made:
            self.door.debugger.see(name, [ignored(received.at, body)])
            self.door.count(name, ["ignored"], received.at)
        rows = [(place, each) for place, each in enumerate(made) if isinstance(each, LogRow)]
        bad = [(place, each) for place, each in enumerate(made) if isinstance(each, Refusal)]
        return await self.door.put(name, rows, bad, lambda place: body, received.at)

    def _hook(self, name: str) -> _Hook | None:
        """What was declared for a source; what a command writes meanwhile holds from the next request on."""
        version = self._sources.version()
        if version != self._version:
            found = {each.name: read_rule(each.webhook) for each in self._sources.all()}
            self._rules = {source: rule for source, rule in found.items() if rule is not None}
            self._version = version
        rule = self._rules.get(name)
        if rule is None:
            return None
        known = self._hooks.get(name)
        if known is None or known.rule != rule:
            known = self._hooks[name] = _Hook(rule, SCHEMES[rule.scheme], compiled(rule.mapping, rule.file))
        return known


def _terms(rule: Rule, scheme: Scheme, certificates: Certificates) -> Terms:
    """What was agreed on, with the secrets of the environment."""
    found: tuple[bytes, ...] = (bytes.fromhex(rule.key_hash),) if rule.key_hash else ()
    if "secret" in scheme.needs:
        found = _secrets(rule.secret_env)
    return Terms(secrets=found, url=rule.url, topic=rule.topic, certificate_of=certificates.of)


def _secrets(variable: str) -> tuple[bytes, ...]:
    """The secrets in a variable of the environment, while one takes the place of the other two.

    Raises:
        OperationFailed: There is none that is long enough.
    """
    found = tuple(each.encode() for each in os.environ.get(variable, "").split())
    if not found or min(map(len, found)) < _SHORTEST_SECRET:
        raise OperationFailed(
            f"the environment of innkeeper has no secret of at least {_SHORTEST_SECRET} characters in {variable}",
            code="no-webhook-secret", fix=f"set {variable} and start innkeeper up again",
        )  # fmt: skip
    return found
