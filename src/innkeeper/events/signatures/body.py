"""HMAC of the body alone: Shopify, GitHub, Intercom and many others. No time is signed: a copy is a duplicate."""

from __future__ import annotations

from dataclasses import dataclass

from innkeeper.events.signatures.contract import Need, Received, Terms, Verified, base64, mac, signed_by


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyMac:
    """The body's HMAC in a header: in base64, or in hex behind a prefix."""

    name: str
    about: str
    header: str
    digest: str = "sha256"
    prefix: str | None = None
    needs: frozenset[Need] = frozenset({"secret"})
    is_signed: bool = True

    def verify(self, received: Received, terms: Terms) -> Verified:
        """See `Scheme.verify`."""
        said = received.header(self.header)
        made = (mac(secret, received.body, digest=self.digest) for secret in terms.secrets)
        signed_by([said], (base64(each) if self.prefix is None else f"{self.prefix}{each.hex()}" for each in made))
        return Verified()


SHOPIFY = BodyMac(
    name="shopify", about="Shopify: X-Shopify-Hmac-SHA256, base64, by the app's secret", header="X-Shopify-Hmac-SHA256"
)
GITHUB = BodyMac(
    name="github", about="GitHub and its like: X-Hub-Signature-256, sha256= and hex", header="X-Hub-Signature-256",
    prefix="sha256=",
)  # fmt: skip
INTERCOM = BodyMac(
    name="intercom", about="Intercom: X-Hub-Signature, sha1= and hex, by the app's client secret",
    header="X-Hub-Signature", digest="sha1", prefix="sha1=",
)  # fmt: skip
