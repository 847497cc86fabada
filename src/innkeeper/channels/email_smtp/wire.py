"""A delivery as the bytes of an SMTP conversation: addresses, and a message with CRLF and doubled dots.

Everything is ASCII and every line short, so no extension of the server is needed: text is quoted-printable, domains are
IDNA, and an address with other letters before its @ is refused where it is looked at (`content/addresses.py`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from innkeeper.channels.contract import Outgoing
from innkeeper.channels.mime import Sender, compose
from innkeeper.content.addresses import ascii_email
from innkeeper.strategy.read_smtp import DELIVERY


class Mail(NamedTuple):
    """What is said in a conversation; *body* is everything up to the final dot, *size* what RFC 1870 counts."""

    sender: bytes
    recipient: bytes
    body: bytes
    size: int


def to_mail(outgoing: Outgoing, sender: Sender, unsubscribe: str | None) -> Mail:
    """The mail of a delivery; the same delivery gives the same bytes.

    Raises:
        UnsafeHeader: A header holds what could start another one.
    """
    headers = {**outgoing.headers, **_unsubscribe(outgoing, unsubscribe)}
    message = compose(replace(outgoing, headers=headers), sender).replace(b"\n", b"\r\n")
    if not message.endswith(b"\r\n"):
        message += b"\r\n"
    return Mail(
        sender=sender.address.encode("ascii"), recipient=ascii_email(outgoing.address).encode("ascii"),
        # RFC 5321 section 4.5.2. A message begins with a header, so no dot stands at its very beginning.
        body=message.replace(b"\r\n.", b"\r\n.."), size=len(message),
    )  # fmt: skip


def _unsubscribe(outgoing: Outgoing, link: str | None) -> dict[str, str]:
    """RFC 2369, and RFC 8058 for a link that takes a POST; other kinds than marketing are not subscribed to."""
    if link is None or outgoing.kind != "marketing":
        return {}
    headers = {"List-Unsubscribe": f"<{link.replace(DELIVERY, outgoing.delivery_id)}>"}
    if link.startswith("https:"):
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers
