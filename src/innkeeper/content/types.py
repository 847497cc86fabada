"""Messages as declared: front matter and bodies per locale. Rendering is `render.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from innkeeper.kernel.located import NOWHERE, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """The content of a message in one locale; bodies are Liquid text.

    A `.md` file gives `text` (its body) and `html` (made from the Markdown after rendering); `.html` gives `html` and a
    text made from it; `.txt` gives `text` alone.
    """

    locale: str
    subject: str
    body: str
    format: Literal["markdown", "html", "text"]
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Content to send through a channel.

    Attributes:
        missing: What a missing value does: `abort` cancels the delivery, `default` renders it empty.
        defaults: Values for missing variables by dotted path, e.g. `profile.first_name: guest`.
        variants: By locale; the first is the default.
        one_per_home: Whether one member of a household is enough: the others' is capped while the first is fresh.
        version: Hash of the content.
    """

    name: str
    channel: str
    purpose: str
    topic: str | None = None
    missing: Literal["abort", "default"] = "default"
    defaults: dict[str, str] = field(default_factory=dict)
    variants: tuple[Variant, ...]
    version: str
    place: Place = NOWHERE
    one_per_home: bool = False
