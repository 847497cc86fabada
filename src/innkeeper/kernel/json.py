"""JSON and MessagePack through msgspec: one encoder and decoder for all."""

from __future__ import annotations

from typing import Any

import msgspec

Json = Any  # a decoded JSON value: None, bool, int, float, str, list or dict

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()
_canonical = msgspec.json.Encoder(order="deterministic")


def dumps(value: object) -> str:
    """Compact JSON text; the key order is kept."""
    return _encoder.encode(value).decode()


def dumps_bytes(value: object) -> bytes:
    """Compact JSON bytes; the key order is kept."""
    return _encoder.encode(value)


def canonical(value: object) -> str:
    """Compact JSON text with sorted keys: equal values, equal texts."""
    return _canonical.encode(value).decode()


def loads(text: str | bytes) -> Json:
    """The value of a JSON text.

    Raises:
        msgspec.DecodeError: The text is not JSON.
    """
    return _decoder.decode(text)
