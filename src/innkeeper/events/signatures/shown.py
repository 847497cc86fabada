"""Senders that sign nothing and show a secret instead: Bearer, Basic, or a part of the address."""

from __future__ import annotations

import hmac
from base64 import b64decode
from binascii import Error as BadBase64
from dataclasses import dataclass

from innkeeper.events.signatures.contract import Forged, Need, Received, Terms, Verified


@dataclass(frozen=True, slots=True, kw_only=True)
class InHeader:
    """The secret in the header `Authorization`; with Basic it is `user:password`."""

    name: str
    about: str
    kind: str
    needs: frozenset[Need] = frozenset({"secret"})
    is_signed: bool = True

    def verify(self, received: Received, terms: Terms) -> Verified:
        """See `Scheme.verify`."""
        kind, _, said = received.header("Authorization").partition(" ")
        shown = said.strip().encode("utf-8", "replace")
        if kind.lower() != self.kind:
            raise Forged("no-signature", f"the header Authorization is not {self.kind}")
        if self.kind == "basic":
            try:
                shown = b64decode(shown, validate=True)
            except (BadBase64, ValueError) as error:
                raise Forged("bad-signature", "the secret is not the agreed one") from error
        return _same(shown, terms)


class InAddress:
    """The secret as the last part of the address, or as `?token=`; it is made by us and kept as a hash."""

    name = "address"
    about = "Whoever signs nothing: a secret part of the address, which `source webhook` makes"
    needs: frozenset[Need] = frozenset()
    is_signed = False

    def verify(self, received: Received, terms: Terms) -> Verified:
        """See `Scheme.verify`."""
        from hashlib import sha256

        shown = received.token or received.query.get("token", "")
        return _same(sha256(shown.encode("utf-8", "replace")).digest(), terms)


def _same(shown: bytes, terms: Terms) -> Verified:
    if not any(hmac.compare_digest(shown, each) for each in terms.secrets):
        raise Forged("bad-signature", "the secret is not the agreed one")
    return Verified()


BEARER = InHeader(name="bearer", about="Any sender with a header of your choice: Authorization: Bearer", kind="bearer")
BASIC = InHeader(name="basic", about="Authorization: Basic; the variable holds user:password", kind="basic")
