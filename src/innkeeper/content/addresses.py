"""Which texts are email addresses: the gate `addressable` and the channels ask the same function."""

from __future__ import annotations

import re

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z")


def email_problem(address: object) -> str | None:
    """What is wrong with an email address; None when mail can go there.

    Stricter than RFC 5321 on purpose: no quoted local parts, comments, address literals or bare host names, which in
    customer data are mistakes or attacks. A domain with other letters than ASCII is read as IDNA.

    >>> email_problem("ana@example.com") is None
    True
    >>> email_problem("ana@example")
    'the domain has no dot'
    """
    if not isinstance(address, str) or not address:
        return "there is no address"
    if len(address) > 254:
        return "it is longer than 254 characters"
    local, at, domain = address.rpartition("@")
    if not at:
        return "there is no @"
    if not _LOCAL.match(local) or len(local) > 64:
        return "the part before @ is not a mailbox name"
    ascii_domain = _ascii_domain(domain)
    if ascii_domain is None or len(ascii_domain) > 253:
        return "the domain is not a host name"
    labels = ascii_domain.split(".")
    if len(labels) < 2:
        return "the domain has no dot"
    if not all(_LABEL.match(label) for label in labels) or labels[-1].isdigit():
        return "the domain is not a host name"
    return None


def is_email(address: object) -> bool:
    """Whether mail can go to an address, by its form alone."""
    return email_problem(address) is None


def ascii_email(address: str) -> str:
    """A valid address as it goes over the wire: the domain in ASCII.

    >>> ascii_email("ana@münchen.example")
    'ana@xn--mnchen-3ya.example'
    """
    local, _, domain = address.rpartition("@")
    return f"{local}@{_ascii_domain(domain) or domain}"


def _ascii_domain(domain: str) -> str | None:
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
