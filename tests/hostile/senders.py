"""What somebody with nothing but a page's public key may try: (name, messages, how many of them are refused)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from innkeeper.events.reserved import RESERVED

VICTIM, BROWSER = "victim", "evil-browser"


class Attempt(NamedTuple):
    """Some messages of one attacker; `refused`: whether the door says no, or takes them and they do nothing."""

    name: str
    messages: list[dict[str, Any]]
    refused: bool


def _track(event: str, **more: Any) -> dict[str, Any]:
    return {"type": "track", "event": event, "anonymousId": BROWSER} | more


def merges() -> Iterator[Attempt]:
    """A16: being somebody else, and joining people; 80 and more."""
    for spelling in (VICTIM, "victim ", "VICTIM", 42):
        for beside in ({}, {"anonymousId": BROWSER}, {"anonymousId": VICTIM}, {"anonymousId": None}):
            for traits in ({}, {"traits": {"email": "evil@example.com"}}, {"context": {"traits": {"plan": "free"}}}):
                yield Attempt("identify", [{"type": "identify", "userId": spelling} | beside | traits], True)
    for previous in (VICTIM, BROWSER, "other", 7):
        for user in (VICTIM, "other", BROWSER):
            yield Attempt("alias", [{"type": "alias", "userId": user, "previousId": previous}], True)
            said = {"type": "alias", "userId": user, "previousId": previous, "anonymousId": BROWSER}
            yield Attempt("alias from a browser", [said], True)
    chain = [VICTIM, "b", "c", "d"]
    yield Attempt("chain", [{"type": "alias", "userId": b, "previousId": a} for a, b in pairwise(chain)], True)
    for name in ("Link Added", "Link Removed", "Match Rejected", "Identifier Verified"):
        said = {"a": VICTIM, "b": f"anonymous_id:{BROWSER}", "namespace": "email", "value": "victim@example.com"}
        yield Attempt(name, [_track(name, properties=said)], True)
    for kind in ("track", "page", "screen"):
        said = {"type": kind, "event": "Seen", "name": "Home", "userId": VICTIM}
        yield Attempt(f"{kind} as somebody", [said], True)
        yield Attempt(f"{kind} of a browser, as somebody", [said | {"anonymousId": BROWSER}], False)
    for value in ({"traits": {"email": "victim@example.com"}}, {"externalIds": [{"type": "crm", "id": VICTIM}]},
                  {"device": {"token": "victims-phone"}}, {"groupId": "acme"}):  # fmt: skip
        yield Attempt("by what stands beside it", [_track("Seen", context=value)], False)
        yield Attempt("by what stands beside a claim", [_track("Seen", context=value, userId=VICTIM)], False)
    for group in ("acme", "", 5):
        yield Attempt(
            "group", [{"type": "group", "groupId": group, "anonymousId": BROWSER, "traits": {"plan": "x"}}], True
        )


def words() -> Iterator[Attempt]:
    """A17: what no page may say: consent, suppression, deaths, things, the log itself."""
    from innkeeper.events.senders import CONSENT, SERVER

    for name in sorted(CONSENT | SERVER):
        for beside in ({}, {"userId": VICTIM}, {"properties": {"purpose": "offers", "channel": "email", "id": VICTIM}}):
            yield Attempt(name, [_track(name, **beside)], True)


def reserved() -> Iterator[Attempt]:
    """A17: names that are not a sender's to tell; 120 and more."""
    spellings = ("{}", "{}.x", "user.{}", "{}_", "$innkeeper.{}", "innkeeper.{}")
    for name in RESERVED:
        for spelling in spellings:
            said = spelling.format(name)
            yield Attempt(said, [{"type": "identify", "anonymousId": "own", "traits": {said: True}}], False)
            nested = {"traits": {"list": [{said: True}], "deep": {"er": {said: 1}}}}
            yield Attempt(f"nested {said}", [{"type": "identify", "anonymousId": "own"} | nested], False)


def polluting() -> Iterator[Attempt]:
    """A19: keys by which a program that reads them could be changed; 40 and more."""
    for key in ("__proto__", "constructor", "prototype"):
        for value in ({"admin": True}, "x", None, [1]):
            yield Attempt(key, [_track("Seen", properties={key: value})], True)
            yield Attempt(key, [_track("Seen", properties={"a": [{"b": {key: value}}]})], True)
            yield Attempt(key, [_track("Seen", context={"page": {key: value}})], True)
            yield Attempt(key, [_track("Seen", **{key: value})], True)
