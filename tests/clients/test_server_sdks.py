"""The SDKs of Segment's kind for servers: whatever they are told stands in the log, field by field."""

from __future__ import annotations

import pytest
from clients.harness import Call, Played, Running, eventually, instant_in, play, text_like
from clients.repertoire import dated, expected, repertoire
from clients.sdks import SDKS, Sdk


@pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: f"{sdk.package}{sdk.setting or ''}")
def test_all_that_an_sdk_is_told_is_in_the_log(running: Running, sdk: Sdk) -> None:
    me, key = running.source()
    calls = repertoire(me)
    played = play(sdk.driver, calls, url=running.url, key=key, **sdk.setting or {})
    assert played.answers[-1] == []
    events = sorted(running.events(me), key=lambda event: event["context"]["place"])
    for event, (call, span) in zip(events, _told(calls, played), strict=True):
        said = dated(call, sdk.date)
        wanted = expected(
            said, sdk.adds(said), source=me, timestamp=instant_in(*span), message_id=text_like(sdk.message_id)
        )
        assert {key: value for key, value in event.items() if key not in ("seq", "receivedAt")} == wanted
    assert len({event["messageId"] for event in events}) == len(events)
    # An alias may mean a browser or a user by its previous id.
    ana = ["anonymous_id:browser", "anonymous_id:old", "user_id:ana", "user_id:old"]
    eventually(lambda: running.identifiers(f"{me}-ana"), [name.replace(":", f":{me}-") for name in ana])
    stranger = f"anonymous_id:{me}-stranger"
    eventually(lambda: running.identifiers(stranger), [stranger])


def _told(calls: list[Call], played: Played) -> list[tuple[Call, tuple[int, int]]]:
    """The calls that make an event, each with its time; what is said twice with the same message id, once."""
    told = [pair for pair in zip(calls, played.spans, strict=True) if pair[0]["do"] != "flush"]
    *_, again = (pair for pair in told if pair[0].get("event") == "Once")
    return [pair for pair in told if pair is not again]
