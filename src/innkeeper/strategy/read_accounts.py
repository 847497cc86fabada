"""`accounts:` of `strategy.yaml`: the traits of accounts, the roles of their members, and how large one should be."""

from __future__ import annotations

from innkeeper.kernel.errors import did_you_mean
from innkeeper.kernel.located import Findings, Located, Reader
from innkeeper.strategy.types import AccountsDeclared

_TYPES = ("any", "text", "number", "boolean", "instant")
#: What `account.` reads that is no trait.
_RESERVED = ("id", "role")


def read_accounts(node: Located | None, findings: Findings) -> AccountsDeclared | None:
    """What is declared about accounts; None when there are none."""
    if node is None:
        return None
    reader = Reader(node, findings, "'accounts'")
    traits, roles = _traits(reader.get("traits"), findings), _roles(reader, findings)
    most = _limit(reader.get("limits"), findings)
    reader.close()
    return AccountsDeclared(traits=traits, roles=roles, most_members=most)


def _traits(node: Located | None, findings: Findings) -> dict[str, str]:
    if node is None:
        return {}
    if isinstance(node.value, list):
        named = {str(item.value): ("any", item) for item in node.value if _is_name(item, findings)}
    elif isinstance(node.value, dict):
        named = {name: (_type(name, item, findings), item) for name, item in node.value.items()}
    else:
        findings.add(node, "not-a-list", "'traits' of accounts is a list of names", "write it like [name, seats]")
        return {}
    for name in _RESERVED:
        if name in named:
            findings.add(
                named[name][1], "reserved-name", f"account.{name} is what the engine itself knows",
                "give the trait another name",
            )  # fmt: skip
    return {name: kind for name, (kind, _) in named.items() if name not in _RESERVED}


def _is_name(item: Located, findings: Findings) -> bool:
    if isinstance(item.value, str) and item.value.strip():
        return True
    findings.add(item, "not-a-text", f"a trait's name must be a text, not '{item.plain()}'", "put it in quotes")
    return False


def _type(name: str, item: Located, findings: Findings) -> str:
    if item.value is None:
        return "any"
    if item.value in _TYPES:
        return str(item.value)
    findings.add(
        item, "not-a-choice", f"the type of '{name}' is '{item.plain()}'; it must be one of: {', '.join(_TYPES)}",
        did_you_mean(str(item.plain()), _TYPES) or "write it like {seats: number}",
    )  # fmt: skip
    return "any"


def _roles(reader: Reader, findings: Findings) -> tuple[str, ...]:
    return tuple(str(item.value) for item in reader.items("roles") if _is_name(item, findings))


def _limit(node: Located | None, findings: Findings) -> int | None:
    if node is None:
        return None
    reader = Reader(node, findings, "'limits' of accounts")
    most = reader.integer("members")
    reader.close()
    if most is not None and most < 1:
        findings.add(node, "bad-limit", f"{most} members are no limit", "write a number from 1 on")
        return None
    return most
