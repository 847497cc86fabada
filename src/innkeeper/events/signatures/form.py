"""The address and the fields of a form, sorted and put one after the other: Twilio, and Mandrill in the same way.

No time is signed: a copy is a duplicate. Where Twilio sends JSON, its address carries the hash of the body instead.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from innkeeper.events.signatures.contract import Forged, Need, Received, Terms, Verified, base64, mac, signed_by

_BODY_HASH = "bodySHA256"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormMac:
    """HMAC-SHA1 in base64."""

    name: str
    about: str
    header: str
    needs: frozenset[Need] = frozenset({"secret", "url"})
    is_signed: bool = True

    def verify(self, received: Received, terms: Terms) -> Verified:
        """See `Scheme.verify`."""
        said = received.header(self.header)
        signed = terms.url
        if _BODY_HASH in received.query:
            signed += f"{'&' if '?' in signed else '?'}{urlencode({_BODY_HASH: received.query[_BODY_HASH]})}"
            given = received.query[_BODY_HASH].lower().encode("utf-8", "replace")
            if not hmac.compare_digest(given, hashlib.sha256(received.body).hexdigest().encode()):
                raise Forged("bad-signature", "the body is not the one that was signed")
        else:
            signed += "".join(f"{key}{value}" for key, value in sorted(set(_fields(received.body))))
        made = (base64(mac(secret, signed.encode(), digest="sha1")) for secret in terms.secrets)
        signed_by([said], made)
        return Verified()


def _fields(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=1_000)
    except ValueError as error:
        raise Forged("bad-signature", "the body is no form") from error


TWILIO = FormMac(
    name="twilio", about="Twilio: X-Twilio-Signature, by the account's auth token", header="X-Twilio-Signature"
)
MANDRILL = FormMac(
    name="mandrill", about="Mandrill: X-Mandrill-Signature, by the webhook's key", header="X-Mandrill-Signature"
)
