"""The SDKs of Segment's kind for servers: whatever they are told stands in the log, field by field."""

from __future__ import annotations

import pytest
from clients.gate import gate
from clients.harness import Call, Played, Running, eventually, instant_in, play, text_like
from clients.repertoire import dated, expected, repertoire
from clients.sdks import SDKS, Sdk


@pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: sdk.package)
def test_all_that_an_sdk_is_told_is_in_the_log(running: Running, sdk: Sdk) -> None:
    me, key = running.source()
    calls = [call for call in repertoire(me) if call["do"] in sdk.has]
    played = play(sdk.driver, calls, url=running.url, key=sdk.key(key), package=sdk.package)
    assert played.answers[-1] == []
    events = sorted(running.events(me), key=lambda event: event["context"]["place"])
    for event, (call, span) in zip(events, _told(calls, played), strict=True):
        said = dated(call, sdk.date)
        when = instant_in(span[0], span[1] if sdk.says_when else played.ended)
        wanted = expected(said, sdk.adds(said), source=me, timestamp=when, message_id=text_like(sdk.message_id))
        assert event == wanted | {"seq": event["seq"], "receivedAt": instant_in(span[0], played.ended)}
    assert len({event["messageId"] for event in events}) == len(events)
    # An alias may mean a browser or a user by its previous id.
    old = ["anonymous_id:old", "user_id:old"] if "alias" in sdk.has else []
    ana = sorted(["anonymous_id:browser", "user_id:ana", *old])
    eventually(lambda: running.identifiers(f"{me}-ana"), [name.replace(":", f":{me}-") for name in ana])
    stranger = f"anonymous_id:{me}-stranger"
    eventually(lambda: running.identifiers(stranger), [stranger])


def _told(calls: list[Call], played: Played) -> list[tuple[Call, tuple[int, int]]]:
    """The calls that make an event, each with its time; what is said twice with the same message id, once."""
    told = [pair for pair in zip(calls, played.spans, strict=True) if pair[0]["do"] != "flush"]
    *_, again = (pair for pair in told if pair[0].get("event") == "Once")
    return [pair for pair in told if pair is not again]


@pytest.mark.parametrize("sdk", [sdk for sdk in SDKS if sdk.sends_again], ids=lambda sdk: sdk.package)
def test_what_is_sent_again_is_in_the_log_once(running: Running, sdk: Sdk) -> None:
    """Also with the compression that the other test has not used, where the SDK can be told."""
    me, key = running.source()
    told = [
        {"do": "identify", "userId": me, "traits": {"plan": "pro"}},
        *[{"do": "track", "userId": me, "event": "Tick", "properties": {"n": n}} for n in range(3)],
    ]
    with gate(running.url, faults=["busy", "lost"]) as found:
        played = play(
            sdk.driver, [*told, {"do": "flush"}], url=f"http://127.0.0.1:{found.port}", key=sdk.key(key),
            package=sdk.package, gzip=not sdk.zips,
        )  # fmt: skip
    assert played.answers[-1] == []
    assert [request.status for request in found.passed][:2] == [429, 503]
    assert found.passed[-1].status == 200
    zipped = sdk.package == "segment-analytics-python"
    assert {request.headers.get("content-encoding") for request in found.passed} == {"gzip" if zipped else None}
    arrived = sorted(running.events(me), key=lambda event: event["properties"].get("n", -1))
    assert [(event["type"], event["traits"] or event["properties"]) for event in arrived] == [
        (call["do"], call.get("traits") or call["properties"]) for call in told
    ]
