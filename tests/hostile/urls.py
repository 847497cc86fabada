"""Addresses that no customer's receiver has, and URLs that hide where they lead."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from innkeeper.channels.public_addresses import Address

_NETWORKS_4 = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4",
)  # fmt: skip
_NETWORKS_6 = ("fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8", "2001:db8::/32", "100::/64", "5f00::/16")
_SINGLE = (
    "::", "::1", "169.254.169.254", "169.254.170.2", "fd00:ec2::254", "100.100.100.200", "168.63.129.16",
    "192.0.0.192", "255.255.255.255", "fe80::1%lo",
)  # fmt: skip
#: IPv4 addresses as they are hidden in IPv6 ones.
_HIDDEN = ("127.0.0.1", "10.1.2.3", "172.31.0.9", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0")

#: Addresses of the open network.
PUBLIC = tuple(map(ip_address, ("93.184.215.14", "1.1.1.1", "172.32.0.1", "2606:4700::1111", "2a00:1450:4001::8a")))


def inner_addresses() -> list[Address]:
    """Every special network's first, last and middle, the hidden forms, and single places."""
    found: list[Address] = []
    for text in _NETWORKS_4:
        four = IPv4Network(text)
        found += [four[0], four[1], four[four.num_addresses // 2], four[four.num_addresses // 3], four[-1]]
    for text in _NETWORKS_6:
        six = IPv6Network(text)
        found += [six[0], six[1], six[six.num_addresses // 2], six[-1]]
    found += map(ip_address, _SINGLE)
    for text in _HIDDEN:
        inside = int(IPv4Address(text))
        found += [
            IPv6Address((0xFFFF << 32) | inside),  # mapped
            IPv6Address(inside | (1 << 64)),
            IPv6Address((0x0064FF9B << 96) | inside),  # NAT64
            IPv6Address((0x0064FF9B0001 << 80) | inside),  # NAT64 of a network's own
            IPv6Address((0x2002 << 112) | (inside << 80) | 1),  # 6to4
            IPv6Address((0x2001 << 112) | (inside ^ 0xFFFFFFFF)),  # Teredo
            IPv6Address((0x20010DB9 << 96) | (0x00005EFE << 32) | inside),  # ISATAP
        ]
    return list(dict.fromkeys(found))


def hiding_urls() -> list[str]:
    """URLs that are read differently by different programs, or that say where they lead in an odd way."""
    hosts = [
        "2130706433", "0x7f000001", "017700000001", "0177.0.0.1", "0x7f.0.0.1", "127.1", "127.0.1", "0", "0x0", "00",
        "127.0.0.1.", "127.0.0.01", "127.0.0.0x1", "1.1.1.256", "1.1.1.1.1", "0300.0250.1.1", "0xa9fea9fe",
        "2852039166",
        "0xA9.0xFE.0xA9.0xFE", "4294967296", "①②⑦.⓪.⓪.①", "127。0。0。1", "127．0．0．1", "127｡0｡0｡1",
        "example。com", "ｅｘａｍｐｌｅ.com", "exa\u00admple.com", "exam\u200bple.com", "lоcalhost",
        "localhost%00.example.com",
        "127.0.0.1%2eexample.com", "%31%32%37.0.0.1", "[::1", "::1", "[::1]x", "[127.0.0.1]", "[fe80::1%25lo]",
        "[::ffff:0x7f.1]", "[v1.x]", "a..b", ".example.com", "-a.example.com", "a-.example.com", "ex ample.com",
        "example.com\t", "example.com\r\nX: y", "example.com\\@127.0.0.1", "", "a" * 64 + ".com", "a." * 130 + "com",
    ]  # fmt: skip
    urls = [f"http://{host}/" for host in hosts]
    urls += [
        "http://user@127.0.0.1/", "http://example.com@127.0.0.1/", "http://user:pass@example.com/",
        "http://127.0.0.1:80@example.com/", "http://example.com:25/", "http://example.com:22/", "http://example.com:0/",
        "http://example.com:65536/", "http://example.com:8o/", "http://example.com:/", "http://example.com:-1/",
        "file:///etc/passwd", "gopher://example.com/", "ftp://example.com/", "ws://example.com/", "data:text/plain,x",
        "//example.com/", "example.com", "http:/example.com", "http:///example.com", "http:\\\\example.com",
        "javascript:alert(1)", "http://example.com/#@127.0.0.1/", "http://example.com\\.evil.com/", " http://example.com/",
        "http://example.com/ü", "http://example.com/\x00", "unix:///var/run/docker.sock", "http+unix://x/",
    ]  # fmt: skip
    return urls
