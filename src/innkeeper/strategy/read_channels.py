"""`channels.yaml` to its channels. Their providers are the channels slice; secrets stay in the environment."""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.utils import parseaddr

from innkeeper.channels.contract import DEFAULT_EMAIL, PROVIDERS, ChannelConfig
from innkeeper.content.addresses import email_problem
from innkeeper.kernel.errors import did_you_mean
from innkeeper.kernel.located import Findings, Located, Place, Reader
from innkeeper.strategy.read_smtp import read_smtp

_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}\Z")
_SECRET_KEY = re.compile(r"(?i)(pass(word|wd|phrase)?|secret|token|credential|(api|private|access|write)[_-]?key)")
_SECRET_URL = re.compile(r"://[^/\s:@]*:(?!\$\{)[^/\s@]+@")
_LATER_PROVIDERS = ("webhook", "sms", "push", "ses", "sendgrid", "postmark", "mailgun")


def read_channels(node: Located | None, findings: Findings) -> dict[str, ChannelConfig]:
    """The channels of a file, `{email: {provider: file, from: ...}}`; without one there is email into files."""
    if node is None or node.value is None:
        return {DEFAULT_EMAIL.name: DEFAULT_EMAIL}
    reader = Reader(node, findings, "channels.yaml")
    channels = {}
    for name in reader:
        item = reader.get(name) or Located({}, node.keys[name], {})
        channels[name] = _channel(name, item, node.keys[name], findings)
    return channels


def _channel(name: str, node: Located, place: Place, findings: Findings) -> ChannelConfig:
    reader = Reader(node, findings, f"the channel '{name}'")
    if name != "email":
        findings.add(place, "later", f"the channel '{name}' comes with a later version", "use the channel 'email'")
    provider = _provider(reader, findings)
    known = PROVIDERS[provider].settings
    settings: dict[str, object] = {}
    for key in [key for key in reader if key != "provider"]:
        item = reader.node.value[key] if isinstance(reader.node.value, dict) else reader.node
        # The name of a variable is no secret; `read_smtp` sees that it is one.
        is_secret = not (key in known and key.endswith("_env")) and _check_secret(key, item, findings, known)
        if is_secret or key in known:
            reader.has(key)
        settings[key] = item.plain()
    reader.close(known)
    if provider == "smtp":
        read_smtp(reader, findings)
    _check_sender(reader.get("from"), findings)
    return ChannelConfig(name=name, provider=provider, settings=settings)


def _provider(reader: Reader, findings: Findings) -> str:
    found, provider = reader.get("provider"), reader.text("provider", DEFAULT_EMAIL.provider) or DEFAULT_EMAIL.provider
    if found is None or provider in PROVIDERS:
        return provider
    if provider in _LATER_PROVIDERS:
        findings.add(found, "later", f"the provider '{provider}' comes with a later version", "use 'provider: file'")
    else:
        fix = did_you_mean(provider, PROVIDERS) or f"known: {', '.join(PROVIDERS)}"
        findings.add(found, "unknown-provider", f"there is no provider '{provider}'", fix)
    return DEFAULT_EMAIL.provider


def _check_sender(node: Located | None, findings: Findings) -> None:
    if node is None:
        return
    text = str(node.plain())
    problem = email_problem(parseaddr(text)[1])
    if problem is not None or not text.isprintable():
        findings.add(
            node, "bad-sender", f"'{text}' is no sender: {problem or 'it holds a line break'}",
            'write: from: "Name <mailbox@example.com>"',
        )  # fmt: skip


def _check_secret(key: str, node: Located, findings: Findings, known: Sequence[str] = ()) -> bool:
    """Whether a secret stands in the file, which goes into Git and the store; it belongs into the environment."""
    if isinstance(node.value, dict):
        found = [_check_secret(inner, item, findings) for inner, item in node.value.items()]
        return any(found)
    text = str(node.value)
    if not (_SECRET_KEY.search(key) and not _REFERENCE.match(text)) and not _SECRET_URL.search(text):
        return False
    name = re.sub(r"[^A-Z0-9]+", "_", key.upper())
    # The value is not printed: it may be a real secret.
    findings.add(
        node, "inline-secret", f"'{key}' holds a secret, which must not stand in a file",
        "put it into the environment and write: "
        + (f"{key}_env: SMTP_{name}" if f"{key}_env" in known else f"{key}: ${{{name}}}"),
    )  # fmt: skip
    return True
