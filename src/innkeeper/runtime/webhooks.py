"""What a source does with webhooks: declared, kept with the source, shown, tried on a file before anything is sent.

The mapping is kept as its text, checked when it is declared; the secret is not kept at all. How a request is taken
while `up` runs is `webhook_intake.py`.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from innkeeper.events.limits import Refusal, Refused
from innkeeper.events.payload_mapping import read_payload_mapping
from innkeeper.events.payloads import Around, Bound, events_of, read_payload
from innkeeper.events.senders import by_address
from innkeeper.events.signatures import SCHEMES, Scheme
from innkeeper.events.signatures.sns import TOPIC
from innkeeper.events.types import LogRow, from_row
from innkeeper.kernel.errors import UsageError
from innkeeper.kernel.located import Findings
from innkeeper.kernel.time import Clock, format_instant
from innkeeper.runtime.import_mapping import read_located, read_text, tie
from innkeeper.runtime.minimising import minimise_of
from innkeeper.store.sources import Sources

_KEY_BYTES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What was declared, as it is kept.

    Attributes:
        scheme: How the sender signs.
        secret_env: The environment variable of `up` with the secret; several with white space between.
        url: The address as the sender calls it, where the scheme signs it.
        topic: The ARN of an SNS topic.
        verify_env: The environment variable of `up` with the token by which the sender asks first whether it may come.
        key_hash: Of the secret part of the address, SHA-256 in hex.
        mapping: The text of the mapping file.
        file: The file's name, for its errors.
    """

    scheme: str
    secret_env: str = ""
    url: str = ""
    topic: str = ""
    verify_env: str = ""
    key_hash: str = ""
    mapping: str = ""
    file: str = ""


class MappingFile(NamedTuple):
    """A mapping: its text, and the name of its file for errors."""

    text: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants declared."""

    scheme: str
    mapping: MappingFile
    secret_env: str | None = None
    url: str | None = None
    topic: str | None = None
    verify_env: str | None = None


def read_mapping(path: Path) -> MappingFile:
    """A mapping file.

    Raises:
        UsageError: It cannot be read.
    """
    return MappingFile(read_text(path), str(path))


def compiled(text: str, file: str) -> list[Bound]:
    """A mapping's text, ready for payloads.

    Raises:
        UsageError, Invalid: It is wrong; all findings at once, each with its line.
    """
    findings = Findings()
    mappings = read_payload_mapping(read_located(text, file, findings), findings)
    findings.raise_if_any()
    return [Bound(each.each, tie(each.table, None, findings)) for each in mappings]


def declare(home: Path, name: str, wish: Wish) -> dict[str, Any]:
    """Say what a source does with webhooks, also while `up` runs; what its sender has to be told.

    Raises:
        UsageError, Invalid: There is no such source, or something that the scheme needs is missing or wrong.
    """
    scheme = SCHEMES[wish.scheme]
    _check(scheme, wish)
    compiled(*wish.mapping)
    with Sources.open(home) as sources:
        if sources.get(name).kind == "public":
            raise UsageError(
                f"'{name}' is a public source; webhooks come from servers",
                code="not-a-server", fix=f"make another: innkeeper source create {name}-webhook --kind server",
            )  # fmt: skip
        key = "" if scheme.needs else secrets.token_hex(_KEY_BYTES)
        rule = Rule(
            scheme=scheme.name, secret_env=wish.secret_env or "", url=wish.url or "", topic=wish.topic or "",
            verify_env=wish.verify_env or "",
            key_hash=hashlib.sha256(key.encode()).hexdigest() if key else "", mapping=wish.mapping.text,
            file=wish.mapping.name,
        )  # fmt: skip
        sources.set_webhook(name, asdict(rule))
    path = f"/v1/webhooks/{name}" + (f"/{key}" if key else "")
    return {"source": name, "scheme": scheme.name, "path": path, "shown_once": bool(key)}


def withdraw(home: Path, name: str) -> None:
    """Take no webhooks for a source any more.

    Raises:
        UsageError: There is no such source.
    """
    with Sources.open(home) as sources:
        sources.get(name)
        sources.set_webhook(name, None)


def _check(scheme: Scheme, wish: Wish) -> None:
    """Whether all is there that the scheme needs, and nothing that it does not read."""
    given = {"secret": wish.secret_env, "url": wish.url, "topic": wish.topic}
    options = {"secret": "--secret-env SHOP_SECRET", "url": "--url https://…", "topic": "--topic arn:aws:sns:…"}
    for need, value in given.items():
        if (need in scheme.needs) != (value is not None):
            what = "needs" if need in scheme.needs else "does not read"
            raise UsageError(
                f"the scheme '{scheme.name}' {what} {options[need].partition(' ')[0]}",
                code="missing-option" if need in scheme.needs else "not-needed",
                fix=f"add {options[need]}" if need in scheme.needs else "leave it out",
            )
    for option, variable in (("--secret-env", wish.secret_env), ("--verify-env", wish.verify_env)):
        if variable is not None and not (variable.isidentifier() and variable.isascii()):
            raise UsageError(
                f"{variable!r} is not the name of an environment variable", code="bad-variable",
                fix=f"name the variable that holds the secret, not the secret: {option} SHOP_SECRET",
            )  # fmt: skip
    if wish.url is not None and (urlsplit(wish.url).scheme not in ("http", "https") or not urlsplit(wish.url).netloc):
        raise UsageError(
            f"{wish.url!r} is no address",
            code="bad-url",
            fix="write it as the sender calls it: https://…/v1/webhooks/NAME",
        )
    if wish.topic is not None and TOPIC.match(wish.topic) is None:
        raise UsageError(
            f"{wish.topic!r} is no topic of SNS",
            code="bad-topic",
            fix="--topic arn:aws:sns:eu-west-1:123456789012:NAME",
        )


def try_payload(
    home: Path, name: str, body: bytes, *, mapping: MappingFile | None, headers: Mapping[str, str], clock: Clock
) -> dict[str, Any]:
    """The events that would come of a payload; nothing is written.

    Args:
        home: The workspace.
        name: The source.
        body: Of a request.
        mapping: A draft; None: the mapping that was declared.
        headers: Of the request, by their names in lower case.
        clock: Says when the payload would come.

    Raises:
        UsageError, Invalid: There is no such source or mapping, or it is wrong.
    """
    with Sources.open(home) as sources:
        rule = read_rule(sources.get(name).webhook)
    if mapping is None and rule is None:
        raise UsageError(
            f"'{name}' takes no webhooks yet", code="no-webhook",
            fix=f"name a draft with --mapping, or declare one: innkeeper source webhook {name} --help",
        )  # fmt: skip
    if mapping is not None:
        bounds = compiled(*mapping)
    else:
        assert rule is not None
        bounds = compiled(rule.mapping, rule.file)
    around = Around(headers, {}, clock.now())
    try:
        payloads = read_payload(body, headers.get("content-type", ""))
        made = events_of(payloads, bounds, around, source=name, minimise=minimise_of(home))
    except Refused as refused:
        made = [refused.refusal]
    if rule is not None and mapping is None:
        made = spoken(made, SCHEMES[rule.scheme])
    return {
        "events": [_told(each) for each in made if isinstance(each, LogRow)],
        "refused": [
            {"index": place, "code": each.code, "message": each.reason, "fix": each.fix}
            for place, each in enumerate(made)
            if isinstance(each, Refusal)
        ],
    }


def spoken(made: list[LogRow | Refusal], scheme: Scheme) -> list[LogRow | Refusal]:
    """The events as far as their sender's word goes."""
    if scheme.is_signed:
        return made
    return [by_address(each) if isinstance(each, LogRow) else each for each in made]


def read_rule(kept: Mapping[str, str] | None) -> Rule | None:
    """What was declared; None: nothing."""
    return None if kept is None else Rule(**kept)


def _told(row: LogRow) -> dict[str, Any]:
    event = from_row(0, row)
    told = {
        "type": event.type, "event": event.name, "messageId": event.message_id, "userId": event.user_id,
        "anonymousId": event.anonymous_id, "timestamp": format_instant(event.timestamp),
        "properties": event.properties, "traits": event.traits, "context": event.context, **event.extra,
    }  # fmt: skip
    return {key: value for key, value in told.items() if value not in (None, {})}
