"""What a reply of a mail server means, by a table, and that its words stay one short line that names nobody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innkeeper.channels.email_smtp.replies import Reply, judge

#: step, code, text, outcome, what it is about
TABLE = [
    ("rcpt", 550, "5.1.1 no such user", "rejected", "bad_address"),
    ("rcpt", 550, "5.1.10 null MX", "rejected", "bad_address"),
    ("rcpt", 550, "5.1.2 no such domain", "rejected", "bad_address"),
    ("rcpt", 550, "5.2.1 disabled", "rejected", "mailbox"),
    ("rcpt", 452, "4.2.2 full", "retry", "mailbox"),
    ("rcpt", 550, "no such user", "rejected", "mailbox"),
    ("rcpt", 450, "greylisted", "retry", "mailbox"),
    ("rcpt", 451, "4.7.1 greylisted", "retry", "policy"),
    ("rcpt", 554, "5.7.1 blocked", "rejected", "policy"),
    ("mail", 553, "5.1.8 your domain does not exist", "rejected", "sender"),
    ("mail", 550, "5.1.7 bad sender", "rejected", "sender"),
    ("mail", 530, "log in first", "rejected", "sender"),
    ("mail", 552, "5.3.4 too large", "rejected", "system"),
    ("mail", 451, "4.4.3 DNS", "retry", "network"),
    ("data", 503, "5.5.1 bad sequence", "rejected", "protocol"),
    ("dot", 554, "5.6.0 bad content", "rejected", "content"),
    ("dot", 554, "spam", "rejected", "message"),
    ("dot", 421, "4.3.2 shutting down", "retry", "system"),
    # The reply code decides; an enhanced code of another class says nothing.
    ("rcpt", 450, "5.1.1 nobody", "retry", "mailbox"),
    ("rcpt", 550, "2.1.5 fine", "rejected", "mailbox"),
    # Not an enhanced code: a number of something.
    ("rcpt", 550, "see rule 5.1.1.2 or 5.1", "rejected", "mailbox"),
    ("rcpt", 550, "\n5.1.1\nnobody", "rejected", "bad_address"),
]


@pytest.mark.parametrize(("step", "code", "text", "outcome", "about"), TABLE)
def test_the_code_decides_and_the_enhanced_one_says_why(
    step: str, code: int, text: str, outcome: str, about: str
) -> None:
    result = judge(step, Reply(code, text))
    assert (result.outcome, result.reason.partition(":")[0].split()[:2]) == (outcome, [about, str(code)])


@given(
    step=st.sampled_from(["mail", "rcpt", "data", "dot"]),
    code=st.integers(400, 599),
    text=st.lists(st.one_of(st.text(), st.just("<ana.lopes@example.com>"), st.just("5.1.1"), st.just("x" * 500))),
)
def test_its_words_stay_one_short_line_that_names_nobody(step: str, code: int, text: list[str]) -> None:
    reason = judge(step, Reply(code, " ".join(text))).reason
    assert reason.replace("…", "").isascii()
    assert reason.isprintable()
    assert len(reason) < 300
    assert "ana.lopes" not in reason
