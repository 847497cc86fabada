"""The provider `file`: mails that other programs read back unchanged, each once, and a record that survives a crash."""

from __future__ import annotations

import mailbox
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innkeeper.channels import PROVIDERS, make_provider
from innkeeper.channels.contract import ChannelConfig, Outgoing
from innkeeper.channels.email_file import FileProvider
from innkeeper.channels.mime import Sender, compose, parse_sender
from innkeeper.content.errors import UnsafeHeader
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import parse_instant

AT = parse_instant("2026-03-02T12:00:00.5Z")
DESK = Sender("Harbour House", "desk@hotel.example")


def outgoing(number: int = 1, **changes: Any) -> Outgoing:
    fields: dict[str, Any] = {
        "delivery_id": f"d{number}", "address": "ana@example.com", "subject": "Hello", "text": "Hi\n",
        "html": "<p>Hi</p>\n", "headers": {}, "at": AT,
    }  # fmt: skip
    return Outgoing(**(fields | changes))


def read(mail: bytes) -> EmailMessage:
    message = message_from_bytes(mail, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    assert all(len(line) <= 998 for line in mail.split(b"\n"))
    return message


def nothing() -> None:
    """A ledger that does not mind."""


LINES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=300)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


@given(subject=LINES, text=TEXTS, html=LINES)
def test_what_is_written_is_what_is_read(subject: str, text: str, html: str) -> None:
    if "=?" in subject:
        return
    mail = read(compose(outgoing(subject=subject, text=text, html=html), DESK))
    assert str(mail["Subject"]).split() == subject.split()
    plain, rich = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert rich is not None
    assert plain.get_payload(decode=True) == text.replace("\r\n", "\n").replace("\r", "\n").encode()
    assert rich.get_payload(decode=True) == html.replace("\r\n", "\n").replace("\r", "\n").encode()


@pytest.mark.parametrize(
    ("name", "read_as"),
    [("Harbour House", "Harbour House"), ('A "B" \\ C', 'A "B" \\ C'), ("Müller & Söhne", "Müller & Söhne")],
)
def test_headers_are_read_as_they_were_meant(name: str, read_as: str) -> None:
    mail = read(
        compose(outgoing(address="ana@münchen.example", headers={"X-Tag": "ä" * 200}), DESK._replace(name=name))
    )
    assert mail["From"].addresses[0].display_name == read_as
    assert mail["From"].addresses[0].addr_spec == "desk@hotel.example"
    assert mail["To"] == "ana@xn--mnchen-3ya.example"
    assert mail["X-Tag"] == "ä" * 200
    assert mail["Date"].datetime.isoformat() == "2026-03-02T12:00:00+00:00"
    assert (mail["X-Innkeeper-Delivery"], mail["Message-ID"]) == ("d1", "<d1.innkeeper@hotel.example>")


def test_plain_text_has_one_part_and_equal_deliveries_equal_bytes() -> None:
    mail = read(compose(outgoing(html=None, text="--innkeeper-d1\nFrom here\n.\n" + "x" * 2000), DESK))
    assert not mail.is_multipart()
    assert mail.get_content() == "--innkeeper-d1\nFrom here\n.\n" + "x" * 2000
    assert compose(outgoing(), DESK) == compose(outgoing(), DESK)


BREAKS = [
    "\r\nBcc: x@y.example",
    "\nBcc: x",
    "\r",
    "\x00",
    "\u2028",
    "\u2029",
    "\x85",
    "\x0b",
    "=?utf-8?q?x?=",
    "x" * 2000,
]


@pytest.mark.parametrize("field", ["subject", "address", "delivery_id", "header", "header name", "sender"])
@pytest.mark.parametrize("number", range(len(BREAKS)))
def test_no_field_starts_another_header(field: str, number: int) -> None:
    bad = "a" + BREAKS[number] + "b"
    sender, mail = DESK, outgoing()
    match field:
        case "header":
            mail = outgoing(headers={"X-Tag": bad})
        case "header name":
            mail = outgoing(headers={bad: "x"})
        case "sender":
            sender = DESK._replace(name=bad)
        case _:
            changes: dict[str, Any] = {field: bad}
            mail = outgoing(**changes)
    with pytest.raises(UnsafeHeader):
        compose(mail, sender)


@pytest.mark.parametrize("text", ["nobody", "x <y>", "<a@b.example> c, d@e.example", "a@b.example\nBcc: x", ""])
def test_a_bad_sender_is_refused(text: str) -> None:
    with pytest.raises((UsageError, UnsafeHeader)):
        parse_sender(text)


def test_a_delivery_is_written_once(tmp_path: Path) -> None:
    provider = FileProvider(tmp_path / "mail", DESK)
    provider.open()
    calls: list[int] = []
    for _ in range(3):
        assert provider.send(outgoing(), lambda: calls.append(1)).outcome == "accepted"
    assert len(calls) == 3
    assert len(mailbox.Maildir(tmp_path / "mail", create=False)) == 1
    assert list((tmp_path / "mail" / "tmp").iterdir()) == []
    provider.close()


def settled(maildir: Path, delivery: str) -> str:
    provider = FileProvider(maildir, DESK)
    provider.open()
    result = provider.settle(delivery)
    provider.close()
    assert result is not None
    return result.outcome


def test_the_record_settles_after_a_restart(tmp_path: Path) -> None:
    maildir = tmp_path / "mail"
    provider = FileProvider(maildir, DESK)
    provider.open()
    provider.send(outgoing(1), nothing)
    provider.send(outgoing(2), nothing)
    provider.close()
    assert settled(maildir, "d1") == "accepted"
    assert settled(maildir, "d9") == "retry"
    # The reader moved one and deleted the other; the record still knows both.
    for mail in (maildir / "new").iterdir():
        mail.rename(maildir / "cur" / f"{mail.name}:2,S") if "d1" in mail.name else mail.unlink()
    assert settled(maildir, "d1") == settled(maildir, "d2") == "accepted"
    # A crash before the record was written: the name in the Maildir tells.
    (maildir / "accepted.jsonl").write_bytes(b'{"delivery_id":"d2","at":"x"}\n{"deliv')
    assert settled(maildir, "d1") == settled(maildir, "d2") == "accepted"
    assert settled(maildir, "d2") == "accepted"


def test_what_a_crash_left_half_written_is_dropped(tmp_path: Path) -> None:
    maildir = tmp_path / "mail"
    provider = FileProvider(maildir, DESK)
    provider.open()

    class Crash(Exception):
        pass

    def crash() -> None:
        raise Crash

    with pytest.raises(Crash):
        provider.send(outgoing(), crash)
    provider.close()
    assert len(list((maildir / "tmp").iterdir())) == 1
    assert settled(maildir, "d1") == "retry"
    assert list((maildir / "tmp").iterdir()) == []


def test_the_registry_makes_providers_and_names_the_nearest(tmp_path: Path) -> None:
    assert list(PROVIDERS) == ["file", "smtp"]
    made = make_provider(ChannelConfig(name="email", provider="file", settings={"from": "A <a@b.example>"}), tmp_path)
    assert made.name == "file"
    with pytest.raises(UsageError, match="did you mean 'file'"):
        make_provider(ChannelConfig(name="email", provider="fil"), tmp_path)
