"""Which addresses of the network we call: public ones, and private ones where somebody said so on purpose.

What is not known to be public is refused. The lists: IANA's special-purpose registries of IPv4 and IPv6 addresses (RFC
6890 and what has been entered since), and the places where clouds keep the credentials of a machine. Who asks is
`http_out.py`, with the address that it is about to connect to.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

Address = IPv4Address | IPv6Address

#: Never called: nobody's receiver lies there. Links, multicast, what is no destination, and clouds' own services.
_NEVER_4: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8", "100.100.100.200/32", "168.63.129.16/32", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24",
            "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.175.48.0/24", "198.51.100.0/24",
            "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        ),
    )
)  # fmt: skip
#: Called where somebody allowed private receivers.
_PRIVATE_4: Final = tuple(
    map(
        IPv4Network,
        ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15"),
    )
)
_PRIVATE_6: Final = (IPv6Network("::1/128"), IPv6Network("fc00::/7"))
_CLOUD_6: Final = IPv6Network("fd00:ec2::/32")
#: All of IPv6 that is given out for the open network; forms that hold an IPv4 address inside lie outside it, or below.
_GLOBAL_6: Final = IPv6Network("2000::/3")
#: 2001::/23 has Teredo and the like, 2002::/16 is 6to4; the rest is documentation.
_NEVER_6: Final = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
#: Ends of addresses of tunnels that hold an IPv4 address (ISATAP, RFC 5214).
_ISATAP: Final = (0x00005EFE, 0x02005EFE)


def refusal(address: Address, *, private: bool = False) -> str | None:
    """Why an address is not called, in words; None: it may be.

    Args:
        address: The address that a connection would go to.
        private: Receivers in private networks, this machine included, are allowed.

    >>> from ipaddress import ip_address
    >>> refusal(ip_address("93.184.215.14")), refusal(ip_address("10.0.0.1"), private=True)
    (None, None)
    >>> refusal(ip_address("10.0.0.1")), refusal(ip_address("::ffff:93.184.215.14"))
    ('is in a private network', 'is no address of the open network')
    >>> refusal(ip_address("169.254.169.254"), private=True)
    'is no address of the open network'
    """
    if isinstance(address, IPv4Address):
        return _refusal_4(address, private)
    return _refusal_6(address, private)


def _refusal_4(address: IPv4Address, private: bool) -> str | None:
    if any(address in network for network in _NEVER_4):
        return "is no address of the open network"
    if not private and any(address in network for network in _PRIVATE_4):
        return "is in a private network"
    return None


def _refusal_6(address: IPv6Address, private: bool) -> str | None:
    if address.scope_id is None and address not in _CLOUD_6 and any(address in network for network in _PRIVATE_6):
        return None if private else "is in a private network"
    tunnel = (int(address) >> 32) & 0xFFFFFFFF in _ISATAP
    if address not in _GLOBAL_6 or tunnel or any(address in network for network in _NEVER_6):
        return "is no address of the open network"
    return None
