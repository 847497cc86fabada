"""Slack: `v0=` and hex, with the time in a header of its own; and the handshake of its Events API."""

from __future__ import annotations

import msgspec

from innkeeper.events.signatures.contract import Need, Received, Terms, Verified, check_time, mac, signed_by


class _Handshake(msgspec.Struct, tag_field="type", tag="url_verification"):
    challenge: str


class Slack:
    """HMAC-SHA256 of `v0`, the time and the body, with colons between."""

    name = "slack"
    about = "Slack: X-Slack-Signature, X-Slack-Request-Timestamp, by the app's signing secret"
    needs: frozenset[Need] = frozenset({"secret"})
    is_signed = True

    def verify(self, received: Received, terms: Terms) -> Verified:
        """See `Scheme.verify`."""
        time = received.header("X-Slack-Request-Timestamp")
        signed = f"v0:{time}:".encode("utf-8", "replace")
        made = (f"v0={mac(secret, signed, received.body).hex()}" for secret in terms.secrets)
        once = signed_by([received.header("X-Slack-Signature")], made)
        check_time(time, received.at)
        try:
            return Verified(once=once, reply=msgspec.json.decode(received.body, type=_Handshake).challenge.encode())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            # No handshake, but news.
            return Verified(once=once)
