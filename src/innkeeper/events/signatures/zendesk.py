"""Zendesk: base64 of the HMAC of the time, as it stands in its header, and the body."""

from __future__ import annotations

from innkeeper.events.signatures.contract import (
    Forged,
    Need,
    Received,
    Terms,
    Verified,
    base64,
    check_instant,
    mac,
    signed_by,
)
from innkeeper.kernel.time import try_parse_instant


class Zendesk:
    """HMAC-SHA256; the time is ISO 8601."""

    name = "zendesk"
    about = "Zendesk: X-Zendesk-Webhook-Signature and -Signature-Timestamp, by the webhook's secret"
    needs: frozenset[Need] = frozenset({"secret"})
    is_signed = True

    def verify(self, received: Received, terms: Terms) -> Verified:
        """See `Scheme.verify`."""
        said = received.header("X-Zendesk-Webhook-Signature")
        time = received.header("X-Zendesk-Webhook-Signature-Timestamp")
        made = (base64(mac(secret, time.encode("utf-8", "replace"), received.body)) for secret in terms.secrets)
        once = signed_by([said], made)
        at = try_parse_instant(time)
        if at is None:
            raise Forged("bad-signature", "the signed time is none")
        check_instant(at, received.at)
        return Verified(once=once)
