"""Standard Webhooks, and Svix from which they come: an id, a time and signatures in three headers."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as BadBase64

from innkeeper.events.signatures.contract import Forged, Need, Received, Terms, Verified, base64, check_time, signed_by
from innkeeper.events.signatures.contract import mac as mac_of

_BEGINNING = "whsec_"


class Standard:
    """HMAC-SHA256 in base64 of id, time and body, with dots between; `v1,` before each of several signatures."""

    name = "standard"
    about = "Standard Webhooks and Svix: webhook-id, webhook-timestamp, webhook-signature (or svix-…)"
    needs: frozenset[Need] = frozenset({"secret"})
    is_signed = True

    def verify(self, received: Received, terms: Terms) -> Verified:
        """See `Scheme.verify`."""
        family = "webhook" if "webhook-id" in received.headers else "svix"
        message, time = (received.header(f"{family}-{part}") for part in ("id", "timestamp"))
        said = [
            each.removeprefix("v1,") for each in received.header(f"{family}-signature").split() if each[:3] == "v1,"
        ]
        signed = f"{message}.{time}.".encode("utf-8", "replace")
        once = signed_by(said, (base64(mac_of(_key(each), signed, received.body)) for each in terms.secrets))
        check_time(time, received.at)
        return Verified(once=once)


def _key(secret: bytes) -> bytes:
    """The key that a secret as it is shown stands for."""
    text = secret.decode()
    if not text.startswith(_BEGINNING):
        return secret
    try:
        return b64decode(text.removeprefix(_BEGINNING), validate=True)
    except (BadBase64, ValueError) as error:
        raise Forged("bad-secret", "the secret that was set is not whsec_ and base64") from error
