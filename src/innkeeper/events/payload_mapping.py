"""The mapping of a webhook: what a mapping of a table has (`mapping.py`), over paths into JSON, for one event or more.

    each: line_items                       # one row for each entry of this list
    userId: customer.id                    # keys beside `events` hold for all of them
    events:
      - where: _headers.x_shopify_topic = 'orders/create'
        event: { value: Order Completed }
        …

Besides the payload's own, a path may begin with `_headers`, `_query` (names in lower case, with _ for -) and
`_received_at`. Next in the flow: `payloads.py` makes rows of a payload.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from innkeeper.events.mapping import TableMapping, Value, read_mapping
from innkeeper.kernel.located import Findings, Located, Reader

HEADERS: Final = "_headers"
QUERY: Final = "_query"
RECEIVED_AT: Final = "_received_at"
#: What may stand in a copy of the request without the sender's doing.
_UNSIGNED: Final = (HEADERS, QUERY, RECEIVED_AT)


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadMapping:
    """What becomes of a payload, for one kind of event.

    Attributes:
        each: The path of a list, each entry of which makes a row; None: the payload is the one row.
        table: What becomes of a row.
    """

    each: tuple[str, ...] | None
    table: TableMapping


def read_payload_mapping(node: Located, findings: Findings) -> list[PayloadMapping]:
    """The mappings that a YAML value declares, one for each kind of event; what is wrong goes to *findings*."""
    if not isinstance(node.value, dict) or "events" not in node.value:
        return [_one(node, findings)]
    entries = Reader(node, findings, "a mapping").items("events")
    if not entries:
        findings.add(node, "missing-key", "'events' says no event", "events: [{ event: …, userId: … }]")
    shared = {key: value for key, value in node.value.items() if key != "events"}
    found = []
    for entry in entries:
        if not isinstance(entry.value, dict):
            findings.add(entry, "not-a-mapping", "an event must be a mapping of keys", "events: [{ event: … }]")
            continue
        keys = {key: node.keys[key] for key in shared} | dict(entry.keys)
        found.append(_one(Located(shared | entry.value, entry.place, keys), findings))
    return found


def _one(node: Located, findings: Findings) -> PayloadMapping:
    each, table = None, node
    if isinstance(node.value, dict):
        each = _each(node.value.get("each"), findings)
        items = {key: value for key, value in node.value.items() if key != "each"}
        if "timestamp" not in items:
            # What has no time happened when it came.
            items["timestamp"] = Located(RECEIVED_AT, node.place)
        table = replace(node, value=items)
        _check(node, items, findings)
    mapping = read_mapping(table, findings)
    identity = mapping.fields.get("messageId")
    if identity is not None and _is_unsigned(identity):
        findings.add(
            identity.place, "unsigned-id", "'messageId' comes from outside what the sender signs",
            "take it from the payload, or leave it out: then it is a hash of the content",
        )  # fmt: skip
    return PayloadMapping(each=each, table=mapping)


def _check(node: Located, items: dict[str, Located], findings: Findings) -> None:
    if "delimiter" in items:
        findings.add(items["delimiter"], "unknown-key", "JSON has no 'delimiter'", "leave it out")
    if items["timestamp"].value == RECEIVED_AT and "messageId" not in items:
        findings.add(
            node, "missing-key", "a mapping without a 'timestamp' of the sender's needs 'messageId'",
            "name one of them: else what is sent again would be another event",
        )  # fmt: skip


def _each(node: Located | None, findings: Findings) -> tuple[str, ...] | None:
    if node is None or node.value is None:
        return None
    if not isinstance(node.value, str) or not all(node.value.split(".")):
        findings.add(node, "not-a-path", "'each' must be the path of a list", "each: line_items")
        return None
    return tuple(node.value.split("."))


def _is_unsigned(value: Value) -> bool:
    roots = {column.partition(".")[0] for column in value.columns}
    return bool(roots & set(_UNSIGNED)) or any(root in value.template for root in _UNSIGNED)
