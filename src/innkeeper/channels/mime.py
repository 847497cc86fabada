"""A MIME message from a rendered delivery, headers checked before they are written.

Put together by hand from the standard library's encoders: its `EmailMessage` parses every header back and takes thirty
times as long. A test reads the result with the library and compares. Lines end in LF, as a Maildir has them.
"""

from __future__ import annotations

from binascii import b2a_qp
from email.header import Header
from email.utils import format_datetime, getaddresses
from typing import NamedTuple

from innkeeper.channels.contract import Outgoing
from innkeeper.content.addresses import ascii_email, email_problem
from innkeeper.content.headers import check_header
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import to_datetime

_LINE = 76


class Sender(NamedTuple):
    """Who a mail is from."""

    name: str
    address: str


def parse_sender(text: str) -> Sender:
    """`Name <address>` or a bare address.

    Raises:
        UsageError: It is neither.
        UnsafeHeader: It holds what could start another header.
    """
    check_header("From", text)
    found = getaddresses([text])
    name, address = found[0] if len(found) == 1 else ("", "")
    problem = email_problem(address)
    if problem is not None:
        raise UsageError(
            f"'{text}' is no sender: {problem}", code="bad-sender", fix='write: from: "Name <mailbox@example.com>"'
        )
    return Sender(name, ascii_email(address))


def message_id(delivery_id: str, sender: Sender) -> str:
    """The Message-ID of a delivery: the same however often it is made."""
    return f"<{delivery_id}.innkeeper@{sender.address.rpartition('@')[2]}>"


def compose(outgoing: Outgoing, sender: Sender) -> bytes:
    """The bytes of a mail; equal deliveries give equal bytes.

    Raises:
        UnsafeHeader: A header holds what could start another one.
    """
    headers = [
        ("From", _mailbox(check_header("From", sender.name), sender.address)),
        ("To", check_header("To", ascii_email(outgoing.address))),
        ("Subject", _encoded("Subject", check_header("Subject", outgoing.subject))),
        ("Date", format_datetime(to_datetime(outgoing.at).replace(microsecond=0))),
        ("Message-ID", message_id(check_header("X-Innkeeper-Delivery", outgoing.delivery_id), sender)),
        ("X-Innkeeper-Delivery", outgoing.delivery_id),
        *((check_header("header", name), _encoded(name, check_header(name, value)))
          for name, value in outgoing.headers.items()),
        ("MIME-Version", "1.0"),
    ]  # fmt: skip
    head = "".join(f"{name}: {value}\n" for name, value in headers).encode("ascii")
    if outgoing.html is None:
        return head + _part("plain", outgoing.text)
    boundary = f"innkeeper-{outgoing.delivery_id}"
    mark = f"--{boundary}".encode("ascii")
    return b"".join(
        (
            head, f'Content-Type: multipart/alternative; boundary="{boundary}"\n\n'.encode("ascii"),
            mark, b"\n", _part("plain", outgoing.text), b"\n", mark, b"\n", _part("html", outgoing.html), b"\n", mark,
            b"--\n",
        )
    )  # fmt: skip


def _part(subtype: str, text: str) -> bytes:
    head = f'Content-Type: text/{subtype}; charset="utf-8"\nContent-Transfer-Encoding: quoted-printable\n\n'
    content = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace")
    # A line that begins with -- could be taken for the boundary; as quoted-printable it never is.
    return head.encode("ascii") + b2a_qp(content, istext=True).replace(b"\n--", b"\n=2D-")


def _encoded(name: str, value: str) -> str:
    if value.isascii() and len(name) + 2 + len(value) <= _LINE:
        return value
    return Header(value, None if value.isascii() else "utf-8", header_name=name, maxlinelen=_LINE).encode(linesep="\n")


def _mailbox(name: str, address: str) -> str:
    if not name:
        return address
    if not name.isascii():
        return f"{Header(name, 'utf-8', header_name='From').encode(linesep=chr(10))} <{address}>"
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" <{address}>'
