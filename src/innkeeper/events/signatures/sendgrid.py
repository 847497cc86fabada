"""SendGrid: ECDSA over the time and the body; the secret's place is taken by the public key that SendGrid shows."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as BadBase64

from innkeeper.events.signatures.contract import Forged, Need, Received, Terms, Verified, check_time, digest_of

_HEADER = "X-Twilio-Email-Event-Webhook"


class SendGrid:
    """ECDSA with SHA-256 on the curve of the key, in base64."""

    name = "sendgrid"
    about = f"SendGrid: {_HEADER}-Signature and -Timestamp; the variable holds the public key that SendGrid shows"
    needs: frozenset[Need] = frozenset({"secret"})
    is_signed = True

    def verify(self, received: Received, terms: Terms) -> Verified:
        """See `Scheme.verify`."""
        said, time = received.header(f"{_HEADER}-Signature"), received.header(f"{_HEADER}-Timestamp")
        signed = time.encode("utf-8", "replace") + received.body
        if not any(_is_signed(key, said, signed) for key in terms.secrets):
            raise Forged("bad-signature", "the signature is not the sender's")
        check_time(time, received.at)
        return Verified(once=digest_of(time.encode(), received.body))


def _is_signed(key: bytes, said: str, signed: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        public = load_der_public_key(b64decode(key, validate=True))
        if not isinstance(public, EllipticCurvePublicKey):
            return False
        public.verify(b64decode(said, validate=True), signed, ECDSA(SHA256()))
    except (InvalidSignature, UnsupportedAlgorithm, BadBase64, ValueError):
        return False
    return True
