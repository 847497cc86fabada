"""`retention` and `minimise` of `policies.yaml`. What they mean: `events/retention.py`, `events/minimise.py`."""

from __future__ import annotations

from typing import get_args

from innkeeper.events.minimise import Addresses, Agents, Minimise
from innkeeper.events.retention import CONSENT_EVENTS, KEEP, Retention, Rule, parse_length
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.located import Findings, Located, Reader

_PROOF = "write consent: keep, or leave it out: proof of consent is kept for as long as the customer is known"


def read_minimise(node: Located | None, findings: Findings) -> Minimise:
    """What is cut down of events before they are written."""
    if node is None:
        return Minimise()
    reader = Reader(node, findings, "minimise")
    ip = reader.choice("ip", get_args(Addresses), "truncate")
    agent = reader.choice("user_agent", get_args(Agents), "keep")
    reader.close()
    return Minimise(ip=ip or "truncate", user_agent=agent or "keep")  # type: ignore[arg-type]


def read_retention(node: Located | None, findings: Findings) -> Retention:
    """How long each class is kept; a rule that cannot be read keeps."""
    if node is None:
        return Retention()
    reader = Reader(node, findings, "retention")
    by_name = _events(reader.get("events"), findings)
    consent = reader.get("consent")
    if consent is not None and consent.value != "keep":
        findings.add(consent, "consent-is-kept", f"consent cannot go after '{consent.plain()}'", _PROOF)
    retention = Retention(
        events={name: rule for name, rule in by_name.items() if name != "default"},
        default=by_name.get("default", KEEP),
        ledger=_rule(reader.get("ledger"), findings),
        decisions=_rule(reader.get("decisions"), findings),
        logs=_rule(reader.get("logs"), findings),
    )
    reader.close()
    return retention


def _events(node: Located | None, findings: Findings) -> dict[str, Rule]:
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        # One length for all raw events.
        return {"default": _rule(node, findings)}
    rules = {}
    for name, item in node.value.items():
        rules[name] = _rule(item, findings)
        if name in CONSENT_EVENTS and rules[name].length is not None:
            findings.add(item, "consent-is-kept", f"'{name}' is proof and does not go", _PROOF)
    return rules


def _rule(node: Located | None, findings: Findings) -> Rule:
    if node is None:
        return KEEP
    try:
        return Rule(length=parse_length(str(node.plain())), place=node.place)
    except UsageError as error:
        findings.add(node, error.code, error.message, error.fix)
        return Rule(place=node.place)
