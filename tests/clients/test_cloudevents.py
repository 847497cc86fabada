"""The SDK of CloudEvents: its events in every mode, with extension attributes, and the same event twice."""

from __future__ import annotations

from typing import Any

from clients.harness import Call, Running, eventually, instant_in, play
from clients.repertoire import PROPERTIES

WHEN, AT = "2026-11-20T09:30:00.123Z", "2026-11-20T09:30:00.123000Z"


def test_events_of_every_mode_are_in_the_log(running: Running) -> None:
    me, key = running.source()
    calls = _calls(me)
    played = play("cloudevents_python.py", calls, url=running.url, key=key)
    told = [(answer["accepted"], answer["duplicates"], answer["rejected"]) for answer in played.answers]
    assert told == [(1, 0, 0), (1, 0, 0), (0, 1, 0), (1, 0, 0), (2, 0, 0)]
    wanted = [
        _event(each, me)
        | {"receivedAt": instant_in(*span), "timestamp": AT if "time" in each["attributes"] else instant_in(*span)}
        for number, (call, span) in enumerate(zip(calls, played.spans, strict=True))
        for each in call["events"]
        if number != 2
    ]
    assert [{**event, "seq": 0} for event in running.events(me)] == wanted
    eventually(lambda: running.identifiers(f"{me}-ana"), [f"user_id:{me}-ana"])


def _calls(me: str) -> list[Call]:
    def event(id: str, data: Any = None, **attributes: Any) -> dict[str, Any]:
        return {"attributes": {"id": id, "source": "/shop/ü", "type": "Order Completed", **attributes}, "data": data}

    ana, dated = {"subject": f"{me}-ana"}, {"time": {"$date": WHEN}}
    full = event("1", PROPERTIES, **ana, **dated, datacontenttype="application/json", tenant="Grüße 50 %")
    return [
        {"do": "structured", "events": [full]},
        {"do": "structured", "events": [event("2", {"n": 2}, anonymousid=f"{me}-browser", subject="orders/7")]},
        {"do": "structured", "events": [full]},
        {"do": "binary", "events": [{**full, "attributes": full["attributes"] | {"id": "3"}}]},
        {"do": "batch", "events": [event("4", {"n": 4}, **ana), event("5", {}, userid=f"{me}-ana", **dated)]},
    ]


def _event(told: Call, me: str) -> dict[str, Any]:
    said = told["attributes"]
    about = {"specversion": "1.0", "source": said["source"]}
    about |= {key: said[key] for key in ("tenant", "datacontenttype") if key in said}
    anonymous = said.get("anonymousid")
    return {
        "seq": 0, "source": me, "messageId": f"{said['source']} {said['id']}", "type": "track", "event": said["type"],
        "userId": said.get("userid") or (None if anonymous else said["subject"]), "anonymousId": anonymous,
        "properties": told["data"], "traits": {}, "context": {"cloudevent": about}, "extra": {}, "retracted": False,
    }  # fmt: skip
