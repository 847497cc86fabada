"""Amazon SNS: a certificate of Amazon's own signs the fields of the message; it is fetched from Amazon alone.

A subscription is confirmed for the declared topic and no other, at an address that we write ourselves: of the message
we take nothing but the token.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as BadBase64
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from innkeeper.events.signatures.contract import Forged, Need, Received, Terms, Verified, check_instant
from innkeeper.kernel.time import Instant, to_datetime, try_parse_instant

#: partition, region
TOPIC = re.compile(
    r"arn:(aws|aws-cn|aws-us-gov):sns:([a-z]{2}(?:-[a-z]+)+-\d):\d{12}:[A-Za-z0-9_-]{1,256}(?:\.fifo)?\Z"
)
_CERTIFICATE = re.compile(
    r"https://sns\.[a-z]{2}(?:-[a-z]+)+-\d\.amazonaws\.com(?:\.cn)?/[A-Za-z0-9_-]+\.pem\Z", re.ASCII
)
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_OPTIONAL = "Subject"
_VERSIONS = {"1": "SHA1", "2": "SHA256"}


class Sns:
    """RSA with SHA-1 (version 1) or SHA-256 (version 2)."""

    name = "sns"
    about = "Amazon SNS, and what comes through it (SES): the certificate of sns.REGION.amazonaws.com"
    needs: frozenset[Need] = frozenset({"topic"})
    is_signed = True

    def verify(self, received: Received, terms: Terms) -> Verified:
        """See `Scheme.verify`."""
        message = _read(received.body)
        if message["TopicArn"] != terms.topic:
            raise Forged("other-topic", "the message is of another topic than the declared one")
        address = message.get("SigningCertURL", "")
        if not _CERTIFICATE.match(address) or urlsplit(address).hostname not in _hosts(terms.topic):
            raise Forged("bad-certificate", "the certificate is not at Amazon SNS of the topic's region")
        assert terms.certificate_of is not None
        _check(message, terms.certificate_of(address), received.at)
        at = try_parse_instant(message["Timestamp"])
        if at is None:
            raise Forged("bad-signature", "the signed time is none")
        check_instant(at, received.at)
        once = message["MessageId"]
        if message["Type"] == "Notification":
            return Verified(once=once)
        confirm = _confirmation(terms.topic, message["Token"]) if message["Type"].startswith("Sub") else ""
        return Verified(once=once, reply=b"", confirm=confirm)


def _read(body: bytes) -> dict[str, str]:
    """The message; every field that is signed is there, as a text."""
    try:
        message: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Forged("no-signature", "the body is no message of SNS") from error
    wanted = _SIGNED.get(str(message.get("Type")), ())
    if not wanted or any(not isinstance(message.get(key), str) for key in wanted if key != _OPTIONAL):
        raise Forged("no-signature", "the body is no message of SNS")
    return {key: value for key, value in message.items() if isinstance(value, str)}


def _hosts(topic: str) -> tuple[str, ...]:
    found = TOPIC.match(topic)
    region = found[2] if found else ""
    return (f"sns.{region}.amazonaws.com", f"sns.{region}.amazonaws.com.cn")


def _confirmation(topic: str, token: str) -> str:
    partition = topic.split(":")[1]
    host = _hosts(topic)[1 if partition == "aws-cn" else 0]
    query = {"Action": "ConfirmSubscription", "TopicArn": topic, "Token": token}
    return f"https://{host}/?{urlencode(query)}"


def _check(message: dict[str, str], pem: bytes, now: Instant) -> None:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    version = _VERSIONS.get(message.get("SignatureVersion", ""))
    if version is None:
        raise Forged("bad-signature", "the signature is of no version that is known")
    keys = [key for key in _SIGNED[message["Type"]] if key in message]
    signed = "".join(f"{key}\n{message[key]}\n" for key in keys).encode()
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        key = certificate.public_key()
        if not certificate.not_valid_before_utc <= to_datetime(now) <= certificate.not_valid_after_utc:
            raise Forged("bad-certificate", "the certificate is not in force")
        if not isinstance(key, RSAPublicKey):
            raise Forged("bad-certificate", "the certificate's key is not RSA")
        said = b64decode(message.get("Signature", ""), validate=True)
        key.verify(said, signed, PKCS1v15(), getattr(hashes, version)())
    except (InvalidSignature, UnsupportedAlgorithm, BadBase64, ValueError) as error:
        raise Forged("bad-signature", "the signature is not the sender's") from error
