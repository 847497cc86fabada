"""Minimisation at the door: what an event says about a device is cut down before the event is written to the log.

An IP address in `context`, at any depth, or beside it as `ip`, becomes the address of its network: /24 of IPv4, /48 of
IPv6. `parse.py` calls this for every event; the message id of an event without one is made of the content as it was
sent. Not here: properties and traits, which are the sender's own words, and how long events are kept
(`retention.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final, Literal

#: What becomes of an address: its network, nothing, itself.
Addresses = Literal["truncate", "drop", "keep"]
#: What becomes of the text that a browser or an app calls itself by.
Agents = Literal["keep", "drop"]

#: The spellings that the clients of the field send.
IP_KEYS: Final = frozenset(
    {
        "ip", "$ip", "ipAddress", "ip_address", "ipv4", "ipv6", "clientIp", "client_ip", "remoteIp", "remote_ip",
        "requestIp", "request_ip", "requestIP",
    }
)  # fmt: skip
AGENT_KEYS: Final = frozenset({"userAgent", "user_agent", "$user_agent", "userAgentData"})
_IPV4_BITS: Final = 24
_IPV6_BITS: Final = 48
#: 2002::/16 carries an IPv4 address in its bits 16 to 48 (RFC 3056): of that its /24 stays.
_SIX_TO_FOUR_BITS: Final = 16 + _IPV4_BITS
_GONE: Final = object()

Part = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Minimise:
    """What is cut down: `minimise` of policies.yaml."""

    ip: Addresses = "truncate"
    user_agent: Agents = "keep"

    @property
    def cut(self) -> Callable[[Part], Part] | None:
        """What is done to a context, or to what stands beside it; None: nothing."""
        keys = (IP_KEYS if self.ip != "keep" else frozenset()) | (AGENT_KEYS if self.user_agent == "drop" else set())
        return _Cutter(keys, self.ip).cut if keys else None


#: What holds where no strategy is applied.
BY_DEFAULT: Final = Minimise()


@lru_cache(maxsize=8_192)
def network_of(text: str) -> str | None:
    """The network address of an IP address: /24 of IPv4, /48 of IPv6; None for what is no address.

    An IPv4 address in IPv6 dress counts as IPv4; a port, brackets and the zone of a link-local address fall away.

    >>> network_of("203.0.113.77"), network_of("2001:db8:1:2::5"), network_of("::ffff:203.0.113.77")
    ('203.0.113.0', '2001:db8:1::', '203.0.113.0')
    >>> network_of("203.0.113.77:443"), network_of("[2001:db8:1:2::5]:443"), network_of("localhost")
    ('203.0.113.0', '2001:db8:1::', None)
    """
    address = _address(text.strip())
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address is None:
        return None
    if isinstance(address, IPv4Address):
        return str(IPv4Address(_cut(int(address), 32, _IPV4_BITS)))
    bits = _IPV6_BITS if address.sixtofour is None else _SIX_TO_FOUR_BITS
    return str(IPv6Address(_cut(int(address), 128, bits)))


def _cut(number: int, length: int, bits: int) -> int:
    return number >> (length - bits) << (length - bits)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    if len(text) > 100:
        return None
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return ip_address(text)
    except ValueError:
        return None


class _Cutter:
    def __init__(self, keys: frozenset[str] | set[str], ip: Addresses) -> None:
        self._keys, self._ip = keys, ip

    def cut(self, part: Part) -> Part:
        """The same object where nothing is to be cut, else a new one."""
        changed: Part | None = None
        for key, value in part.items():
            kind = type(value)
            if key in self._keys:
                after = self._replaced(key, value)
            elif kind is dict:
                after = self.cut(value)
            elif kind is list:
                after = self._each(value)
            else:
                continue
            if after is not value:
                if changed is None:
                    changed = dict(part)
                if after is _GONE:
                    del changed[key]
                else:
                    changed[key] = after
        return part if changed is None else changed

    def _each(self, values: list[Any]) -> list[Any]:
        after = [
            self.cut(value) if type(value) is dict else self._each(value) if type(value) is list else value
            for value in values
        ]
        return values if all(a is b for a, b in zip(after, values, strict=True)) else after

    def _replaced(self, key: str, value: Any) -> Any:
        """What stays under a key: nothing where it may hold an address in a form that is not known."""
        if value is None:
            return value
        if key in AGENT_KEYS or self._ip == "drop":
            return _GONE
        parts = value if type(value) is list else value.split(",") if type(value) is str else [value]
        networks = [network_of(part) if type(part) is str else None for part in parts]
        kept = [network for network in networks if network is not None]
        if len(kept) < len(parts) or not kept:
            return _GONE
        if type(value) is list:
            return value if kept == value else kept
        together = ", ".join(kept)
        return value if together == value else together
