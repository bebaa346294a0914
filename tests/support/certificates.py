"""A throw-away certificate authority and servers' TLS contexts, for tests against real TLS."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import trustme


class CertificateAuthority:
    """An authority that nobody trusts until its file is given to the one who connects."""

    def __init__(self) -> None:
        self._authority = trustme.CA()

    def write_to(self, folder: Path) -> str:
        """Write the authority's certificate as PEM and return the file's name."""
        file = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(file))
        return str(file)

    def write_server_files(self, folder: Path, *names: str) -> tuple[str, str]:
        """Write the certificate chain and key of a server, and return the files' names."""
        issued = self._authority.issue_cert(*names)
        chain, key = folder / f"{names[0]}.chain.pem", folder / f"{names[0]}.key.pem"
        chain.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(str(key))
        return str(chain), str(key)

    def server_context(self, *names: str) -> ssl.SSLContext:
        """Make the TLS context of a server whose certificate names these hosts or addresses."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(*names).configure_cert(context)
        return context

    def expired_server_context(self, *names: str) -> ssl.SSLContext:
        """Make the context of a server whose certificate ended long ago."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ended = datetime(2020, 1, 1, tzinfo=UTC)
        self._authority.issue_cert(*names, not_after=ended).configure_cert(context)
        return context
