"""A node's base address, in its one spelling (PROTOCOL 2.7).

Request signatures cover ``base`` + target, so two spellings of one address would be two
addresses. Whether plain http or a private address may be *used* is the transport's decision.

>>> read_base("https://hub.example.fr/")
'https://hub.example.fr/'
"""

from __future__ import annotations

import re

from schemas.errors import WireFormatError

_BASE = re.compile(
    r"(?P<scheme>https?)://"
    r"(?:[a-z0-9_](?:[a-z0-9._-]{0,252}[a-z0-9_])?|\[[0-9a-f:.]{2,45}\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?/"
)
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_HIGHEST_PORT = 65_535


def read_base(text: object) -> str:
    """Read scheme, lower-case host, port unless default, and the path ``/``.

    Raises:
        WireFormatError: ``E_SCHEMA``.
    """
    match = _BASE.fullmatch(text) if isinstance(text, str) else None
    if (
        match is None
        or match["port"] == _DEFAULT_PORTS[match["scheme"]]
        or int(match["port"] or 0) > _HIGHEST_PORT
    ):
        raise WireFormatError(
            "E_SCHEMA",
            "base is not scheme, lower-case host, port unless default, and the path /",
            "Write it like https://hub.example.fr/",
        )
    return match[0]
