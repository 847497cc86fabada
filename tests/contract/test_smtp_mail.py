"""What the provider `smtp` puts into a mail, as the server has it: whole, one mail, nothing smuggled."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from email import message_from_bytes, policy
from typing import Any

import pytest
from support.smtp import House, sent

from innkeeper.channels.contract import Result


@pytest.fixture
def house() -> Iterator[House]:
    found = House()
    yield found
    found.close()


def test_a_mail_arrives_whole(house: House) -> None:
    server = house.server()
    text = "Dear Ana,\n.\n..\n.hidden\r\nFrom here\rto there\n\n.\r\n" + "ä" * 3000
    result, committed = sent(house.provider(server), text=text, html=None, subject="Grüße")
    assert (result, committed) == (Result(outcome="accepted", provider_id="2.0.0 queued as 42"), 1)
    ((recipient, content),) = server.accepted
    mail = message_from_bytes(content, policy=policy.default)
    assert not mail.defects
    assert (recipient, mail["To"], mail["Subject"]) == ("ana1@example.com", "ana1@example.com", "Grüße")
    assert mail["Message-ID"] == "<d1.innkeeper@hotel.example>"
    assert mail["Date"] == "Mon, 02 Mar 2026 12:00:00 +0000"
    assert mail["List-Unsubscribe"] is None
    # What SMTP adds is the end of the last line.
    body = mail.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert body.decode().replace("\r\n", "\n").rstrip("\n") == text.replace("\r\n", "\n").replace("\r", "\n")
    assert content.replace(b"\r\n", b"").count(b"\n") + content.replace(b"\r\n", b"").count(b"\r") == 0
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert f"MAIL FROM:<desk@hotel.example> SIZE={len(content)}" in server.said


@pytest.mark.parametrize(
    ("link", "kind", "headers"),
    [
        ("https://hotel.example/u/{delivery_id}", "marketing",
         ("<https://hotel.example/u/d1>", "List-Unsubscribe=One-Click")),
        ("https://hotel.example/u/{delivery_id}", "service", (None, None)),
        ("https://hotel.example/u/{delivery_id}", "transactional", (None, None)),
        ("mailto:a@b.example?subject={delivery_id}", "marketing", ("<mailto:a@b.example?subject=d1>", None)),
        (None, "marketing", (None, None)),
    ],
)  # fmt: skip
def test_a_way_out_is_named_where_there_is_one(
    house: House, link: str | None, kind: str, headers: tuple[str | None, str | None]
) -> None:
    server = house.server()
    sent(house.provider(server, unsubscribe=link), kind=kind)
    mail = message_from_bytes(server.accepted[0][1], policy=policy.default)
    assert (mail["List-Unsubscribe"], mail["List-Unsubscribe-Post"]) == headers


BREAKS = ("\r\nBcc: x@y.example", "\n", "\r", "\x00", "\u2028", "\x85", ">\r\nRCPT TO:<x@y.example", "=?utf-8?q?x?=")


@pytest.mark.parametrize("field", ["subject", "address", "delivery_id", "headers"])
@pytest.mark.parametrize("number", range(len(BREAKS)))
def test_nothing_is_smuggled_through_a_field(house: House, field: str, number: int) -> None:
    server = house.server()
    bad = f"a{BREAKS[number]}b"
    changes: dict[str, Any] = {field: {"X-Tag": bad} if field == "headers" else bad}
    result, committed = sent(house.provider(server), **changes)
    assert (result.outcome, result.reason, committed) == ("rejected", "unsafe_header", 0)
    assert (server.accepted, server.said) == ([], [])


ENDS = (
    "\r\n.\r\n",
    "\n.\r\n",
    "\r.\r\n",
    "\n.\n",
    "\r.\r",
    "\r\n.\n",
    "\x00\r\n.\r\n",
    "\r\n\x00.\r\n",
    "\u2028.\u2028",
)


@pytest.mark.parametrize("number", range(len(ENDS)))
def test_a_body_does_not_end_its_mail_and_begin_another(house: House, number: int) -> None:
    server = house.server()
    text = (
        f"one{ENDS[number]}MAIL FROM:<x@y.example>\r\nRCPT TO:<z@y.example>\r\nDATA\r\nSubject: two\r\n\r\ntwo\r\n.\r\n"
    )
    assert sent(house.provider(server), text=text, html=text)[0].outcome == "accepted"
    assert [who for who, _ in server.accepted] == ["ana1@example.com"]
    plain = message_from_bytes(server.accepted[0][1], policy=policy.default).get_body(("plain",))
    assert plain is not None
    read = plain.get_payload(decode=True)
    assert isinstance(read, bytes)
    assert read.decode().splitlines() == text.replace("\r\n", "\n").replace("\r", "\n").splitlines()


def test_dots_are_doubled_as_the_standard_library_does(house: House) -> None:
    """`smtplib` sends the same bytes to the same server: an oracle for the way over the wire."""
    server = house.server()
    text = "\n".join(["." * n for n in range(9)] + [".x", "x."])
    assert sent(house.provider(server), text=text)[0].outcome == "accepted"
    content = server.accepted[0][1]
    with smtplib.SMTP("localhost", server.port) as other:
        other.sendmail("desk@hotel.example", ["ana1@example.com"], content)
    assert server.accepted[1][1] == content
