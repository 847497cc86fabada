"""A URL that we are to call, read strictly: what two programs could read differently is refused.

Nothing is looked up here; where the name leads is asked at every connection (`http_out.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from innkeeper.kernel.errors import UsageError

LONGEST: Final = 2_048
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
#: Below it only the ports of the web: a request is no mail and no login.
_FIRST_FREE_PORT: Final = 1_024

_PRINTABLE: Final = re.compile(r"[!-~]+\Z")
_SHAPE: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?]*)(?P<path>/[^?]*)?(?P<query>\?.*)?\Z"
)
_AUTHORITY: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?\Z")
_LABEL: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)\Z")
#: A host whose last part is a number is an address to some programs, whatever the others make of it.
_NUMBER: Final = re.compile(r"(?:[0-9]+|0[xX][0-9A-Fa-f]*)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a request goes.

    Attributes:
        scheme: http or https.
        host: A name in small letters, or an address; an IPv6 address without brackets.
        port: Always set.
        path: With the query; begins with a slash.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and port as the header `Host` has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def read_target(text: str) -> Target:
    """The target that a URL means.

    Raises:
        UsageError: It is none, or one that is read differently elsewhere; the message says why.

    >>> read_target("https://Hooks.example.com/in?x=1")
    Target(scheme='https', host='hooks.example.com', port=443, path='/in?x=1')
    """
    if not text or len(text) > LONGEST:
        raise _bad(f"is empty or longer than {LONGEST:,} characters")
    if not _PRINTABLE.match(text) or "\\" in text or "#" in text:
        raise _bad(
            "holds a blank, a backslash, a # or a letter beyond ASCII",
            "write a name in its ASCII form (xn--…) and percent-encode the path",
        )
    shape = _SHAPE.match(text)
    if shape is None or shape["scheme"].lower() not in _DEFAULT_PORTS:
        raise _bad("does not begin with https:// or http://")
    if "@" in shape["authority"]:
        raise _bad("holds a user or a password", "leave out what stands before the @")
    found = _AUTHORITY.match(shape["authority"])
    if found is None:
        raise _bad("names no host, or one that is not written plainly")
    scheme = shape["scheme"].lower()
    port = int(found["port"]) if found["port"] else _DEFAULT_PORTS[scheme]
    if not (port in _DEFAULT_PORTS.values() or _FIRST_FREE_PORT <= port <= 65_535):
        raise _bad(f"names port {port}", f"use 80, 443, or one from {_FIRST_FREE_PORT} on")
    return Target(
        scheme=scheme, host=_host(found["host"]), port=port, path=(shape["path"] or "/") + (shape["query"] or "")
    )


def _host(text: str) -> str:
    try:
        if text.startswith("["):
            return str(IPv6Address(text[1:-1]))
        labels = text.split(".")
        if _NUMBER.match(labels[-1]):
            return str(IPv4Address(text))
    except AddressValueError as error:
        raise _bad("writes an address in a form that programs read differently", "write it as 192.0.2.1") from error
    if len(text) > 253 or not all(map(_LABEL.match, labels)):
        raise _bad("names a host that cannot be one")
    return text.lower()


def _bad(why: str, fix: str = "write it like https://example.com/hooks") -> UsageError:
    return UsageError(f"the URL {why}", code="bad-url", fix=fix)
