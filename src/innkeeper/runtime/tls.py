"""TLS with certificate files of one's own: made ready before the server listens, read anew on SIGHUP."""

from __future__ import annotations

import ssl
from ipaddress import ip_network
from pathlib import Path

from innkeeper.kernel.errors import UsageError


class Certificate:
    """The files of a certificate and its key, and what connections are encrypted with."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Read them.

        Raises:
            UsageError: They cannot be read, or do not belong together.
        """
        self._files, self.path = (certificate, key), certificate
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.read()

    def read(self) -> None:
        """Read the files again; connections that begin later get what they hold now.

        Raises:
            UsageError: They cannot be read; what was read before goes on.
        """
        certificate, key = self._files
        try:
            # Tried on another one first: half of a change must not stay.
            for context in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self.context):
                context.load_cert_chain(certificate, key, password=_no_password)
        except (OSError, ValueError) as error:
            why = "the key does not belong to the certificate" if "MISMATCH" in str(error) else "they cannot be read"
            if isinstance(error, FileNotFoundError | PermissionError):
                why = error.strerror or why
            raise UsageError(
                f"no TLS with the certificate {certificate} and the key {key}: {why}",
                code="bad-certificate",
                fix="both are PEM files, the key without a password, the certificate followed by its chain",
            ) from error


def _no_password() -> str:
    """A key with a password is refused: nobody is there who could type it."""
    raise ValueError("the key has a password")


def read_proxies(text: str) -> tuple[str, ...]:
    """The addresses and networks of proxies, as they are given: apart by commas.

    Raises:
        UsageError: One of them is none.

    >>> read_proxies("10.0.0.1, 192.168.0.0/16")
    ('10.0.0.1', '192.168.0.0/16')
    """
    found = tuple(each.strip() for each in text.split(","))
    for each in found:
        try:
            ip_network(each)
        except ValueError as error:
            raise UsageError(
                f"{each!r} is no address of a proxy: {error}",
                code="bad-proxy",
                fix="give addresses or networks: --behind-proxy 127.0.0.1,10.0.0.0/8",
            ) from error
    return found
