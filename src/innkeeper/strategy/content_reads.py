"""What the content of a strategy reads besides the profile: traits of accounts, and items of catalogs.

Members of an account are told of a change only where something reads it; conditions say so themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from innkeeper.content.errors import TemplateFailed
from innkeeper.content.render import variables
from innkeeper.strategy.types import Definitions

_VARIABLE = re.compile(r"account(?:\.([A-Za-z_$][\w$]*))?(?![\w$])")


def account_traits_in_content(definitions: Definitions) -> frozenset[str]:
    """Names of the traits (top level); a template that reads the account as a whole reads all that are declared."""
    found: set[str] = set()
    declared = definitions.workspace.accounts
    for text in _templates(definitions):
        if "account" not in text:
            continue
        try:
            paths = variables(text)
        except TemplateFailed:
            continue
        for path in paths:
            match = _VARIABLE.match(path)
            if match is not None:
                found |= {match[1]} if match[1] else set(declared.traits if declared else ())
    return frozenset(found)


def content_reads_items(definitions: Definitions) -> bool:
    """Whether a message reads catalogs: `{{ items.products["p1"].name }}`."""
    texts = (
        text for message in definitions.messages.values() for variant in message.variants
        for text in (variant.subject, variant.body)
    )  # fmt: skip
    return bool(definitions.catalogs) and any("items" in text for text in texts)


def _templates(definitions: Definitions) -> Iterator[str]:
    for message in definitions.messages.values():
        for variant in message.variants:
            yield variant.subject
            yield variant.body
    for journey in definitions.journeys.values():
        yield from (mention.name for mention in journey.mentions if mention.kind == "template")
