"""What a signature scheme is: who a webhook's request really comes from, by the bytes as they came.

Pure: the secret, the clock and the fetch of a certificate come in with `Terms`. A scheme raises `Forged` for a request
that its sender has not signed, or not now. Whether the same request came before is asked by `runtime/webhooks.py`.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from innkeeper.kernel.time import SECOND, Instant

#: How far a signed time may be from ours.
TOLERANCE: Final = 300 * SECOND
_LONGEST: Final = 4_096

#: What a scheme wants to be told: a secret in the environment, the address as the sender calls it, an SNS topic.
Need = Literal["secret", "url", "topic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request as it came.

    Attributes:
        method: In capitals.
        headers: By their names in lower case.
        query: Of the address.
        body: Byte by byte, before it is unpacked or read.
        at: When.
        token: The last part of the address, if there is one beyond the source's name.
    """

    method: str = "POST"
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    at: Instant
    token: str = ""

    def header(self, name: str) -> str:
        """A header that the scheme cannot do without.

        Raises:
            Forged: It is not there.
        """
        found = self.headers.get(name.lower(), "")
        if not found or len(found) > _LONGEST:
            raise Forged("no-signature", f"the header {name} is missing")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the house and a sender have agreed on.

    Attributes:
        secrets: Any of them signs: two while one takes the place of the other.
        url: The address as the sender calls it.
        topic: The ARN of an SNS topic.
        certificate_of: Fetches a certificate.
    """

    secrets: tuple[bytes, ...] = ()
    url: str = ""
    topic: str = ""
    certificate_of: Callable[[str], bytes] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A request that is its sender's.

    Attributes:
        once: What must not come again while its time would be believed; empty: the sender signs no time, and sends the
            same bytes when it tries again.
        reply: What the sender wants to hear back, where this is no news but a handshake.
        confirm: An address that says yes to a subscription, to be fetched.
    """

    once: str = ""
    reply: bytes | None = None
    confirm: str = ""


class Forged(Exception):
    """The request is not its sender's, or not of now."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Scheme(Protocol):
    """How one sender signs."""

    @property
    def name(self) -> str:
        """How `source webhook --scheme` calls it."""

    @property
    def about(self) -> str:
        """Who signs like this, and how."""

    @property
    def needs(self) -> frozenset[Need]:
        """What has to be declared."""

    @property
    def is_signed(self) -> bool:
        """Whether the sender proves with every request that it knows the secret, or shows it in a header.

        A secret that stands in the address does neither: addresses are written into logs.
        """

    def verify(self, received: Received, terms: Terms) -> Verified:
        """What the request proves. Raises `Forged`."""


def mac(secret: bytes, *parts: bytes, digest: str = "sha256") -> bytes:
    """The HMAC of parts, one after the other."""
    made = hmac.new(secret, digestmod=digest)
    for part in parts:
        made.update(part)
    return made.digest()


def base64(made: bytes) -> str:
    """An HMAC as most senders write it."""
    return b64encode(made).decode()


def signed_by(said: Iterable[str], made: Iterable[str]) -> str:
    """The first of the signatures that we made that is among those that came.

    Raises:
        Forged: None is.
    """
    came = [each.encode("utf-8", "replace") for each in said]
    for ours in made:
        if any(hmac.compare_digest(each, ours.encode()) for each in came):
            return ours
    raise Forged("bad-signature", "the signature is not the sender's")


def check_time(said: Any, now: Instant, *, unit: int = SECOND) -> None:
    """Refuse a signed time that is not of now.

    Raises:
        Forged: It is no whole number, or more than five minutes away.
    """
    text = str(said)
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise Forged("bad-signature", "the signed time is no number")
    check_instant(int(text) * unit, now)


def check_instant(at: Instant, now: Instant) -> None:
    """Refuse an instant that is not of now.

    Raises:
        Forged: It is more than five minutes away.
    """
    if abs(now - at) > TOLERANCE:
        raise Forged("too-old", "the signed time is more than five minutes away; is a clock wrong?")


def digest_of(*parts: bytes) -> str:
    """A name for what was signed, where the signature itself can be written in several ways."""
    return hashlib.sha256(b"\x00".join(parts)).hexdigest()
