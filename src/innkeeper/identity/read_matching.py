"""`matching` of `strategy.yaml` to `MatchRules`. What is made of them: `matching.py`."""

from __future__ import annotations

from innkeeper.identity.matching import (
    DEFAULT_SWAPPED,
    DEFAULT_THRESHOLD,
    FIELD_KINDS,
    LARGEST_HOME,
    FieldKind,
    HomeRules,
    MatchRules,
)  # fmt: skip
from innkeeper.kernel.errors import UsageError, did_you_mean
from innkeeper.kernel.located import Findings, Located, Reader

_EXAMPLE = "write it like {first_name: name, last_name: name, email: email, birth_date: date}"


def read_matching(node: Located, findings: Findings) -> MatchRules | None:
    """The rules that are declared; what is wrong is left out and added to the findings."""
    reader = Reader(node, findings, "matching")
    fields = _fields(reader.get("fields"), findings)
    rules = MatchRules(
        fields=fields,
        swapped=_swapped(reader, fields, findings),
        block_on=_blocks(reader, fields, findings),
        threshold=_threshold(reader, findings),
        household=_household(reader.get("household"), findings),
    )
    reader.close()
    if isinstance(node.value, dict) and not reader.has("fields") and not reader.has("household"):
        findings.add(node, "missing-key", "matching needs 'fields', 'household', or both", f"fields: {_EXAMPLE}")
        return None
    return rules


def parse_fields(texts: list[str], declared: MatchRules | None) -> dict[str, FieldKind]:
    """The fields that a person typed: declared ones by name, others as `trait:kind`.

    Raises:
        UsageError: A field is not declared and has no kind, or the kind is unknown.
    """
    known = {} if declared is None else dict(declared.fields)
    chosen: dict[str, FieldKind] = {}
    for text in texts:
        name, colon, kind = text.partition(":")
        if colon and kind in FIELD_KINDS:
            chosen[name] = kind
        elif not colon and name in known:
            chosen[name] = known[name]
        else:
            raise UsageError(
                f"--fields: '{text}' is neither a field of 'matching' in strategy.yaml nor written as trait:kind",
                code="unknown-field",
                fix=did_you_mean(name, known)
                or f"write it like {name or 'first_name'}:name; kinds: {', '.join(FIELD_KINDS)}",
            )
    return chosen


def _fields(node: Located | None, findings: Findings) -> dict[str, FieldKind]:
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        findings.add(node, "not-a-mapping", "'fields' of matching says of each trait how it is compared", _EXAMPLE)
        return {}
    fields: dict[str, FieldKind] = {}
    for name, item in node.value.items():
        if item.value in FIELD_KINDS:
            fields[name] = item.value
        else:
            findings.add(
                item, "not-a-choice",
                f"'{name}' is compared as '{item.plain()}'; it must be one of: {', '.join(FIELD_KINDS)}",
                did_you_mean(str(item.plain()), FIELD_KINDS) or f"write one of: {', '.join(FIELD_KINDS)}",
            )  # fmt: skip
    if len(fields) == 1 and len(node.value) == 1:
        findings.add(
            node, "too-few-fields", "one field alone does not tell people apart: nothing could be weighed against it",
            "name at least two fields",
        )  # fmt: skip
    return fields


def _swapped(reader: Reader, fields: dict[str, FieldKind], findings: Findings) -> tuple[str, str] | None:
    node = reader.get("swapped")
    if node is None:
        return DEFAULT_SWAPPED if all(fields.get(name) == "name" for name in DEFAULT_SWAPPED) else None
    names = [str(item.plain()) for item in reader.items("swapped")]
    if len(names) != 2 or names[0] == names[1] or any(fields.get(name) != "name" for name in names):
        findings.add(
            node, "bad-swapped", "'swapped' names two fields of kind name, such as first_name and last_name",
            "write it like swapped: [first_name, last_name]",
        )  # fmt: skip
        return None
    return names[0], names[1]


def _blocks(reader: Reader, fields: dict[str, FieldKind], findings: Findings) -> tuple[tuple[str, ...], ...]:
    blocks = []
    for item in reader.items("block_on"):
        parts = item.value if isinstance(item.value, list) else [item]
        names = tuple(str(part.plain()) for part in parts)
        unknown = [name for name in names if name not in fields]
        for name in unknown:
            findings.add(
                item, "unknown-field", f"'block_on' names '{name}', which is not among the fields of matching",
                did_you_mean(name, fields) or f"fields: {', '.join(fields) or 'none'}",
            )  # fmt: skip
        if names and not unknown:
            blocks.append(names)
    return tuple(blocks)


def _threshold(reader: Reader, findings: Findings) -> float:
    node = reader.get("threshold")
    if node is None:
        return DEFAULT_THRESHOLD
    try:
        value = float(str(node.plain()))
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        findings.add(
            node, "not-a-probability", f"'threshold' is '{node.plain()}'; it is a probability between 0 and 1",
            f"write it like threshold: {DEFAULT_THRESHOLD}",
        )  # fmt: skip
        return DEFAULT_THRESHOLD
    return value


def _household(node: Located | None, findings: Findings) -> HomeRules | None:
    if node is None:
        return None
    reader = Reader(node, findings, "household of matching")
    reader.require("address", "write it like address: [street, street_number, postcode]")
    address = tuple(str(item.plain()) for item in reader.items("address"))
    surname, at_most = reader.text("surname"), reader.integer("at_most", LARGEST_HOME)
    reader.close()
    if at_most is not None and at_most < 2:
        findings.add(
            reader.get("at_most") or node,
            "too-few",
            f"'at_most' is {at_most}; a home has two members or more",
            f"use {LARGEST_HOME}",
        )
        return None
    return HomeRules(address=address, surname=surname, at_most=at_most or LARGEST_HOME) if address else None
