"""A header with a time and signatures, `t=…,v1=…`: Stripe, Calendly."""

from __future__ import annotations

from dataclasses import dataclass

from innkeeper.events.signatures.contract import Need, Received, Terms, Verified, check_time, mac, signed_by


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedMac:
    """HMAC-SHA256, in hex, of the time, a dot and the body; several `v1` while a secret is exchanged."""

    name: str
    about: str
    header: str
    needs: frozenset[Need] = frozenset({"secret"})
    is_signed: bool = True

    def verify(self, received: Received, terms: Terms) -> Verified:
        """See `Scheme.verify`."""
        parts = [part.strip().partition("=")[::2] for part in received.header(self.header).split(",")]
        times = [value for key, value in parts if key == "t"]
        time = times[0] if len(times) == 1 else ""
        signed = time.encode("utf-8", "replace") + b"."
        made = (mac(secret, signed, received.body).hex() for secret in terms.secrets)
        once = signed_by([value for key, value in parts if key == "v1"], made)
        check_time(time, received.at)
        return Verified(once=once)


STRIPE = TimedMac(
    name="stripe", about="Stripe: Stripe-Signature, t= and v1=, by the endpoint's secret", header="Stripe-Signature"
)
CALENDLY = TimedMac(
    name="calendly", about="Calendly: Calendly-Webhook-Signature, t= and v1=, by the subscription's signing key",
    header="Calendly-Webhook-Signature",
)  # fmt: skip
