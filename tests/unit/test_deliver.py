"""The deliverer against a provider that misbehaves: every row ends once, nothing twice, nothing swallowed."""

from __future__ import annotations

import mailbox
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes.checker import violations
from fakes.ledger import DEFINITIONS, NOON, consent, open_state, plan, planned, states, suppression
from fakes.provider import MILD, Behaviour, Broken, FakeProvider, read_history, seeded

from innkeeper.channels.contract import ChannelConfig
from innkeeper.content.types import Message, Variant
from innkeeper.events.outputs import Output
from innkeeper.kernel.errors import OperationFailed
from innkeeper.kernel.time import DAY, MINUTE, FixedClock
from innkeeper.runtime.deliver import Deliverer
from innkeeper.store.state import State


def deliverer(state: State, provider: FakeProvider, **options: Any) -> Deliverer:
    provider.open()
    return Deliverer(state, DEFINITIONS, {"email": provider}, **options)


def accepted(history: Path) -> list[str]:
    return [entry["id"] for entry in read_history(history) if entry["what"] == "accepted"]


def always(behaviour: Behaviour) -> Callable[[str, int], Behaviour]:
    return lambda *_: behaviour


@pytest.mark.parametrize("count", [1, 2, 3, 40])
def test_everything_planned_is_sent_once(tmp_path: Path, count: int) -> None:
    with open_state(tmp_path) as state:
        plan(state, *(planned(number) for number in range(count)))
        found = deliverer(state, FakeProvider(tmp_path / "history")).deliver()
        assert sorted(found) == sorted(states(state))
        assert set(states(state).values()) == {("accepted", "")}
        assert sorted(accepted(tmp_path / "history")) == sorted(states(state))
        assert len(state.receipts(99)) == count


def test_into_a_maildir_that_other_programs_read(tmp_path: Path) -> None:
    with open_state(tmp_path) as state:
        plan(state, *(planned(number) for number in range(5)))
        definitions = replace(
            DEFINITIONS,
            channels={
                "email": ChannelConfig(name="email", provider="file", settings={"from": "Desk <desk@hotel.example>"})
            },
        )
        sender = Deliverer.open(tmp_path, state, definitions)
        sender.recover()
        assert len(sender.deliver()) == 5
        sender.close()
    box = mailbox.Maildir(tmp_path / "mail", create=False)
    mails: dict[str, Any] = {mail["X-Innkeeper-Delivery"]: mail for mail in box}
    assert sorted(mails) == [f"d-{number}" for number in range(5)]
    mail = mails["d-3"]
    assert (mail["To"], mail["From"], mail["Subject"]) == (
        "u3@example.com",
        '"Desk" <desk@hotel.example>',
        "Welcome Guest3",
    )
    assert mail["Date"] == "Mon, 02 Mar 2026 12:00:00 +0000"
    assert mail["Message-ID"] == "<d-3.innkeeper@hotel.example>"
    text, html = mail.get_payload()
    assert text.get_payload(decode=True).decode() == "Dear **Guest3**, welcome to Harbour House."
    assert "<p>Dear <strong>Guest3</strong>, welcome to Harbour House.</p>" in html.get_payload(decode=True).decode()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"context": {"profile": {}}}, "missing_value:profile.first_name"),
        ({"context": {"profile": {"first_name": "x\r\nBcc: y@z.example"}}}, "unsafe_header"),
        ({"message": "gone"}, "no_message"),
        ({"channel": "pigeon"}, "no_channel"),
        ({"address": "not an address"}, "no_address"),
    ],
)
def test_what_cannot_be_composed_is_cancelled(tmp_path: Path, change: dict[str, object], reason: str) -> None:
    with open_state(tmp_path) as state:
        plan(state, planned(1, **change), planned(2), planned(3))
        assert len(deliverer(state, FakeProvider(tmp_path / "history")).deliver()) == 3
        assert states(state)["d-1"] == ("cancelled", reason)
        assert sorted(accepted(tmp_path / "history")) == ["d-2", "d-3"]


def test_a_template_that_fails_cancels_and_says_so(tmp_path: Path) -> None:
    bad = Message(
        name="bad", channel="email", purpose="news", version="m",
        variants=(Variant(locale="en", subject="x", body="{{ 1 | divided_by: 0 }}", format="text"),),
    )  # fmt: skip
    with open_state(tmp_path) as state:
        plan(state, planned(1, message="bad"))
        definitions = replace(DEFINITIONS, messages={"bad": bad})
        Deliverer(state, definitions, {"email": FakeProvider(tmp_path / "history")}).deliver()
        assert states(state)["d-1"] == ("cancelled", "template-failed")


def test_now_holds_back_what_is_not_due(tmp_path: Path) -> None:
    with open_state(tmp_path) as state:
        plan(state, planned(1))
        plan(state, planned(2), at=NOON + 1)
        sender = deliverer(state, FakeProvider(tmp_path / "history"))
        assert sender.deliver(now=NOON) == ["d-1"]
        assert sender.deliver(now=NOON) == []
        assert sender.deliver(now=NOON + 1, limit=10) == ["d-2"]


def test_only_the_profiles_asked_for(tmp_path: Path) -> None:
    with open_state(tmp_path) as state:
        plan(state, planned(1), planned(2), suppression(2, True))
        sender = deliverer(state, FakeProvider(tmp_path / "history"))
        assert sender.deliver(subjects={"user_id:u2"}) == ["d-2"]
        assert states(state) == {"d-1": ("planned", ""), "d-2": ("suppressed", "suppressed")}


def test_a_refusal_is_final_and_a_later_is_tried_again(tmp_path: Path) -> None:
    def behave(delivery: str, attempt: int) -> Behaviour:
        return "refuse" if delivery == "d-1" else "later" if attempt < 3 else "accept"

    with open_state(tmp_path) as state:
        plan(state, planned(1), planned(2))
        sender = deliverer(state, FakeProvider(tmp_path / "history", behave))
        assert sender.deliver(now=NOON) == ["d-1"]
        assert states(state) == {"d-1": ("rejected", "550"), "d-2": ("planned", "450")}
        assert sender.deliver(now=NOON + MINUTE - 1) == []
        assert sender.deliver(now=NOON + MINUTE) == []
        assert sender.deliver(now=NOON + 3 * MINUTE) == ["d-2"]
        assert states(state)["d-2"] == ("accepted", "")


def test_a_provider_that_always_puts_off_is_given_up(tmp_path: Path) -> None:
    with open_state(tmp_path) as state:
        plan(state, planned(1, expires_at=NOON + 30 * DAY))
        provider = FakeProvider(tmp_path / "history", always("later"))
        assert deliverer(state, provider).deliver() == ["d-1"]
        assert states(state)["d-1"] == ("rejected", "gave up: 450")
        assert provider.attempts["d-1"] == 8


@pytest.mark.parametrize("count", [1, 5])
def test_an_answer_that_is_lost_is_in_doubt(tmp_path: Path, count: int) -> None:
    with open_state(tmp_path) as state:
        plan(state, *(planned(number) for number in range(count)))
        deliverer(state, FakeProvider(tmp_path / "history", always("drop_answer"))).deliver()
        assert set(states(state).values()) == {("in_doubt", "connection lost after the last byte")}
        assert len(accepted(tmp_path / "history")) == count
        assert len(state.receipts(99)) == count


def test_transactional_is_sent_once_more_after_a_doubt(tmp_path: Path) -> None:
    with open_state(tmp_path) as state:
        plan(state, planned(1, kind="transactional"))
        sender = deliverer(state, FakeProvider(tmp_path / "history", always("drop_answer")))
        assert sender.deliver(now=NOON) == []
        assert sender.deliver(now=NOON + 15 * MINUTE) == ["d-1"]
        assert sender.deliver(now=NOON + DAY) == []
        assert states(state)["d-1"][0] == "in_doubt"
        assert accepted(tmp_path / "history") == ["d-1", "d-1"]


@pytest.mark.parametrize(("behaviour", "state_of"), [("break_before", "planned"), ("unsure", "in_doubt")])
@pytest.mark.parametrize("count", [1, 30])
def test_an_exception_is_recorded_and_raised(tmp_path: Path, behaviour: Behaviour, state_of: str, count: int) -> None:
    def behave(delivery: str, _: int) -> Behaviour:
        return behaviour if delivery == "d-0" else "accept"

    with open_state(tmp_path) as state:
        plan(state, *(planned(number) for number in range(count)))
        sender = deliverer(state, FakeProvider(tmp_path / "history", behave))
        with pytest.raises(Broken):
            sender.deliver()
        found = states(state)
        assert found["d-0"][0] == state_of
        assert {name for name, _ in found.values()} <= {"planned", "accepted", state_of}
        assert sorted(accepted(tmp_path / "history")) == sorted(
            name for name, (now, _) in found.items() if now in ("accepted", "in_doubt")
        )


def test_a_provider_that_hangs_is_given_up_and_may_answer_late(tmp_path: Path) -> None:
    def behave(delivery: str, attempt: int) -> Behaviour:
        return "hang" if delivery == "d-1" and attempt == 1 else "accept"

    with open_state(tmp_path) as state:
        plan(state, *(planned(number) for number in range(4)))
        provider = FakeProvider(tmp_path / "history", behave)
        # Long enough for the others, whatever the disk has to do beside.
        sender = deliverer(state, provider, lease=3_000_000)
        assert sorted(sender.deliver(now=NOON)) == ["d-0", "d-2", "d-3"]
        assert states(state)["d-1"] == ("planned", "no answer")
        # It wakes up while another attempt has the row: it must not send.
        assert sender.deliver(now=NOON + MINUTE) == ["d-1"]
        provider.release.set()
        for thread in threading.enumerate():
            if thread.name.startswith("slot-"):
                thread.join()
        sender.deliver(now=NOON + DAY)
        assert states(state)["d-1"] == ("accepted", "")
        assert sorted(accepted(tmp_path / "history")) == ["d-0", "d-1", "d-2", "d-3"]


def until(sender: Deliverer, state: State, delivery: str, after: str) -> None:
    """Deliver in short calls, as `up` does, until a delivery has got somewhere."""
    deadline = time.monotonic() + 120
    while states(state)[delivery][0] != after:
        assert time.monotonic() < deadline, states(state)
        sender.deliver(now=NOON, seconds=0.01)


def hangs(delivery: str) -> Callable[[str, int], Behaviour]:
    return lambda name, attempt: "hang" if name == delivery and attempt == 1 else "accept"


def test_who_waits_long_holds_up_neither_the_caller_nor_others(tmp_path: Path) -> None:
    with open_state(tmp_path) as state:
        plan(state, *(planned(number) for number in range(9)))
        provider = FakeProvider(tmp_path / "history", hangs("d-0"))
        sender = deliverer(state, provider, slots=1, slow_seconds=0)
        for number in range(1, 9):
            until(sender, state, f"d-{number}", "accepted")
        assert states(state)["d-0"] == ("claimed", "")
        provider.release.set()
        until(sender, state, "d-0", "accepted")
        assert sorted(accepted(tmp_path / "history")) == [f"d-{number}" for number in range(9)]
        sender.close()


@pytest.mark.parametrize("word", [suppression(0, True), consent(0, False)])
def test_a_word_that_comes_while_a_delivery_is_under_way_counts(tmp_path: Path, word: Output) -> None:
    with open_state(tmp_path) as state:
        plan(state, planned(0))
        provider = FakeProvider(tmp_path / "history", hangs("d-0"))
        sender = deliverer(state, provider, slow_seconds=0)
        until(sender, state, "d-0", "claimed")
        plan(state, word)
        provider.release.set()
        until(sender, state, "d-0", "suppressed")
        assert accepted(tmp_path / "history") == []
        sender.close()


def test_what_has_not_begun_when_it_closes_is_planned_again(tmp_path: Path) -> None:
    with open_state(tmp_path) as state:
        plan(state, *(planned(number) for number in range(5)))
        provider = FakeProvider(tmp_path / "history", hangs("d-0"))
        sender = deliverer(state, provider, slots=1)
        until(sender, state, "d-0", "claimed")
        provider.release.set()
        sender.close()
        found = states(state)
        assert found["d-0"] == ("accepted", "")
        assert {name for name, _ in found.values()} <= {"accepted", "planned"}
        again = deliverer(state, provider)
        again.recover()
        again.deliver()
        assert sorted(accepted(tmp_path / "history")) == [f"d-{number}" for number in range(5)]


def test_live_it_does_not_run_ahead_of_the_clock(tmp_path: Path) -> None:
    """A run sends what is put off at its own instant; live, that instant has to come."""
    clock = FixedClock(NOON)
    with open_state(tmp_path) as state:
        plan(state, planned(1))
        provider = FakeProvider(tmp_path / "history", lambda _, attempt: "later" if attempt == 1 else "accept")
        sender = deliverer(state, provider, live=True, clock=clock)
        assert sender.deliver() == sender.deliver() == []
        assert states(state)["d-1"] == ("planned", "450")
        clock.instant = NOON + MINUTE
        assert sender.deliver() == ["d-1"]
        assert len(accepted(tmp_path / "history")) == 1


def test_whatever_the_provider_does_the_ledger_balances(tmp_path: Path) -> None:
    for seed in range(6):
        home, history = tmp_path / str(seed), tmp_path / str(seed) / "history"
        with open_state(home) as state:
            ids = [f"d-{number}" for number in range(60)]
            plan(
                state,
                *(planned(n, expires_at=NOON + 9 * DAY, kind=("marketing", "transactional")[n % 2]) for n in range(60)),
            )
            sender = deliverer(state, FakeProvider(history, seeded(seed, MILD)), slots=4)
            for _ in range(200):
                try:
                    if not sender.deliver():
                        break
                except Broken:
                    continue
            doubts = sum(1 for name, _ in states(state).values() if name == "in_doubt")
        assert violations(home, ids, accepted(history), in_doubt_at_most=doubts) == []


def test_a_full_disk_under_the_maildir_stops_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from innkeeper.channels.email_file import provider as maildir

    whole = maildir._write_flushed
    calls = 0

    def full(path: Path, content: bytes) -> None:
        nonlocal calls
        calls += 1
        if 3 <= calls <= 5:
            raise OSError(28, "No space left on device")
        whole(path, content)

    monkeypatch.setattr(maildir, "_write_flushed", full)
    with open_state(tmp_path) as state:
        plan(state, *(planned(number) for number in range(12)))
        sender = Deliverer.open(tmp_path, state, DEFINITIONS)
        with pytest.raises(OperationFailed, match="No space left"):
            sender.deliver()
        while "planned" in {name for name, _ in states(state).values()}:
            try:
                sender.deliver()
            except OperationFailed:
                continue
        assert set(states(state).values()) == {("accepted", "")}
        assert len(list((tmp_path / "mail" / "new").iterdir())) == 12
        sender.close()
