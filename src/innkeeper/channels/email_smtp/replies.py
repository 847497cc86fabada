"""What a server's reply means for a delivery.

Reply codes are those of RFC 5321 section 4.2, enhanced status codes those of RFC 3463 (X.1 address, X.2 mailbox,
X.3 system, X.4 network, X.5 protocol, X.6 content, X.7 policy). The reply code decides between later and never; the
enhanced one says why.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from innkeeper.channels.contract import Result
from innkeeper.events.sensitive import masked

_ENHANCED = re.compile(r"(?:^|\s)([245]\.\d{1,3}\.\d{1,3})(?=\s|$)")
_SUBJECTS: Final = {
    "1": "bad_address", "2": "mailbox", "3": "system", "4": "network", "5": "protocol", "6": "content", "7": "policy",
}  # fmt: skip
#: X.1.7 and X.1.8 are about the sender's address.
_SENDER: Final = ("1.7", "1.8")
#: What a reply without an enhanced code is about, by the step that it answers.
_STEPS: Final = {"mail": "sender", "rcpt": "mailbox", "data": "message", "dot": "message"}
_LONGEST_WORD: Final = 60
_LONGEST_TEXT: Final = 200


class Reply(NamedTuple):
    """A server's answer to one command."""

    code: int
    text: str

    @property
    def is_yes(self) -> bool:
        """Whether it is 2yz."""
        return 200 <= self.code < 300

    @property
    def is_readable(self) -> bool:
        """Whether it is a yes, a later or a no; everything else tells nothing."""
        return self.is_yes or 400 <= self.code < 600


def judge(step: str, reply: Reply) -> Result:
    """What a 4yz or 5yz at a step is: `retry` or `rejected`, with the reason.

    >>> judge("rcpt", Reply(550, "5.1.1 <ana@example.com> unknown here"))
    Result(outcome='rejected', reason='bad_address 550 5.1.1: <a…@example.com> unknown here', provider_id='')
    >>> judge("rcpt", Reply(451, "Greylisted")).outcome, judge("dot", Reply(554, "5.7.1 looks like spam")).reason
    ('retry', 'policy 554 5.7.1: looks like spam')
    """
    found = _ENHANCED.search(reply.text)
    # A class that contradicts the reply code says nothing.
    enhanced = found[1] if found and found[1][0] == str(reply.code)[0] else ""
    text = readable(_ENHANCED.sub(" ", reply.text))
    reason = " ".join(filter(None, (_about(step, enhanced), str(reply.code), enhanced)))
    return Result(outcome="rejected" if reply.code >= 500 else "retry", reason=f"{reason}: {text}" if text else reason)


def _about(step: str, enhanced: str) -> str:
    subject = enhanced[2:]
    return "sender" if subject in _SENDER else _SUBJECTS.get(subject.partition(".")[0], _STEPS[step])


def readable(text: str) -> str:
    """A server's text as one short line that names nobody: it is kept with the delivery and shown.

    >>> readable("blocked,\\nsee https://example.net/x\\x1b[31m and ask ana@example.com")
    'blocked, see https://example.net/x [31m and ask a…@example.com'
    """
    # Byte by byte whatever a server may send, without what a terminal or a reader would obey.
    plain = "".join(letter if letter.isprintable() and letter.isascii() else " " for letter in text)
    words = [masked(word) if "@" in word else word[:_LONGEST_WORD] for word in plain.split()]
    return " ".join(words)[:_LONGEST_TEXT].strip()
