"""One notice to one receiver: signed as Standard Webhooks has it, posted, and what the answer means.

The signature covers id, instant and body, so that a receiver can tell that they are ours, whole and new
(https://www.standardwebhooks.com). Who calls, and what is tried again when: `runtime/relay.py`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final, Literal, NamedTuple

from innkeeper.channels.http_out import Answer, CallFailed, HttpOut
from innkeeper.channels.targets import Target
from innkeeper.kernel.errors import InternalError
from innkeeper.kernel.time import SECOND, Duration, Instant, to_instant

#: What a receiver has to answer in; it should say 2xx first and work later.
SECONDS: Final = 15.0
_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32

Outcome = Literal["told", "failed", "gone"]


class Result(NamedTuple):
    """What a receiver made of a notice: *told* (2xx), *gone* (410, no more of them), or *failed*; with the reason, and
    how long it asks to be left alone."""

    outcome: Outcome
    reason: str = ""
    wait: Duration | None = None


def new_secret() -> str:
    """A secret as receivers' libraries read it."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def sign(keys: Sequence[str], id: str, at: Instant, body: bytes) -> dict[str, str]:
    """The headers that prove a notice; one signature for each secret.

    >>> sign(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330 * SECOND,
    ...      b'{"test": 2432232314}')["webhook-signature"]
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    moment = str(at // SECOND)
    signed = f"{id}.{moment}.".encode() + body
    made = [base64.b64encode(hmac.new(_key(each), signed, hashlib.sha256).digest()).decode() for each in keys]
    return {
        "webhook-id": id, "webhook-timestamp": moment, "webhook-signature": " ".join(f"v1,{each}" for each in made),
    }  # fmt: skip


def _key(text: str) -> bytes:
    try:
        return base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise InternalError("a kept secret is not base64", code="bad-secret") from error


async def post(
    client: HttpOut, target: Target, keys: Sequence[str], id: str, at: Instant, body: bytes, *, seconds: float = SECONDS
) -> Result:
    """Post a notice, and tell what came of it."""
    headers = {"Content-Type": "application/json", "User-Agent": "Innkeeper-Webhooks", **sign(keys, id, at, body)}
    try:
        answer = await client.call("POST", target, headers=headers, body=body, seconds=seconds)
    except CallFailed as failed:
        return Result("failed", f"{failed.code}: {failed.message}")
    return judge(answer, at)


def judge(answer: Answer, at: Instant) -> Result:
    """What an answer means: any 2xx is told, 410 is gone, everything else failed, a redirect too."""
    if 200 <= answer.status < 300:
        return Result("told")
    if answer.status == 410:
        return Result("gone", "410: the receiver wants no more")
    reason = f"{answer.status}: {'a redirect is not followed' if 300 <= answer.status < 400 else 'refused'}"
    return Result("failed", reason, _wait(answer.headers.get("retry-after", ""), at))


def _wait(text: str, at: Instant) -> Duration | None:
    """How long `Retry-After` asks for: seconds, or an HTTP date; None where it asks for nothing readable."""
    if text.isascii() and text.isdigit():
        return int(text[:9]) * SECOND
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0, to_instant(date if date.tzinfo else date.replace(tzinfo=UTC)) - at)
