"""The root of every error that Tocsin raises on purpose, and the wire-format family.

An error carries a stable ``code`` (``docs/errors.md``), a ``detail`` for the log, a ``remedy``
for the operator and ``params`` for machines. It carries no HTTP number and no exit code: each
door maps codes to its own language in one table (ARCHITECTURE 6).
"""

from __future__ import annotations

from collections.abc import Mapping


class TocsinError(Exception):
    """Say what went wrong, with a stable code and what the operator can do about it.

    Args:
        code: stable and documented, such as ``E_SIG_BAD``.
        detail: one sentence about this case; never holds a secret.
        remedy: one sentence that names what to do next; may be empty.
        **params: facts for machines, JSON values only.
    """

    def __init__(self, code: str, detail: str = "", remedy: str = "", **params: object) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.remedy = remedy
        self.params: Mapping[str, object] = params


class WireFormatError(TocsinError):
    """What we received is malformed (``E_JSON_*``, ``E_SCHEMA``, ``E_B64``, ``E_TOO_BIG`` …)."""
