"""`identity:` and `sources:` of strategy.yaml: what they mean, and every mistake with its place."""

from __future__ import annotations

import pytest

from innkeeper.identity.namespaces import IdentityRules
from innkeeper.kernel.errors import Invalid
from innkeeper.strategy.load import load

GOOD = """\
identity:
  fan_in: 50
  namespaces:
    loyalty_card:
      { owner: person, from: [traits.card, properties.card], limit: 2, blocked: ["0000", TBD], sources: [till] }
    kiosk: { owner: spans, from: context.kiosk }
    email: { limit: 5 }
sources:
  till:
  crm: { trust: 3, verifies: [email, phone], may_link: true }
  web: { may_link: false }
"""


def read(text: str) -> IdentityRules:
    return load({"strategy.yaml": text}).workspace.identity


def test_the_example() -> None:
    rules = read(GOOD)
    card, email = rules.namespaces["loyalty_card"], rules.namespaces["email"]
    assert rules.fan_in == 50
    assert (card.owner, card.paths, card.limit) == ("person", (("traits", "card"), ("properties", "card")), 2)
    assert (card.sources, card.blocks("tbd"), card.blocks("1")) == (frozenset({"till"}), True, False)
    assert (email.limit, email.verified, rules.limit("email"), rules.limit("phone")) == (5, True, 5, 50)
    assert rules.namespaces["kiosk"].owner == "spans"
    assert (rules.source("web").may_link, rules.source("other").may_link) == (False, True)


def test_nothing_declared_is_the_built_in_rules() -> None:
    assert read("name: x\n") == IdentityRules()


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("identity: {fan_in: 0}", "not-positive", 1),
        ("identity: {fanin: 5}", "unknown-key", 1),
        ("identity:\n  namespaces: {Card: {}}", "bad-namespace", 2),
        ("identity:\n  namespaces: {card: {owner: people}}", "not-a-choice", 2),
        ("identity:\n  namespaces: {email: {owner: spans}}", "built-in-namespace", 2),
        ("identity:\n  namespaces: {user_id: {from: traits.id}}", "built-in-namespace", 2),
        ("identity:\n  namespaces: {card: {from: card}}", "bad-path", 2),
        ("identity:\n  namespaces: {card: {limit: many}}", "not-a-number", 2),
        ("sources: {crm: {}}\nidentity: {namespaces: {card: {sources: [crn]}}}", "unknown-source", 2),
        ("sources: {crm: {verifies: [card]}}", "not-a-choice", 1),
        ("sources: {crm: {may_link: perhaps}}", "not-a-boolean", 1),
        ("sources: {crm: {trusted: 1}}", "unknown-key", 1),
        ("sources: [crm]", "not-a-mapping", 1),
    ],
)
def test_mistakes_say_where_and_how_to_mend_them(text: str, code: str, line: int) -> None:
    with pytest.raises(Invalid) as caught:
        read(text)
    [problem] = caught.value.problems
    assert (problem.code, problem.line, problem.file) == (code, line, "strategy.yaml")
    assert problem.fix
