"""Headers checked before any mail library sees them (A22 of the security catalogue)."""

from __future__ import annotations

import re

from innkeeper.content.errors import UnsafeHeader

# Control characters, and what Unicode calls a line or paragraph end.
_UNSAFE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
# RFC 2047: a reader would decode this into something else than what was checked.
_ENCODED_WORD = re.compile(r"=\?[^?\s]*\?[bqBQ]\?")
#: RFC 5322 asks for lines of at most 998 characters; no honest subject comes near.
LONGEST = 900


def check_header(name: str, value: str) -> str:
    """The value, when it is one line of text and nothing else.

    Raises:
        UnsafeHeader: It could start another line or header, or decode into something else.
    """
    found = _UNSAFE.search(value)
    if found:
        raise UnsafeHeader(
            f"the header {name} holds the character U+{ord(found[0]):04X}, which could start another header",
            code="unsafe_header",
            fix="print the value with the filter strip_newlines, or leave it out",
        )
    if _ENCODED_WORD.search(value):
        raise UnsafeHeader(f"the header {name} holds an encoded word", code="unsafe_header")
    if len(value) > LONGEST:
        raise UnsafeHeader(
            f"the header {name} has {len(value):,} characters; at most {LONGEST} are allowed", code="unsafe_header"
        )
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UnsafeHeader(f"the header {name} holds a half character", code="unsafe_header") from error
    return value
