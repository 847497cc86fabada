"""What a sender may say: everything with a secret server key, little with a public one, more with a user's token.

A public key stands in every page, so whoever holds it is nobody in particular. Without a user's token such an event is
about a browser alone: it joins nobody, sets nothing about somebody who is known, and says none of the words by which
customers, consents and things are changed. With a token it speaks for that user, and for nobody else. How far its word
goes stands in the event as `trust`, so that the fold, a replay and a question read the same. `runtime/ingest.py` uses
these as `Parser.prepare`, `runtime/webhooks.py` the last for its rows; `identity/evidence.py` reads `trust`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from innkeeper.events.limits import Refusal, Refused
from innkeeper.events.reserved import reserved_in
from innkeeper.events.signals import OPT_OUT, SIGNAL
from innkeeper.events.types import PUBLIC_WORD, RECEIPTS, TRUST, USER_WORD, LogRow
from innkeeper.kernel.json import dumps, loads

#: The words of consent: the user's own to say, nobody else's.
CONSENT: Final = frozenset({"Consent Given", "Consent Withdrawn", "Double Opt-In Requested", "Unsubscribed"})
#: Words that change customers, accounts, things or the log itself: only with a server key.
SERVER: Final = (RECEIPTS - CONSENT) | {
    OPT_OUT,
    "Account Updated", "Bereavement Answered", "Deceased Reported", "Double Opt-In Confirmed", "Events Retracted",
    "Facts Carried", "Household Joined", "Household Left", "Identifier Verified", "Item Updated", "Left Account",
    "Link Added", "Link Removed", "Match Rejected", "Memory Forgotten", "Memory Noted", "Object Removed",
    "Object Updated", "Retraction Lifted", "Staff Note Added", "Suppressed", "Suppression Corrected", "Unsuppressed",
}  # fmt: skip
#: Keys by which a program that reads the event again could be changed.
_POLLUTING: Final = frozenset({"__proto__", "constructor", "prototype"})
#: How the message ids of signed events begin.
_SIGNED: Final = f"{USER_WORD}:"
_NEEDS_TOKEN: Final = "send the user's token (userToken, X-User-Token), or send it from your server with a server key"


@dataclass(slots=True)
class Public:
    """The events of one request with a public key.

    Attributes:
        user: The user that a token vouches for; None without one; or why the token is not taken.
        is_known: Whether a browser is known to be somebody's.
        token_of: The user that a token of one message vouches for.
        left_out: Codes of what was left out of events that are taken, each as often as it was.
    """

    user: str | Refusal | None
    is_known: Callable[[str], bool]
    token_of: Callable[[str], str | Refusal]
    left_out: list[str] = field(default_factory=list)

    def prepare(self, value: dict[str, Any]) -> None:
        """Refuse a message that this sender may not send, or make of it what they may.

        Raises:
            Refused: It cannot be taken.
        """
        if any(key in _POLLUTING for key in _keys(value)):
            raise Refused("bad-key", "a key is __proto__, constructor or prototype", "leave it out")
        user = self._user_of(value)
        if isinstance(user, Refusal):
            raise Refused(*user)
        if value.get("type") == "track" and value.get("event") in SERVER:
            raise Refused("server-only", "this event is taken with a server key alone", "send it from your server")
        if user is None:
            self._unsigned(value)
        else:
            _signed(value, user)

    def _user_of(self, value: dict[str, Any]) -> str | Refusal | None:
        """Whom the message's own token vouches for, else the request's; the token leaves the message."""
        value.pop(TRUST, None)
        tokens = [value.pop("userToken", None)]
        if isinstance(value.get("context"), dict):
            tokens.append(value["context"].pop("userToken", None))
        found = next((token for token in tokens if token is not None), None)
        if found is None:
            return self.user
        return self.token_of(found) if isinstance(found, str) else Refusal("bad-user-token", "'userToken' is no text")

    def _unsigned(self, value: dict[str, Any]) -> None:
        kind, claimed = value.get("type"), value.get("userId")
        if kind in ("alias", "group") or (kind == "identify" and claimed not in (None, "")):
            raise Refused("needs-user-token", f"{kind} with a public key needs the token of its user", _NEEDS_TOKEN)
        if kind == "track" and value.get("event") in CONSENT:
            raise Refused("needs-user-token", "consent is the user's own to say", _NEEDS_TOKEN)
        anonymous = value.get("anonymousId")
        if claimed not in (None, ""):
            if anonymous in (None, ""):
                raise Refused("needs-user-token", "a user id with a public key needs the user's token", _NEEDS_TOKEN)
            # Who they say they are is not known; what their browser did is.
            value["claimedUserId"] = value.pop("userId")
        if isinstance(context := value.get("context"), dict):
            context.pop("groupId", None)
        if str(value.get("messageId")).startswith((_SIGNED, SIGNAL)):
            value["messageId"] = f"{PUBLIC_WORD}:{value['messageId']}"
        self._traits(value, kind, trusted=claimed in (None, "") and not self.is_known(str(anonymous)))
        value[TRUST] = PUBLIC_WORD

    def _traits(self, value: dict[str, Any], kind: object, *, trusted: bool) -> None:
        """Leave out what would be set about somebody who is known."""
        context = value.get("context")
        beside = isinstance(context, dict) and bool(context.get("traits"))
        if trusted or not (beside or value.get("traits")):
            return
        if kind == "identify":
            raise Refused(
                "needs-user-token", "this browser is a known customer's: their traits need a token", _NEEDS_TOKEN
            )
        if beside:
            context = dict(context or {})
            del context["traits"]
            value["context"] = context
            self.left_out.append("traits-left-out")


def _signed(value: dict[str, Any], user: str) -> None:
    """An event of a user whom a token vouches for."""
    said = value.get("userId")
    if said not in (None, "") and str(said) != user:
        raise Refused("not-this-user", "the event names another user than its token", "sign a token for this user")
    if value.get("type") == "alias" and value.get("previousId") != value.get("anonymousId"):
        raise Refused("server-only", "a user's token joins nothing but their own browser", "send it from your server")
    if said in (None, "") and value.get("type") == "track" and value.get("event") in CONSENT:
        value["userId"] = user
    message = value.get("messageId")
    if message not in (None, "") and isinstance(message, str | int):
        # Whoever holds the public key cannot use up the names of a user's events, nor can another user.
        value["messageId"] = f"{_SIGNED}{user.replace('%', '%25').replace(':', '%3A')}:{message}"
    value[TRUST] = USER_WORD


def by_address(row: LogRow) -> LogRow | Refusal:
    """The event of a webhook whose only secret is its address: it says what happened, and changes nobody.

    It is marked as nobody's word in particular, as that of a public key.
    """
    if row.name in SERVER or row.name in CONSENT or row.traits != "{}" or row.type == "identify":
        return Refusal(
            "not-signed", f"'{row.name}' changes a customer; a webhook that signs nothing may not say it",
            "use a scheme with a secret: innkeeper source webhook --help",
        )  # fmt: skip
    return row._replace(extra=dumps({**loads(row.extra), TRUST: PUBLIC_WORD}))


def _keys(value: object) -> Iterator[str]:
    todo = [value]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            yield from node
            todo.extend(node.values())
        elif isinstance(node, list):
            todo.extend(node)


def reserved_told(value: dict[str, Any]) -> int:
    """How many reserved names a message tells as traits; the fold leaves them out."""
    context = value.get("context")
    beside = context.get("traits") if isinstance(context, dict) else None
    own = value.get("traits") if value.get("type") == "identify" else None
    return sum(1 for traits in (own, beside) if traits for _ in reserved_in(traits))
