"""`sources:` of strategy.yaml: what is read, and what is refused."""

from __future__ import annotations

import pytest

from innkeeper.strategy.load import examine, load
from innkeeper.strategy.read_sources import Source


def test_declared_sources() -> None:
    text = (
        "sources:\n  crm: { trust: 3, verifies: [email, phone], may_link: true }\n  site: { may_link: false }\n  pos:\n"
    )
    assert load({"strategy.yaml": text}).workspace.sources == {
        "crm": Source(name="crm", trust=3, verifies=frozenset({"email", "phone"})),
        "site": Source(name="site", may_link=False),
        "pos": Source(name="pos"),
    }


@pytest.mark.parametrize(
    ("text", "code", "line", "fix"),
    [
        ("sources: [crm]", "not-a-mapping", 1, "write it like"),
        ("sources: { innkeeper: { trust: 9 } }", "reserved-name", 1, "leave it out"),
        ("sources:\n  crm:\n    trust: 1001", "bad-trust", 3, "write 0"),
        ("sources:\n  crm:\n    trust: high", "not-a-number", 3, "trust: 10"),
        ("sources:\n  crm:\n    trsut: 2", "unknown-key", 3, "did you mean 'trust'"),
        ("sources:\n  crm:\n    verifies: [emial]", "not-a-choice", 3, "did you mean 'email'"),
        ("sources:\n  crm:\n    may_link: sometimes", "not-a-boolean", 3, "may_link: false"),
        ("sources:\n  'a/b': {}", "bad-name", 2, "leave them out"),
    ],
)
def test_what_is_wrong_says_where_and_how(text: str, code: str, line: int, fix: str) -> None:
    (error,) = examine({"strategy.yaml": text}).errors
    assert (error.code, error.line) == (code, line)
    assert fix in error.fix
