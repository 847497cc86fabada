"""The settings of the provider `smtp` in `channels.yaml`. Who uses them: `channels/email_smtp/`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Literal, cast

from innkeeper.content.addresses import email_problem
from innkeeper.kernel.located import Findings, Located, Reader

Security = Literal["starttls", "tls", "none"]
#: The port of each: submission (RFC 6409), submission over TLS (RFC 8314), a relay in the same house.
PORTS: Final[dict[Security, int]] = {"starttls": 587, "tls": 465, "none": 25}
#: What `unsubscribe` has in the place of the delivery.
DELIVERY: Final = "{delivery_id}"
_CONNECTIONS: Final = 8
_MOST_CONNECTIONS: Final = 64
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\Z")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*\Z")
_LINK = re.compile(r"https://[^\s<>,\"'\\]+\Z|mailto:[^\s<>,\"'\\?]+(?:\?subject=[A-Za-z0-9_.{}%-]+)?\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpSettings:
    """Where mail goes and how.

    Attributes:
        host: The server's name, which its certificate must have.
        security: `starttls` and `tls` never go on in clear text.
        sender: `Name <address>`.
        username_env: The environment variable that holds the user's name; None: no login.
        connections: How many at a time at most.
        hello: How this machine calls itself; None: by its own name, or its address.
        ca_file: Certificates to trust instead of the system's.
        unsubscribe: A link for `List-Unsubscribe`; an https one takes a POST (RFC 8058).
    """

    host: str
    port: int
    security: Security
    sender: str
    username_env: str | None
    password_env: str | None
    connections: int
    hello: str | None
    ca_file: str | None
    unsubscribe: str | None


def read_smtp(reader: Reader, findings: Findings) -> SmtpSettings | None:
    """The settings of an entry; None where they are not whole, and why is in the findings."""
    before = len(findings.problems)
    host = _matching(reader, "host", _HOST, "a host name or an address", "host: smtp.example.com", required=True)
    security = cast("Security", reader.choice("security", tuple(PORTS), "starttls"))
    username = _variable(reader, "username_env")
    password = _variable(reader, "password_env")
    if (username is None) != (password is None):
        missing = "password_env" if password is None else "username_env"
        reader.require(missing, f"a login has both: add '{missing}: SMTP_{missing.partition('_')[0].upper()}'")
    if password is not None and security == "none" and host is not None and not _is_loopback(host):
        findings.add(
            reader.get("security") or reader.node, "password-in-clear",
            f"the password would go to {host} readable by everyone between", "write security: starttls, or tls",
        )  # fmt: skip
    settings = SmtpSettings(
        host=host or "", port=_between(reader, "port", PORTS[security], 65_535), security=security,
        sender=reader.text("from", "", required=True) or "", username_env=username, password_env=password,
        connections=_between(reader, "connections", _CONNECTIONS, _MOST_CONNECTIONS),
        hello=_matching(reader, "hello", _HOST, "a host name", "hello: mail.example.com"),
        ca_file=reader.text("ca_file"), unsubscribe=_unsubscribe(reader),
    )  # fmt: skip
    return settings if len(findings.problems) == before else None


def _matching(
    reader: Reader, key: str, pattern: re.Pattern[str], what: str, example: str, *, required: bool = False
) -> str | None:
    text = reader.text(key, required=required)
    if text is None or pattern.match(text) or (key == "host" and _address(text) is not None):
        return text
    node = reader.get(key)
    if node is not None:
        reader.findings.add(node, f"bad-{key}", f"'{text}' is not {what}", f"write it like {example}")
    return None


def _variable(reader: Reader, key: str) -> str | None:
    """The name of an environment variable; what else stands there is not printed: it may be the secret itself."""
    node, text = reader.get(key), reader.text(key)
    if node is None or text is None or _VARIABLE.match(text):
        return text
    reader.findings.add(
        node, "inline-secret", f"'{key}' must be the name of an environment variable, in capital letters",
        f"put the value into the environment and write: {key}: SMTP_{key.removesuffix('_env').upper()}",
    )  # fmt: skip
    return None


def _between(reader: Reader, key: str, default: int, most: int) -> int:
    number = reader.integer(key, default)
    node = reader.get(key)
    if number is None or 1 <= number <= most or node is None:
        return number or default
    reader.findings.add(node, f"bad-{key}", f"'{key}' is {number}; it is from 1 to {most}", f"write {key}: {default}")
    return default


def _unsubscribe(reader: Reader) -> str | None:
    node, text = reader.get("unsubscribe"), reader.text("unsubscribe")
    if node is None or text is None:
        return None
    problem = _link_problem(text)
    if problem:
        reader.findings.add(
            node, "bad-unsubscribe", f"'{text}' {problem}",
            f"write it like https://example.com/unsubscribe/{DELIVERY}, or mailto:unsubscribe@example.com",
        )  # fmt: skip
    return text


def _link_problem(text: str) -> str:
    if len(text) > 500 or not _LINK.match(text):
        return "is no https or mailto link of at most 500 characters"
    if text.startswith("https:"):
        return "" if DELIVERY in text else f"does not say whose it is: it needs {DELIVERY}"
    return "" if email_problem(text.removeprefix("mailto:").partition("?")[0]) is None else "leads to no mailbox"


def _address(host: str) -> object:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def of_plain(settings: dict[str, object], findings: Findings, where: Located) -> SmtpSettings | None:
    """The settings of an entry that was checked and kept without its places."""
    items = {key: Located(cast("str | int", value), where.place) for key, value in settings.items()}
    return read_smtp(Reader(Located(items, where.place), findings, "the channel 'email'"), findings)
