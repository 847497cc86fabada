"""Signature schemes (A32, A15): what a sender signed is taken; whatever was forged, changed or is old is not."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator

import pytest
from support.webhooks import (
    CERTIFICATE,
    SECRET,
    SENDERS,
    TIMED,
    TOPIC,
    URL,
    Sent,
    amazon,
    notification,
    sendgrid_key,
    sns,
)

from innkeeper.events.signatures import SCHEMES, TOLERANCE, Forged, Received, Terms, Verified
from innkeeper.kernel.time import SECOND

AT = 1_795_000_000
BODY = b'{"id":1,"customer":{"id":"c1"},"total":30.5}'
FORM = b"CallSid=CA1&CallStatus=completed&Duration=185"
#: The secret is shown, and the body is nobody's word.
SHOWN = ("bearer", "basic", "address")


def body_of(scheme: str) -> bytes:
    return FORM if scheme in ("twilio", "mandrill") else BODY


def sent(scheme: str, *, at: int = AT, secret: str = SECRET) -> Sent:
    return SENDERS[scheme](body_of(scheme), at, secret)


def verify(scheme: str, request: Sent, *, at: int = AT, secrets: tuple[str, ...] = (SECRET,), **more: str) -> Verified:
    kept = tuple(each.encode() for each in secrets)
    if scheme == "address":
        kept = tuple(hashlib.sha256(each).digest() for each in kept)
    if scheme == "sendgrid":
        kept = tuple(sendgrid_key().encode() if each == SECRET else b"bm8ga2V5" for each in secrets)
    terms = Terms(secrets=kept, url=URL, topic=TOPIC, certificate_of=lambda url: {CERTIFICATE: amazon()[1]}[url])
    received = Received(headers=request.headers, query=request.query, body=request.body, at=at * SECOND, **more)
    return SCHEMES[scheme].verify(received, terms)


def changes(scheme: str) -> Iterator[tuple[str, Sent, int]]:
    """Requests that are not what the sender sent now: a name, the request, when it comes."""
    good = sent(scheme)
    yield "another secret", sent(scheme, secret="a-secret-of-somebody-else-98765"), AT
    yield "nothing signed", Sent(body_of(scheme)), AT
    for name, value in good.headers.items():
        if name == "content-type":
            continue
        yield f"without {name}", Sent(good.body, {k: v for k, v in good.headers.items() if k != name}, good.query), AT
        yield f"empty {name}", good.but(**{name: ""}), AT
        yield f"cut {name}", good.but(**{name: value[:-2]}), AT
        yield f"longer {name}", good.but(**{name: value + "0"}), AT
        yield f"strange {name}", good.but(**{name: "\u00e4\u0663" + value[2:]}), AT
    if scheme not in (*SHOWN, "mailgun", "sns"):
        yield "a changed body", Sent(good.body.replace(b"1", b"2", 1), good.headers, good.query), AT
        yield "a longer body", Sent(good.body + b"0", good.headers, good.query), AT
        yield "an empty body", Sent(b"", good.headers, good.query), AT
    if scheme in TIMED:
        yield "too old", good, AT + 301
        yield "too early", good, AT - 301
    if scheme == "address":
        yield "another token", Sent(good.body, {}, {"token": SECRET[:-1]}), AT
    if scheme == "mailgun":
        told = json.loads(good.body)
        for key, value in (("timestamp", str(AT + 1)), ("token", "e" * 48), ("signature", "0" * 64), ("token", "")):
            yield (
                f"another {key}",
                Sent(json.dumps({**told, "signature": told["signature"] | {key: value}}).encode()),
                AT,
            )


FORGERIES = [(scheme, name, request, at) for scheme in SENDERS for name, request, at in changes(scheme)]


def test_there_are_as_many_cases_as_the_catalogue_asks_for() -> None:
    assert set(SENDERS) == set(SCHEMES)
    assert len(FORGERIES) >= 120


@pytest.mark.parametrize("scheme", SENDERS)
def test_what_the_sender_signed_is_taken(scheme: str) -> None:
    first = verify(scheme, sent(scheme))
    assert first.reply is None
    assert (first.once != "") == (scheme in TIMED)
    # While a secret is exchanged, either signs; the edges of the tolerance are inside.
    assert verify(scheme, sent(scheme), secrets=("the-new-secret-0123456789", SECRET)) == first
    for away in (-300, 300):
        assert verify(scheme, sent(scheme), at=AT + away).once == first.once
    if scheme in TIMED and scheme != "sns":
        assert verify(scheme, sent(scheme, at=AT + 1)).once != first.once


@pytest.mark.parametrize(("scheme", "name", "request_", "at"), FORGERIES, ids=lambda value: str(value)[:40])
def test_what_was_not_is_refused(scheme: str, name: str, request_: Sent, at: int) -> None:
    with pytest.raises(Forged):
        verify(scheme, request_, at=at)


def test_a_vector_of_the_standard() -> None:
    """The example of the specification of Standard Webhooks."""
    body = b'{"test": 2432232314}'
    said = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": said,
    }
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert verify("standard", Sent(body, headers), at=1614265330, secrets=(secret,)).once == said.removeprefix("v1,")
    svix = {name.replace("webhook", "svix"): value for name, value in headers.items()}
    svix["svix-signature"] = f"v1,AAAA v1a,{said[3:]} {said}"
    assert verify("standard", Sent(body, svix), at=1614265330, secrets=(secret,)).once == said.removeprefix("v1,")
    with pytest.raises(Forged):
        verify("standard", Sent(body, svix | {"svix-signature": f"v1a,{said[3:]}"}), at=1614265330, secrets=(secret,))


def test_the_vector_of_twilio() -> None:
    """The example of Twilio's page on security."""
    body = b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212"
    terms = Terms(secrets=(b"12345",), url="https://mycompany.com/myapp.php?foo=1&bar=2")
    said = base64.b64encode(hmac_sha1(b"12345", terms.url + twilio_fields(body))).decode()
    received = Received(headers={"x-twilio-signature": said}, query={"foo": "1", "bar": "2"}, body=body, at=0)
    assert said == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert SCHEMES["twilio"].verify(received, terms) == Verified()


def test_several_signatures_and_two_times() -> None:
    good = sent("stripe")
    said = good.headers["stripe-signature"]
    time, mac = said.split(",")
    assert verify("stripe", good.but(stripe_signature=f"{time},v1={'0' * 64},{mac},v0=abc")).once
    for bad in (f"{mac}", f"{time},{time},{mac}", f"{time},v0={mac[3:]}", f"t=,{mac}", f"{time} {mac}", ",,,"):
        with pytest.raises(Forged):
            verify("stripe", good.but(stripe_signature=bad))


def test_slack_says_hello() -> None:
    body = b'{"token":"x","challenge":"3eZbrw1a","type":"url_verification"}'
    assert verify("slack", SENDERS["slack"](body, AT, SECRET)).reply == b"3eZbrw1a"
    with pytest.raises(Forged):
        verify("slack", SENDERS["slack"](body, AT, "a-secret-of-somebody-else"))


def test_twilio_sends_json_with_the_bodys_hash_in_its_address() -> None:
    found = hashlib.sha256(BODY).hexdigest()
    said = base64.b64encode(hmac_sha1(SECRET.encode(), f"{URL}?bodySHA256={found}")).decode()
    good = Sent(BODY, {"x-twilio-signature": said}, {"bodySHA256": found})
    assert verify("twilio", good) == Verified()
    other = hashlib.sha256(b"{}").hexdigest()
    for bad in (Sent(b"{}", good.headers, good.query), Sent(b"{}", good.headers, {"bodySHA256": other})):
        with pytest.raises(Forged):
            verify("twilio", bad)


@pytest.mark.parametrize("version", ["1", "2"])
def test_sns_in_both_versions(version: str) -> None:
    told = notification(BODY, AT, SignatureVersion=version, Subject="news")
    assert verify("sns", sns(told)).once == told["MessageId"]
    message = json.loads(sns(told).body)
    for key, value in (
        ("Message", "{}"),
        ("MessageId", "x"),
        ("Subject", "y"),
        ("SignatureVersion", "3"),
        ("Signature", "*"),
    ):
        with pytest.raises(Forged):
            verify("sns", Sent(json.dumps(message | {key: value}).encode()))


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-abc.pem",
        "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-abc.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-abc.pem",
        "https://evil.example/sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/a.pem",
        "https://sns.eu-west-1.amazonaws.com:444/a.pem",
        "https://sns.eu-west-1.amazonaws.com/../a.pem",
        "https://sns.eu-west-1.amazonaws.com/a.pem?x",
        "https://sns.eu-west-1.amazonaws.com/a.pem\n",
        "https://evilsns.eu-west-1.amazonaws.com/a.pem",
        "https://s3.eu-west-1.amazonaws.com/a.pem",
        "https://127.0.0.1/a.pem",
        "file:///etc/passwd",
        "",
    ],
)
def test_a_certificate_comes_from_amazon_or_not_at_all(url: str) -> None:
    """Signed well, by whoever owns the key at that address: what is fetched is never asked for."""
    request = sns(notification(BODY, AT, SigningCertURL=url))
    received = Received(headers={}, query={}, body=request.body, at=AT * SECOND)

    def fetched(address: str) -> bytes:
        raise AssertionError(address)

    with pytest.raises(Forged):
        SCHEMES["sns"].verify(received, Terms(topic=TOPIC, certificate_of=fetched))


def test_sns_confirms_the_declared_topic_alone_at_an_address_of_ours() -> None:
    told = notification(b"You have chosen to subscribe", AT, Type="SubscriptionConfirmation", Token="t0k&n")
    told |= {"SubscribeURL": "https://evil.example/?Action=ConfirmSubscription"}
    found = verify("sns", sns(told))
    topic = TOPIC.replace(":", "%3A")
    assert found.confirm == (
        f"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={topic}&Token=t0k%26n"
    )
    assert found.reply == b""
    with pytest.raises(Forged):
        verify("sns", sns(told | {"TopicArn": TOPIC + "x"}))
    gone = verify("sns", sns(told | {"Type": "UnsubscribeConfirmation"}))
    assert (gone.reply, gone.confirm) == (b"", "")
    for lost in ("Token", "SubscribeURL", "Message", "Timestamp"):
        with pytest.raises(Forged):
            verify("sns", sns({key: value for key, value in told.items() if key != lost} | {"SignatureVersion": "2"}))


def test_a_certificate_that_has_ended_signs_nothing() -> None:
    later = AT + 86_400 * 365
    with pytest.raises(Forged) as refused:
        verify("sns", sent("sns", at=later), at=later)
    assert refused.value.code == "bad-certificate"


def test_the_tolerance_is_what_the_catalogue_says() -> None:
    assert TOLERANCE == 300 * SECOND


def hmac_sha1(key: bytes, text: str) -> bytes:
    """HMAC by its definition (RFC 2104)."""
    block = key.ljust(64, b"\0")
    inner = hashlib.sha1(bytes(b ^ 0x36 for b in block) + text.encode()).digest()
    return hashlib.sha1(bytes(b ^ 0x5C for b in block) + inner).digest()


def twilio_fields(body: bytes) -> str:
    """A form's fields, sorted and joined."""
    return "".join(sorted(pair.replace("=", "", 1).replace("%2B", "+") for pair in body.decode().split("&")))
