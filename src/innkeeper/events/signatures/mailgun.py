"""Mailgun: the time and a token are signed, inside the body; the rest is not, so a token is believed once."""

from __future__ import annotations

import msgspec

from innkeeper.events.signatures.contract import Forged, Need, Received, Terms, Verified, check_time, mac, signed_by


class _Signature(msgspec.Struct):
    timestamp: str | int
    token: str
    signature: str


class _Body(msgspec.Struct):
    signature: _Signature


class Mailgun:
    """HMAC-SHA256 in hex of the time and the token."""

    name = "mailgun"
    about = "Mailgun: signature in the body, by the account's webhook signing key"
    needs: frozenset[Need] = frozenset({"secret"})
    is_signed = True

    def verify(self, received: Received, terms: Terms) -> Verified:
        """See `Scheme.verify`."""
        try:
            said = msgspec.json.decode(received.body, type=_Body).signature
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Forged("no-signature", "the body has no signature") from error
        if not 8 <= len(said.token) <= 200:
            raise Forged("bad-signature", "the token is none")
        # Between time and token stands nothing; a time of fixed length keeps them apart.
        time = str(said.timestamp)
        signed = f"{time}{said.token}".encode("utf-8", "replace")
        signed_by([said.signature], (mac(secret, signed).hex() for secret in terms.secrets))
        check_time(time, received.at)
        return Verified(once=f"{time}{said.token}")
