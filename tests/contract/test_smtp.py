"""The provider `smtp` against a real server that misbehaves at every step: what it may have it is said to have."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes.smtp import DROP, HOLD, Act, at, certificates
from support.smtp import PATIENT, House, outgoing, sent

from innkeeper.channels.contract import Result
from innkeeper.channels.email_smtp import pool
from innkeeper.channels.email_smtp.connection import Timeouts
from innkeeper.kernel.errors import OperationFailed

GARBAGE: tuple[bytes | Act, ...] = (DROP, b"garbage\r\n", b"999 what\r\n", b"25", b"\xff\xfe\r\n")
STEPS = ("greeting", "EHLO", "MAIL", "RCPT", "DATA")


@pytest.fixture
def house() -> Iterator[House]:
    found = House()
    yield found
    found.close()


@pytest.mark.parametrize("step", [*STEPS, "dot"])
@pytest.mark.parametrize(("answer", "outcome"), [("451 4.3.0 later", "retry"), ("554 5.7.1 no", "rejected")])
def test_a_refusal_is_definite_at_every_step(house: House, step: str, answer: str, outcome: str) -> None:
    server = house.server(at(step, answer))
    result, committed = sent(house.provider(server))
    # A server that takes nobody says nothing about this mail.
    assert result.outcome == ("retry" if step in ("greeting", "EHLO") else outcome)
    assert answer[:3] in result.reason
    assert committed == (step == "dot")
    assert server.accepted == []


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "act", [DROP, b"garbage\r\n", b"999 what\r\n", b"25", b"\xff\xfe\r\n", b"250-" + b"x" * 99_999]
)
def test_what_breaks_before_the_final_dot_was_not_sent(house: House, step: str, act: bytes | Act) -> None:
    server = house.server(at(step, act))
    # The half answer is the only one that is waited for.
    result, committed = sent(house.provider(server, timeouts=Timeouts.all(0.2) if act == b"25" else PATIENT))
    assert (result.outcome, committed, server.accepted) == ("retry", 0, [])


@pytest.mark.parametrize("act", [*GARBAGE, b"354 go on\r\n"])
def test_what_breaks_after_the_final_dot_is_in_doubt(house: House, act: bytes | Act) -> None:
    server = house.server(at("dot", act))
    result, committed = sent(house.provider(server, timeouts=replace(PATIENT, final=0.2) if act == b"25" else PATIENT))
    assert (result.outcome, committed, len(server.accepted)) == ("in_doubt", 1, 1)


@pytest.mark.parametrize("step", [*STEPS, "dot"])
def test_a_server_that_says_nothing_is_given_up(house: House, step: str) -> None:
    server = house.server(at(step, HOLD))
    # Only what is late may be late: how fast this machine is does not matter.
    short = replace(PATIENT, final=0.2) if step == "dot" else Timeouts.all(0.2)
    result, committed = sent(house.provider(server, timeouts=short))
    assert (result.outcome, committed) == (("in_doubt", 1) if step == "dot" else ("retry", 0))


def test_a_connection_that_is_lost_while_the_ledger_writes_was_not_sent(house: House) -> None:
    server = house.server()
    provider = house.provider(server)
    stopped = threading.Event()

    def committing() -> None:
        server.stop()
        stopped.set()

    result = provider.send(outgoing(), committing)
    house.closing.remove(server.stop)
    assert stopped.is_set()
    # Whether the loss is seen in time is chance; nothing was sent either way.
    assert result.outcome in ("retry", "in_doubt")
    assert server.accepted == []


def test_without_the_commitment_nothing_is_sent_and_the_next_mail_is(house: House) -> None:
    class TakenOver(Exception):
        pass

    def refuse() -> None:
        raise TakenOver

    server = house.server()
    provider = house.provider(server)
    with pytest.raises(TakenOver):
        provider.send(outgoing(1), refuse)
    assert sent(provider, 2)[0].outcome == "accepted"
    assert [recipient for recipient, _ in server.accepted] == ["ana2@example.com"]


def test_a_late_answer_holds_up_no_other_mail(house: House) -> None:
    server = house.server(lambda step, who, _: HOLD if step == "dot" and who == "ana1@example.com" else None)
    provider = house.provider(server, connections=1, slow=0)
    late: list[Result] = []
    waiting = threading.Thread(target=lambda: late.append(sent(provider, 1)[0]))
    waiting.start()
    assert server.held.acquire(timeout=60)
    # The only connection that may be open waits; the others go through.
    assert [sent(provider, number)[0].outcome for number in (2, 3)] == ["accepted", "accepted"]
    assert late == []
    server.release()
    waiting.join()
    assert [result.outcome for result in late] == ["accepted"]


def test_connections_are_reused_and_limited(house: House) -> None:
    server = house.server()
    provider = house.provider(server, connections=3)
    results: list[Result] = []
    threads = [
        threading.Thread(
            target=lambda start: results.extend(sent(provider, n)[0] for n in range(start, 60, 6)), args=(k,)
        )
        for k in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {result.outcome for result in results} == {"accepted"}
    assert sorted(who for who, _ in server.accepted) == sorted(f"ana{n}@example.com" for n in range(60))
    assert server.most_connections <= 3
    assert server.connections <= 3


def test_a_connection_is_fit_after_a_refusal(house: House) -> None:
    server = house.server(lambda step, who, _: "550 5.1.1 no" if step == "RCPT" and who == "ana1@example.com" else None)
    provider = house.provider(server)
    assert [sent(provider, n)[0].outcome for n in (1, 2, 1, 3)] == ["rejected", "accepted", "rejected", "accepted"]
    assert server.connections == 1


def test_a_connection_that_the_server_has_left_is_replaced(house: House) -> None:
    # The second mail over a connection finds it gone.
    server = house.server(lambda step, _, times: DROP if step == "MAIL" and times == 2 else None)
    provider = house.provider(server)
    assert [sent(provider, n)[0].outcome for n in (1, 2)] == ["accepted", "accepted"]
    assert server.connections == 2


def test_a_connection_is_left_when_it_is_worn_out_or_idle(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_MOST_MAILS", 2)
    server = house.server()
    provider = house.provider(server)
    assert {sent(provider, number)[0].outcome for number in range(5)} == {"accepted"}
    assert server.connections == 3
    monkeypatch.setattr(pool, "_IDLE_SECONDS", 0)
    assert sent(provider)[0].outcome == "accepted"
    server.wait_until_left()
    assert server.said.count("QUIT") == 3


def test_greylisting_is_asked_again_and_accepted(house: House) -> None:
    server = house.server(lambda step, _, times: "450 4.7.1 Greylisted" if step == "RCPT" and times == 1 else None)
    provider = house.provider(server)
    results = [sent(provider)[0] for _ in range(2)]
    assert [(each.outcome, each.reason) for each in results] == [
        ("retry", "policy 450 4.7.1: Greylisted"), ("accepted", ""),
    ]  # fmt: skip


def test_a_server_that_closes_with_421_is_asked_again(house: House) -> None:
    server = house.server(lambda step, _, times: "421 4.3.2 closing" if step == "MAIL" and times == 1 else None)
    provider = house.provider(server)
    assert [sent(provider)[0].outcome for _ in range(2)] == ["retry", "accepted"]


def test_a_full_server_is_left_alone_while_other_connections_work(house: House) -> None:
    server = house.server(lambda step, _, times: "421 4.7.0 too many" if step == "greeting" and times > 1 else None)
    provider = house.provider(server, rest=3600)
    results: list[Result] = []
    assert sent(provider)[0].outcome == "accepted"
    threads = [threading.Thread(target=lambda n: results.append(sent(provider, n)[0]), args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Who found no free connection may have been told that there is no second one; nobody else tried.
    assert {result.outcome for result in results} <= {"accepted", "retry"}
    assert server.connections <= 4
    assert sent(provider)[0].outcome == "accepted"


def test_after_a_failure_the_server_is_left_alone_for_a_while(house: House) -> None:
    server = house.server(at("greeting", "554 5.7.1 not you"))
    provider = house.provider(server, rest=3600)
    results = [sent(provider, number)[0] for number in range(5)]
    assert server.connections == 1
    assert {(each.outcome, each.reason) for each in results} == {("retry", "not-accepting: it says 554 5.7.1 not you")}


def test_nobody_listens(house: House) -> None:
    server = house.server()
    server.stop()
    house.closing.remove(server.stop)
    result, committed = sent(house.provider(server))
    assert (result.outcome, result.reason.split(":")[0], committed) == ("retry", "unreachable", 0)


# Encryption and login


def test_starttls_and_tls_check_the_certificate_and_log_in(house: House, tmp_path: Path) -> None:
    context, authority = certificates(tmp_path)
    login = {"SMTP_USERNAME": "desk", "SMTP_PASSWORD": "s3cret"}
    names: dict[str, Any] = {"username_env": "SMTP_USERNAME", "password_env": "SMTP_PASSWORD", "ca_file": authority}
    open_one = house.server(starttls=context, users={"desk": "s3cret"})
    provider = house.provider(open_one, security="starttls", environment=login, **names)
    assert provider.probe() == f"localhost:{open_one.port} answers, over STARTTLS, with login"
    assert (sent(provider)[0].outcome, open_one.said[:2]) == ("accepted", [open_one.said[0], "STARTTLS"])
    covered = house.server(tls=context)
    assert sent(house.provider(covered, security="tls", ca_file=authority))[0].outcome == "accepted"


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"days": (-3, -1)}, "expired"), ({"days": (1, 3)}, "not yet valid"), ({"name": "other.example"}, "mismatch"),
        ({}, "self-signed"),
    ],
)  # fmt: skip
def test_a_certificate_that_proves_nothing_ends_it(
    house: House, tmp_path: Path, security: str, wrong: dict[str, Any], why: str
) -> None:
    context, authority = certificates(tmp_path, **wrong)
    (tmp_path / "other").mkdir()
    trusted = authority if wrong else certificates(tmp_path / "other")[1]
    server = house.server(tls=context) if security == "tls" else house.server(starttls=context)
    provider = house.provider(server, security=security, ca_file=trusted)
    result, committed = sent(provider)
    assert (result.outcome, committed, server.accepted) == ("retry", 0, [])
    assert result.reason.startswith("tls: TLS failed: ")
    assert why in result.reason or not wrong
    assert not any(said.startswith("MAIL") for said in server.said)


def test_without_starttls_nothing_goes_on_in_clear(house: House) -> None:
    server = house.server(users={"desk": "s3cret"})
    login = {"SMTP_USERNAME": "desk", "SMTP_PASSWORD": "s3cret"}
    provider = house.provider(
        server, security="starttls", environment=login, username_env="SMTP_USERNAME", password_env="SMTP_PASSWORD"
    )
    result, _ = sent(provider)
    assert (result.outcome, result.reason.split(":")[0]) == ("retry", "no-starttls")
    assert [said.split()[0] for said in server.said] == ["EHLO"]


def test_a_wrong_password_is_no_fault_of_the_mail_and_is_not_shown(house: House) -> None:
    server = house.server(users={"desk": "s3cret"})
    login = {"SMTP_USERNAME": "desk", "SMTP_PASSWORD": "wr0ng"}
    provider = house.provider(
        server, environment=login, username_env="SMTP_USERNAME", password_env="SMTP_PASSWORD", rest=3600
    )
    result, committed = sent(provider)
    assert (result.outcome, result.reason.split(":")[0], committed) == ("retry", "login", 0)
    with pytest.raises(OperationFailed) as failed:
        provider.probe()
    assert failed.value.code == "login"
    assert failed.value.fix
    shown = f"{result} {failed.value!r} {failed.value} {vars(provider)}"
    assert "wr0ng" not in shown.replace(repr(login), "")


def test_a_secret_that_is_not_set_stops_before_anything_is_claimed(house: House) -> None:
    server = house.server()
    with pytest.raises(OperationFailed, match="SMTP_PASSWORD is not set") as failed:
        house.provider(
            server, environment={"SMTP_USERNAME": "desk"}, username_env="SMTP_USERNAME", password_env="SMTP_PASSWORD"
        )
    assert "export SMTP_PASSWORD" in failed.value.fix
    with pytest.raises(OperationFailed, match="cannot be read"):
        house.provider(server, security="tls", ca_file="/nowhere/at/all.pem")


def test_a_probe_sends_nothing(house: House) -> None:
    server = house.server()
    assert house.provider(server).probe() == f"localhost:{server.port} answers, in clear text, without login"
    assert [said.split()[0] for said in server.said] == ["EHLO", "QUIT"]
