"""HubSpot, version 3: the method, the address, the body and the time are signed together."""

from __future__ import annotations

from innkeeper.events.signatures.contract import Need, Received, Terms, Verified, base64, check_time, mac, signed_by
from innkeeper.kernel.time import SECOND


class HubSpot:
    """HMAC-SHA256 in base64; the time counts milliseconds."""

    name = "hubspot"
    about = "HubSpot: X-HubSpot-Signature-v3 and X-HubSpot-Request-Timestamp, by the app's client secret"
    needs: frozenset[Need] = frozenset({"secret", "url"})
    is_signed = True

    def verify(self, received: Received, terms: Terms) -> Verified:
        """See `Scheme.verify`."""
        said = received.header("X-HubSpot-Signature-v3")
        time = received.header("X-HubSpot-Request-Timestamp")
        before, after = f"{received.method}{terms.url}".encode(), time.encode("utf-8", "replace")
        made = (base64(mac(secret, before, received.body, after)) for secret in terms.secrets)
        once = signed_by([said], made)
        check_time(time, received.at, unit=SECOND // 1000)
        return Verified(once=once)
