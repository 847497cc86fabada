"""`retention` and `minimise` of policies.yaml: what they say, and every way in which they can be wrong."""

from __future__ import annotations

import pytest

from innkeeper.events.minimise import Minimise
from innkeeper.events.retention import Retention, class_of, parse_length
from innkeeper.kernel.errors import Problem, UsageError
from innkeeper.kernel.time import DAY
from innkeeper.strategy.load import examine, load

STRATEGY = "events: {Order Completed: [total], Page Viewed: [path]}\n"


def files(policies: str, **audiences: str) -> dict[str, str]:
    listed = {f"audiences/{name}.yaml": f"when: {when}\n" for name, when in audiences.items()}
    return {"strategy.yaml": STRATEGY, "policies.yaml": policies, **listed}


def problems(policies: str, **audiences: str) -> list[Problem]:
    return list(examine(files(policies, **audiences)).errors)


def test_what_is_declared() -> None:
    policies = load(
        files(
            "retention:\n  events: {default: 13 months, Page Viewed: 90 days, Order Completed: keep}\n"
            "  ledger: 24 months\n  decisions: 1 year\n  consent: keep\n  logs: 30 days\n"
            "minimise: {ip: drop, user_agent: drop}\n"
        )
    ).policies
    rules = policies.retention
    assert [str(rules.rule_of("import", name)) for name in ("Login", "Page Viewed", "Order Completed")] == [
        "390 days", "90 days", "keep",
    ]  # fmt: skip
    assert (str(rules.ledger), str(rules.decisions), str(rules.logs)) == ("720 days", "365 days", "30 days")
    assert str(rules.rule_of("import", "Consent Given")) == "keep"
    assert str(rules.rule_of("innkeeper", "Decision Made")) == "365 days"
    assert str(rules.rule_of("innkeeper", "Message Sent")) == "720 days"
    assert policies.minimise == Minimise(ip="drop", user_agent="drop")
    assert str(load(files("retention: {events: 90 days}\n")).policies.retention.default) == "90 days"
    assert not load(files("")).policies.retention.declared
    assert not Retention().declared


@pytest.mark.parametrize(("text", "days"), [("13 months", 390), ("1 month", 30), ("2 years", 730), ("36 hours", 1.5)])
def test_a_month_is_thirty_days_and_a_year_365(text: str, days: float) -> None:
    assert parse_length(text) == days * DAY


@pytest.mark.parametrize("text", ["soon", "0 days", "0 months", "-3 months", "3", "1.5 months", "99999 months", ""])
def test_no_retention(text: str) -> None:
    with pytest.raises(UsageError):
        parse_length(text)


def test_proof_of_consent_does_not_go() -> None:
    assert class_of("web", "Consent Given") == class_of("innkeeper", "Message Bounced") == "consent"
    found = problems("retention:\n  consent: 90 days\n  events: {Consent Given: 90 days, Unsubscribed: keep}\n")
    assert [(each.code, each.line) for each in found] == [("consent-is-kept", 2), ("consent-is-kept", 3)]


def test_a_window_must_fit() -> None:
    policy = "retention:\n  events: {default: 30 days, Order Completed: 60 days}\n"
    found = problems(
        policy,
        loyal="count('Order Completed', within => '90 days') >= 3",
        fresh="did('Order Completed', within => '60 days') and count('Order Completed') > 3",
        longer="did('Order Completed', within => '100 days')",
        settled="did('Page Viewed', before => '31 days')",
        local="did('Page Viewed', within => '29 calendar days')",
    )
    assert [(each.code, each.line) for each in found] == [("retention-too-short", 2)] * 2
    texts = [str(each) for each in found]
    assert "'Order Completed' is kept for 60 days, but the audience 'longer'" in texts[1]
    assert "the audience 'loyal' (audiences/loyal.yaml:1) reads it over 90 days" in texts[1]
    assert "the audience 'longer' (audiences/longer.yaml:1) reads it over 100 days" in texts[1]
    assert "write Order Completed: 100 days or longer" in texts[1]
    assert "'Page Viewed' is kept for 30 days" in texts[0]


def test_every_finding_has_its_place_and_its_fix() -> None:
    found = problems(
        "retention:\n  events: {Page Vieved: 90 days, default: soon}\n  leger: 1 month\n"
        "minimise: {ip: cut, agent: drop}\n"
    )
    assert sorted((each.line, each.code) for each in found) == [
        (2, "bad-duration"), (2, "unknown-event"), (3, "unknown-key"), (4, "not-a-choice"), (4, "unknown-key"),
    ]  # fmt: skip
    assert all(each.fix for each in found)
    assert "Page Viewed" in next(each.fix for each in found if each.code == "unknown-event")


def test_a_journeys_windows_count_too() -> None:
    found = examine(
        files("retention: {events: {default: 10 days}}\npurposes: {p: {kind: service, basis: contract}}\n")
        | {
            "journeys/j.yaml": "journey: j\nenter: {event: Order Completed}\npurpose: p\n"
            "when: not did('Page Viewed', within => '20 days')\nsteps: [{stop: {}}]\n"
        }
    ).errors
    assert [each.code for each in found if each.code == "retention-too-short"] == ["retention-too-short"]
