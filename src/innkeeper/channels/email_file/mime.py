"""A MIME message from a rendered delivery: standard library, headers checked before it sees them."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import NamedTuple

from innkeeper.channels.contract import Outgoing
from innkeeper.content.addresses import ascii_email, email_problem
from innkeeper.content.headers import check_header
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.time import to_datetime

_POLICY = SMTP.clone(cte_type="7bit")


class Sender(NamedTuple):
    """Who a mail is from."""

    name: str
    address: str


def parse_sender(text: str) -> Sender:
    """`Name <address>` or a bare address.

    Raises:
        UsageError: It is neither.
    """
    check_header("From", text)
    name, address = parseaddr(text)
    problem = email_problem(address)
    if problem is not None:
        raise UsageError(
            f"'{text}' is no sender: {problem}", code="bad-sender", fix='write: from: "Name <mailbox@example.com>"'
        )
    return Sender(name, address)


def message_id(delivery_id: str, sender: Sender) -> str:
    """The Message-ID of a delivery: the same however often it is made."""
    return f"<{delivery_id}.innkeeper@{sender.address.rpartition('@')[2]}>"


def compose(outgoing: Outgoing, sender: Sender) -> bytes:
    """The bytes of a mail; equal deliveries give equal bytes.

    Raises:
        UnsafeHeader: A header holds what could start another one.
    """
    message = EmailMessage(policy=_POLICY)
    message["From"] = _mailbox(check_header("From", sender.name), sender.address)
    message["To"] = check_header("To", ascii_email(outgoing.address))
    message["Subject"] = check_header("Subject", outgoing.subject)
    message["Date"] = format_datetime(to_datetime(outgoing.at))
    message["Message-ID"] = message_id(outgoing.delivery_id, sender)
    message["X-Innkeeper-Delivery"] = check_header("X-Innkeeper-Delivery", outgoing.delivery_id)
    for name, value in outgoing.headers.items():
        message[name] = check_header(name, value)
    message.set_content(outgoing.text, charset="utf-8", cte="quoted-printable")
    if outgoing.html is not None:
        message.add_alternative(outgoing.html, subtype="html", charset="utf-8", cte="quoted-printable")
        message.set_boundary(f"innkeeper-{outgoing.delivery_id}")
    return message.as_bytes()


def _mailbox(name: str, address: str) -> str:
    if not name:
        return address
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" <{address}>'
