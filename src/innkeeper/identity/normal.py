"""The exact form of a value: what makes two spellings one identifier. Never a folded form of it.

An email is its local part as written and its domain in lower-case A-labels; a phone number is `+` and digits; anything
else is what was sent, byte for byte. A value that has no exact form joins nothing. Next in the flow: `evidence.py`.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MAX_VALUE: Final = 1_024
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z", re.ASCII)
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}\Z", re.ASCII)
_SEPARATORS = str.maketrans("", "", " -.()/")


def exact(namespace: str, value: object) -> str | None:
    """The exact form of a value in a namespace; None when it has none.

    >>> exact("email", "Ana.M+x@EXAMPLE.com"), exact("phone", "+351 (21) 123-45.67"), exact("user_id", 7)
    ('Ana.M+x@example.com', '+351211234567', '7')
    """
    if type(value) is int:
        value = str(value)
    if not isinstance(value, str) or not value or len(value) > MAX_VALUE or "\x00" in value:
        return None
    if namespace == "email":
        return exact_email(value)
    return exact_phone(value) if namespace == "phone" else value


def exact_email(text: str) -> str | None:
    """The local part as written, the domain in lower-case A-labels; None for what is no address.

    >>> exact_email("Ana@München.example"), exact_email("ana@münchen.example")
    ('Ana@xn--mnchen-3ya.example', 'ana@xn--mnchen-3ya.example')
    """
    local, at, domain = text.rpartition("@")
    if not at or not local or len(text) > 254 or any(c.isspace() or not c.isprintable() for c in text):
        return None
    labels = [_label(label) for label in domain.split(".")]
    if len(labels) < 2 or not all(labels):
        return None
    return f"{local}@{'.'.join(label for label in labels if label)}"


def _label(label: str) -> str | None:
    """A label of a domain in its A-form. Letters whose lower case is that of another letter too (K, İ) have none."""
    if label.isascii():
        lower = label.lower()
        return lower if _LABEL.match(lower) else None
    lower = "".join(_lower(c) for c in label)
    stable = unicodedata.normalize("NFKC", lower) == lower
    if not stable or not all(c == "-" or c.isalnum() or unicodedata.category(c)[0] == "M" for c in lower):
        return None
    encoded = "xn--" + lower.encode("punycode").decode("ascii")
    return encoded if len(encoded) <= 63 and not lower.startswith("-") and not lower.endswith("-") else None


def _lower(character: str) -> str:
    lower = character.lower()
    return lower if lower == character or lower.upper() == character else "\ufffd"


def exact_phone(text: str) -> str | None:
    """`+` and the digits of E.164; None without a leading `+`, or with a trunk zero in brackets.

    >>> exact_phone("0351 21 123 45 67"), exact_phone("+49 (0)30 123456")
    (None, None)
    """
    if "(0)" in text:
        return None
    digits = text.strip(" ").translate(_SEPARATORS)
    return digits if _PHONE.match(digits) else None
