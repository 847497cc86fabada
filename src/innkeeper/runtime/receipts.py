"""The fates of deliveries as events: what the fold hears and what the log keeps."""

from __future__ import annotations

from typing import Any

from innkeeper.events import outputs as o
from innkeeper.events.types import ENGINE_SOURCE, Event
from innkeeper.kernel.json import dumps
from innkeeper.kernel.time import Instant
from innkeeper.store.projections import sender
from innkeeper.store.state import OutboxRow, Receipt


def receipt_event(receipt: Receipt, at: Instant) -> Event:
    """`Message Sent` for an accepted delivery, `Message Refused` with state and reason for any other end."""
    properties: dict[str, Any] = {
        "message": receipt.message,
        "journey": receipt.journey,
        "delivery_id": receipt.delivery,
        "channel": receipt.channel,
        "purpose": receipt.purpose,
    }
    if receipt.key is not None:
        properties["key"] = receipt.key
    if receipt.state == "accepted":
        return _event("Message Sent", receipt.identifier, f"{receipt.delivery}:accepted", at, properties)
    properties |= {"state": receipt.state, "reason": receipt.reason}
    return _event("Message Refused", receipt.identifier, f"{receipt.delivery}:{receipt.state}", at, properties)


def virtual_receipt(planned: o.DeliveryPlanned, at: Instant, identifier: str) -> Event:
    """The receipt of a delivery that is only planned: as if it had been accepted at that instant."""
    receipt = Receipt(
        planned.delivery_id, "", identifier, planned.message, planned.channel, planned.purpose,
        planned.journey, planned.key, "accepted", "virtual", at, at,
    )  # fmt: skip
    return receipt_event(receipt, at)


def receipt_row(event: Event, at: Instant, subject: str, number: int) -> OutboxRow:
    """The receipt's place in the order of the log: before the outputs that it causes."""
    return OutboxRow(
        at, subject, number, -1, event.message_id, event.name, event.user_id, event.anonymous_id,
        dumps(event.properties), "{}",
    )  # fmt: skip


def _event(name: str, identifier: str, message_id: str, at: Instant, properties: dict[str, Any]) -> Event:
    user_id, anonymous_id = sender(identifier)
    return Event(
        source=ENGINE_SOURCE,
        message_id=message_id,
        type="track",
        name=name,
        user_id=user_id,
        anonymous_id=anonymous_id,
        timestamp=at,
        received_at=at,
        properties=properties,
    )
