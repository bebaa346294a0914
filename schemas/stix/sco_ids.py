"""The one right id of a cyber-observable: UUIDv5 over its contributing properties.

STIX 2.1 §2.9. Everyone derives the same id from the same fact, so an observable has no owner
and a wrong id is rejected (PROTOCOL 2.4).

>>> deterministic_sco_id({"type": "domain-name", "value": "example.com"})
'domain-name--bedb4899-d24b-5401-bc86-8f6b4cc18ec7'
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import rfc8785

from schemas.errors import WireFormatError
from schemas.identifiers import StixId

SCO_NAMESPACE = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")

_CONTRIBUTING: Mapping[str, tuple[str, ...]] = {
    "artifact": ("hashes", "payload_bin"),
    "autonomous-system": ("number",),
    "directory": ("path",),
    "domain-name": ("value",),
    "email-addr": ("value",),
    "email-message": ("from_ref", "subject", "body"),
    "file": ("hashes", "name", "parent_directory_ref", "extensions"),
    "ipv4-addr": ("value",),
    "ipv6-addr": ("value",),
    "mac-addr": ("value",),
    "mutex": ("name",),
    "network-traffic": (
        "start",
        "end",
        "src_ref",
        "dst_ref",
        "src_port",
        "dst_port",
        "protocols",
        "extensions",
    ),
    "process": (),
    "software": ("name", "cpe", "swid", "vendor", "version"),
    "url": ("value",),
    "user-account": ("account_type", "user_id", "account_login"),
    "windows-registry-key": ("key", "values"),
    "x509-certificate": ("hashes", "serial_number"),
}
_HASH_ORDER = ("MD5", "SHA-1", "SHA-256", "SHA-512")


def deterministic_sco_id(value: Mapping[str, Any]) -> StixId | None:
    """Derive the id that a cyber-observable must have.

    Returns:
        None where no id follows from the content: a type without contributing properties, none
        of them present, or hashes outside the four that the specification puts in an order.
        Such an object carries a random id.

    Raises:
        WireFormatError: ``E_SCHEMA`` when the content has no canonical JSON.
    """
    stix_type = value.get("type")
    contributing: dict[str, Any] = {}
    for name in _CONTRIBUTING.get(stix_type, ()) if isinstance(stix_type, str) else ():
        if name not in value:
            continue
        if name != "hashes":
            contributing[name] = value[name]
            continue
        chosen = _first_hash(value[name])
        if chosen is None:
            return None
        contributing[name] = chosen
    if not contributing:
        return None
    try:
        canonical = rfc8785.dumps(contributing).decode("utf-8")
    except (rfc8785.CanonicalizationError, UnicodeError) as error:
        raise WireFormatError("E_SCHEMA", f"no canonical form: {error}"[:200]) from None
    return StixId(f"{stix_type}--{uuid.uuid5(SCO_NAMESPACE, canonical)}")


def _first_hash(hashes: object) -> dict[str, Any] | None:
    if isinstance(hashes, Mapping):
        for name in _HASH_ORDER:
            if name in hashes:
                return {name: hashes[name]}
    return None
