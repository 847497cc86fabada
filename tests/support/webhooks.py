"""Senders of webhooks: requests signed as each vendor says, written from its documentation, not from our verifiers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

SECRET = "a-secret-of-the-house-0123456789"
URL = "https://hooks.example.com/v1/webhooks/shop"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:news"
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-abc.pem"


@dataclass(frozen=True)
class Sent:
    """A request on its way: what a test may change before it arrives."""

    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)

    def but(self, **headers: str) -> Sent:
        """The same with other headers."""
        return replace(self, headers=self.headers | {name.replace("_", "-"): value for name, value in headers.items()})


def _mac(secret: str, signed: bytes, digest: str = "sha256") -> bytes:
    return hmac.new(secret.encode(), signed, digest).digest()


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


Sign = Callable[[bytes, int, str], Sent]


def _form(header: str) -> Sign:
    def sign(body: bytes, at: int, secret: str) -> Sent:
        fields = sorted(pair.split("=") for pair in body.decode().split("&"))
        signed = URL + "".join(key + value for key, value in fields)
        kind = "application/x-www-form-urlencoded"
        return Sent(body, {header: _b64(_mac(secret, signed.encode(), "sha1")), "content-type": kind})

    return sign


def _timed(header: str) -> Sign:
    return lambda body, at, secret: Sent(
        body, {header: f"t={at},v1={_mac(secret, str(at).encode() + b'.' + body).hex()}"}
    )


def _standard(body: bytes, at: int, secret: str) -> Sent:
    said = _b64(_mac(secret, f"msg_1.{at}.".encode() + body))
    return Sent(body, {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": f"v1,{said}"})


def _slack(body: bytes, at: int, secret: str) -> Sent:
    said = "v0=" + _mac(secret, f"v0:{at}:".encode() + body).hex()
    return Sent(body, {"x-slack-signature": said, "x-slack-request-timestamp": str(at)})


def _zendesk(body: bytes, at: int, secret: str) -> Sent:
    time = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    said = _b64(_mac(secret, time.encode() + body))
    return Sent(body, {"x-zendesk-webhook-signature": said, "x-zendesk-webhook-signature-timestamp": time})


def _hubspot(body: bytes, at: int, secret: str) -> Sent:
    said = _b64(_mac(secret, b"POST" + URL.encode() + body + str(at * 1000).encode()))
    return Sent(body, {"x-hubspot-signature-v3": said, "x-hubspot-request-timestamp": str(at * 1000)})


def _mailgun(body: bytes, at: int, secret: str) -> Sent:
    token = "d2c9" * 12
    said = _mac(secret, f"{at}{token}".encode()).hex()
    told = {"signature": {"timestamp": str(at), "token": token, "signature": said}, "event-data": json.loads(body)}
    return Sent(json.dumps(told).encode())


@lru_cache
def _curve() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def sendgrid_key() -> str:
    """The public key as SendGrid shows it."""
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return _b64(_curve().public_key().public_bytes(serialization.Encoding.DER, kind))


def _sendgrid(body: bytes, at: int, secret: str) -> Sent:
    key = _curve() if secret == SECRET else ec.generate_private_key(ec.SECP256R1())
    said = _b64(key.sign(str(at).encode() + body, ec.ECDSA(hashes.SHA256())))
    beginning = "x-twilio-email-event-webhook"
    return Sent(body, {f"{beginning}-signature": said, f"{beginning}-timestamp": str(at)})


@lru_cache
def amazon() -> tuple[rsa.RSAPrivateKey, bytes]:
    """A key of "Amazon" and its certificate in PEM, in force in 2026."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(1).not_valid_before(start).not_valid_after(start + timedelta(days=365))
    return key, built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def sns(message: dict[str, Any], *, key: rsa.RSAPrivateKey | None = None) -> Sent:
    """A message of SNS, signed."""
    kind = message["Type"]
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    names = [
        name for name in names if name in message and (kind != "Notification" or name not in ("SubscribeURL", "Token"))
    ]
    signed = "".join(f"{name}\n{message[name]}\n" for name in names).encode()
    digest = hashes.SHA1() if message.get("SignatureVersion") == "1" else hashes.SHA256()
    said = _b64((key or amazon()[0]).sign(signed, padding.PKCS1v15(), digest))
    whole = {"SignatureVersion": "2", "SigningCertURL": CERTIFICATE, "Signature": said} | message
    return Sent(json.dumps(whole).encode(), {"content-type": "text/plain; charset=UTF-8"})


def notification(body: bytes, at: int, **more: str) -> dict[str, Any]:
    """A message of SNS, unsigned."""
    time = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    told = {"Type": "Notification", "MessageId": f"m-{hashlib.md5(body).hexdigest()}", "TopicArn": TOPIC}
    return told | {"Message": body.decode(), "Timestamp": time} | more


def _sns(body: bytes, at: int, secret: str) -> Sent:
    other = None if secret == SECRET else rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return sns(notification(body, at), key=other)


#: How each sender signs a body at a time (seconds since 1970) with a secret.
SENDERS: dict[str, Sign] = {
    "shopify": lambda body, at, secret: Sent(body, {"x-shopify-hmac-sha256": _b64(_mac(secret, body))}),
    "github": lambda body, at, secret: Sent(body, {"x-hub-signature-256": "sha256=" + _mac(secret, body).hex()}),
    "intercom": lambda body, at, secret: Sent(body, {"x-hub-signature": "sha1=" + _mac(secret, body, "sha1").hex()}),
    "stripe": _timed("stripe-signature"),
    "calendly": _timed("calendly-webhook-signature"),
    "standard": _standard,
    "slack": _slack,
    "zendesk": _zendesk,
    "hubspot": _hubspot,
    "twilio": _form("x-twilio-signature"),
    "mandrill": _form("x-mandrill-signature"),
    "mailgun": _mailgun,
    "sendgrid": _sendgrid,
    "sns": _sns,
    "bearer": lambda body, at, secret: Sent(body, {"authorization": f"Bearer {secret}"}),
    "basic": lambda body, at, secret: Sent(body, {"authorization": "Basic " + _b64(secret.encode())}),
    "address": lambda body, at, secret: Sent(body, {}, {"token": secret}),
}
#: Those that sign when they send, and so can tell an old request from a new one.
TIMED = ("stripe", "calendly", "standard", "slack", "zendesk", "hubspot", "mailgun", "sendgrid", "sns")
