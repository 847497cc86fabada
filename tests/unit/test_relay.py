"""The relay against receivers that take, refuse, hang, and come back; time is ours, so that no test waits."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.receiver import Receiver, receiving
from support.workspace import Workspace, event, identify

from innkeeper.channels.http_out import Answer
from innkeeper.channels.webhook import Result, judge, new_secret, sign
from innkeeper.events.types import ENGINE_SOURCE, LogRow
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import DAY, HOUR, MINUTE, SECOND, Instant, parse_instant
from innkeeper.runtime import subscriptions
from innkeeper.runtime.outward import Selection
from innkeeper.runtime.relay import BREAKER, LANE, PATIENCE, WAITS, Relay
from innkeeper.store.doctor import examine
from innkeeper.store.log import Log
from innkeeper.store.state import State

NOW = parse_instant("2026-03-01T00:00:00Z")
RELAY_SECONDS = 20.0


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> Instant:
        """Where the hands stand."""
        return self.at


class House:
    """A home with a log of outputs, and its relay."""

    def __init__(self, home: Path) -> None:
        self.home, self.clock, self.number = home, Hands(), 0
        State.open(home, create=True).close()
        Log.open(home).close()

    def subscribe(self, url: str, name: str = "crm", **selection: Any) -> dict[str, Any]:
        asked = Selection.read(**(selection or {"events": ["*"]}))
        return subscriptions.create(self.home, name, url, asked, self.clock, private=True, since=None)

    def say(self, *whom: str, name: str = "Stage Changed", **properties: Any) -> None:
        """Outputs about these people."""
        with Log.open(self.home) as log:
            for user in whom:
                self.number += 1
                told = dumps({"stage": f"s{self.number}", **properties})
                row = LogRow(ENGINE_SOURCE, f"m{self.number}", "track", name, user, None, NOW, NOW, told)
                log.append([row])

    def relay(self, until: Callable[[], bool], *, seconds: float = RELAY_SECONDS, steps: int = 2_000) -> None:
        """Let the relay go on until something holds."""

        async def steps_of() -> None:
            relay = Relay(self.home, clock=self.clock, seconds=seconds, chance=lambda: 0.5)
            try:
                for _ in range(steps):
                    await relay.step(0.01)
                    if until() and not relay.under_way:
                        return
                raise AssertionError("it did not come true")
            finally:
                await relay.close()

        asyncio.run(steps_of())

    def relay_until_asked(self, receiver: Receiver, number: int) -> None:
        """Until the receiver was asked so many times."""
        self.relay(lambda: len(receiver.asked) == number)

    def relay_until_taken(self, receiver: Receiver, number: int) -> None:
        """Until it has taken so many."""
        self.relay(lambda: len(receiver.taken) == number)

    def show(self, name: str = "crm") -> dict[str, Any]:
        return subscriptions.show(self.home, name)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def stages(receiver: Receiver) -> list[str]:
    return [notice["data"]["properties"]["stage"] for notice in receiver.taken]


def test_what_happens_is_told_once_signed(house: House) -> None:
    with receiving() as receiver:
        house.say("before")
        secret = house.subscribe(receiver.url)["secret"]
        house.say("a", "b", "c")
        house.relay_until_taken(receiver, 3)
        house.relay(lambda: True)
    assert sorted(stages(receiver)) == ["s2", "s3", "s4"]
    assert len(set(receiver.ids())) == 3
    key = base64.b64decode(secret.removeprefix("whsec_"))
    for notice, headers, body in zip(receiver.taken, receiver.headers, receiver.bodies, strict=True):
        assert headers["webhook-id"] == notice["id"]
        assert headers["webhook-timestamp"] == str(NOW // SECOND)
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        made = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{made}"
    shown = house.show()
    assert (shown["delivered"], shown["waiting"], shown["unread"], shown["failures"]) == (3, 0, 0, 0)


def test_while_secrets_change_both_sign(house: House) -> None:
    with receiving() as receiver:
        house.subscribe(receiver.url)
        house.say("a")
        house.relay_until_taken(receiver, 1)
        subscriptions.rotate(house.home, "crm", HOUR, house.clock)
        house.say("a")
        house.relay_until_taken(receiver, 2)
        house.clock.at += HOUR
        house.say("a")
        house.relay_until_taken(receiver, 3)
    assert [len(headers["webhook-signature"].split()) for headers in receiver.headers] == [1, 2, 1]


def test_each_customers_events_come_in_their_order_whatever_fails(house: House) -> None:
    refused: list[str] = []

    def once_each(notice: dict[str, Any]) -> int:
        if notice["data"]["userId"] == "a" and notice["id"] not in refused:
            refused.append(notice["id"])
            return 500
        return 200

    with receiving(once_each) as receiver:
        house.subscribe(receiver.url)
        house.say("a", "b", "a", "b", "a", "b")
        house.relay_until_taken(receiver, 3)
        assert stages(receiver) == ["s2", "s4", "s6"], "b does not wait for a"
        for number in range(3):
            house.clock.at += 5 * SECOND
            house.relay_until_asked(receiver, min(9, 4 + 2 * (number + 1)))
    assert stages(receiver) == ["s2", "s4", "s6", "s1", "s3", "s5"]
    assert len(receiver.asked) == 9


def test_one_that_is_refused_waits_longer_each_time_and_is_given_up(house: House) -> None:
    def refuses(notice: dict[str, Any]) -> int:
        return 400 if notice["data"]["userId"] == "a" else 200

    with receiving(refuses) as receiver:
        house.subscribe(receiver.url)
        house.say("a")
        waits, before = [], NOW
        while not house.show()["given_up"]:
            house.relay_until_asked(receiver, len(receiver.asked) + 1)
            waits.append(house.clock.at - before)
            before = house.clock.at
            # Others are told meanwhile, so it is the event that fails and not the receiver.
            house.say("b")
            house.relay_until_taken(receiver, len(waits))
            house.clock.at += WAITS[min(len(waits) - 1, len(WAITS) - 1)]
        assert waits[1 : len(WAITS)] == list(WAITS[:-1])
        assert sum(waits) >= PATIENCE
        failed = subscriptions.failures(house.home, "crm", 10)
        assert [each["error"] for each in failed] == ["400: refused"]
        assert failed[0]["given_up_at"] is not None
        house.say("a")
        house.relay_until_asked(receiver, len(receiver.asked) + 1)
        receiver.answers = lambda _: 200
        subscriptions.redeliver(house.home, "crm", None)
        house.clock.at += 5 * SECOND
        house.relay_until_taken(receiver, len(receiver.taken) + 2)
    assert house.show()["given_up"] == 0


def test_a_receiver_that_fails_is_left_alone_then_asked_with_one(house: House) -> None:
    with receiving(lambda _: 503) as receiver:
        house.subscribe(receiver.url)
        house.say(*(f"u{number}" for number in range(40)))
        house.relay(lambda: house.show()["failures"] >= BREAKER)
        assert BREAKER <= len(receiver.asked) < BREAKER + LANE
        asked = len(receiver.asked)
        house.relay(lambda: True)
        assert len(receiver.asked) == asked, "left alone"
        house.clock.at = parse_instant(house.show()["resting_until"])
        house.relay_until_asked(receiver, asked + 1)
        assert len(receiver.asked) == asked + 1, "one event, and it waits longer"
        assert parse_instant(house.show()["resting_until"]) - house.clock.at >= WAITS[0]
        receiver.answers = lambda _: 200
        house.clock.at += HOUR
        house.relay_until_taken(receiver, 40)
    assert len(set(receiver.ids())) == 40
    assert house.show()["failing_since"] is None


def test_a_receiver_that_fails_for_days_is_paused_and_nothing_is_lost(house: House) -> None:
    with receiving(lambda _: 500) as receiver:
        house.subscribe(receiver.url)
        house.say(*(f"u{number}" for number in range(12)))
        while house.show()["state"] == "active":
            house.relay_until_asked(receiver, len(receiver.asked) + (1 if receiver.asked else 12))
            house.clock.at += 12 * HOUR
        shown = house.show()
        assert (shown["state"], shown["waiting"], shown["given_up"]) == ("paused", 12, 0)
        assert "3 days" in shown["reason"]
        assert house.clock.at - NOW < PATIENCE + DAY
        receiver.answers = lambda _: 200
        subscriptions.set_state(house.home, "crm", active=True)
        house.relay_until_taken(receiver, 12)


def test_retry_after_is_heeded(house: House) -> None:
    with receiving(lambda _: (429, {"Retry-After": "120"})) as receiver:
        house.subscribe(receiver.url)
        house.say("a")
        house.relay_until_asked(receiver, 1)
        receiver.answers = lambda _: 200
        house.clock.at += 119 * SECOND
        house.relay(lambda: True)
        assert receiver.taken == []
        house.clock.at += SECOND
        house.relay_until_taken(receiver, 1)


def test_gone_ends_it(house: House) -> None:
    with receiving(lambda _: 410) as receiver:
        house.subscribe(receiver.url)
        house.say("a", "a")
        house.relay(lambda: house.show()["state"] == "ended")
        house.clock.at += DAY
        house.relay(lambda: True)
        assert len(receiver.asked) == 1
        assert house.show()["waiting"] == 2
    stopped = [finding for finding in examine(house.home) if finding.state == "wrong"]
    assert [finding.code for finding in stopped] == ["subscription-stopped"]
    assert "resume crm" in stopped[0].fix


def test_a_receiver_that_hangs_holds_up_nobody_else(house: House) -> None:
    with receiving(lambda _: None) as hanging, receiving() as other:
        house.subscribe(hanging.url, "slow")
        house.subscribe(other.url, "quick")
        house.say(*(f"u{number}" for number in range(30)))

        async def both() -> None:
            relay = Relay(house.home, clock=house.clock, seconds=600)
            while len(other.taken) < 30:
                await relay.step(0.01)
            assert 0 < len(hanging.asked) <= LANE
            await relay.close()

        asyncio.run(both())
    assert house.show("slow")["waiting"] == 30


def test_what_is_paused_waits(house: House) -> None:
    with receiving() as receiver:
        house.subscribe(receiver.url)
        subscriptions.set_state(house.home, "crm", active=False)
        house.say("a")
        house.relay(lambda: True)
        assert (receiver.asked, house.show()["unread"]) == ([], 1)
        subscriptions.set_state(house.home, "crm", active=True)
        house.relay_until_taken(receiver, 1)


def test_told_again_from_an_instant_under_the_same_ids(house: House) -> None:
    with receiving() as receiver:
        house.subscribe(receiver.url)
        house.say("a", "b")
        house.relay_until_taken(receiver, 2)
        subscriptions.redeliver(house.home, "crm", NOW)
        house.relay_until_taken(receiver, 4)
    assert sorted(receiver.ids()[:2]) == sorted(receiver.ids()[2:])


def test_a_home_that_is_disarmed_tells_nobody(house: House) -> None:
    with State.open(house.home) as state, state.transaction():
        state.set_meta("armed", "no")
    with receiving() as receiver:
        house.subscribe(receiver.url)
        house.say("a")
        house.relay(lambda: house.show()["waiting"] == 1)
        assert receiver.asked == []
        with State.open(house.home) as state, state.transaction():
            state.set_meta("armed", "yes")
        house.relay_until_taken(receiver, 1)


def test_traits_that_were_asked_for_are_those_of_now(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.apply({"audiences/vip.yaml": "when: traits.plan = 'pro'\n"})
    clock = Hands()
    with receiving() as receiver:
        asked = Selection.read(events=["Audience Entered"], audiences=["vip"], include=["traits.plan", "traits.x"])
        subscriptions.create(tmp_path, "crm", receiver.url, asked, clock, private=True, since=None)
        workspace.add(identify("u", "2026-02-01T00:00:00Z", plan="pro"), event("Login", "u", "2026-02-02T00:00:00Z"))
        workspace.run("2026-02-03T00:00:00Z")
        house = House(tmp_path)
        house.relay_until_taken(receiver, 1)
    assert receiver.taken[0]["data"] == {
        "source": "innkeeper", "userId": "u", "anonymousId": None, "properties": {"audience": "vip"},
        "traits": {"plan": "pro", "x": None},
    }  # fmt: skip


def test_an_address_inside_is_refused_when_it_is_called_too(house: House) -> None:
    """A name that led outside when the subscription was made may lead inside later (A7)."""
    from innkeeper.store.subscriptions import Subscriptions

    with receiving() as receiver:
        with Subscriptions.open(house.home) as store:
            selection = Selection.read(events=["*"]).kept()
            store.create("crm", receiver.url, selection, private=False, at=NOW, cursor=0, secret=new_secret())
        house.say("a")
        house.relay(lambda: house.show()["failures"] == 1)
    assert receiver.asked == []
    assert house.show()["error"].startswith("address-refused")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(200), Result("told")),
        (Answer(299), Result("told")),
        (Answer(301), Result("failed", "301: a redirect is not followed")),
        (Answer(410), Result("gone", "410: the receiver wants no more")),
        (Answer(429, {"retry-after": "7"}), Result("failed", "429: refused", 7 * SECOND)),
        (Answer(503, {"retry-after": "Sun, 01 Mar 2026 00:01:00 GMT"}), Result("failed", "503: refused", MINUTE)),
        (Answer(503, {"retry-after": "Sun, 01 Feb 2026 00:01:00 GMT"}), Result("failed", "503: refused", 0)),
        (Answer(500, {"retry-after": "soon"}), Result("failed", "500: refused")),
        (Answer(500, {"retry-after": "²"}), Result("failed", "500: refused")),
        (Answer(500, {"retry-after": "9" * 400}), Result("failed", "500: refused", 999_999_999 * SECOND)),
    ],
)
def test_what_an_answer_means(answer: Answer, expected: Result) -> None:
    assert judge(answer, NOW) == expected


def test_a_signature_covers_the_bytes_the_id_and_the_instant() -> None:
    """A15: nothing that is moved between the parts, or written otherwise, has the same signature."""
    secret = new_secret()

    def signature(id_: str, at: Instant, body: bytes, key: str = secret) -> str:
        return sign([key], id_, at, body)["webhook-signature"]

    one = signature("evt_1", NOW, b'{"a":1}')
    others = [
        signature("evt_2", NOW, b'{"a":1}'), signature("evt_1", NOW + SECOND, b'{"a":1}'),
        signature("evt_1", NOW, b'{"a": 1}'), signature("evt_1", NOW, b'{"a":1.0}'),
        signature("evt_1", NOW, b'{"a":1}\x80'), signature("evt_1", NOW, b'{"a":1}', new_secret()),
    ]  # fmt: skip
    assert one == signature("evt_1", NOW, b'{"a":1}')
    assert one not in others
    assert sign([secret, new_secret()], "evt_1", NOW, b'{"a":1}')["webhook-signature"].split()[0] == one
