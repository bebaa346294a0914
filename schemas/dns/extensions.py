"""The DNS extensions of STIX objects: their ids, fixed for ever, and their properties (DNS 1).

Decides: whether a received extension is well-formed, lightly: required properties, their types,
no empty list. Vocabularies are open on receipt: a word that a newer peer knows is no error.
What we write ourselves stays within the vocabulary.

Does not: define a new object type (a stock parser would refuse the whole bundle).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NoReturn

from schemas.errors import WireFormatError
from schemas.timestamps import read_stix_time

DNS_THREAT = "extension-definition--1cac9197-2746-5cc7-98e0-6262a0d35142"
DNS_RECORDS = "extension-definition--06cd94da-20e4-5e12-b016-a79b15f626b9"
DNS_DELEGATION_CHANGE = "extension-definition--ee30bea3-18ac-5ba3-9c71-e444a9d66124"
DNS_BATCH = "extension-definition--7294cc59-451f-54ba-8b94-42ce16c6c0e3"
DNS_OPERATOR = "extension-definition--603af87a-0905-5be1-bb0c-8b4fb5572ff9"
EMBARGO = "extension-definition--1fc2379d-9b70-5532-8f83-3ac681da97c4"
EXTENSION_IDS = frozenset(
    {DNS_THREAT, DNS_RECORDS, DNS_DELEGATION_CHANGE, DNS_BATCH, DNS_OPERATOR, EMBARGO}
)

THREAT_TYPES = frozenset(
    {
        "amplification",
        "cache-poisoning",
        "dangling-delegation",
        "delegation-hijack",
        "dga",
        "fast-flux",
        "lookalike",
        "malware-c2",
        "malware-distribution",
        "phishing",
        "rogue-resolver",
        "sinkhole",
        "tunnelling",
    }
)
MATCH_SCOPES = frozenset({"exact", "subtree", "wildcard-only"})
MATCH_ON = frozenset({"qname", "nsdname", "nsip", "ip"})
REQUESTED_ACTIONS = frozenset(
    {
        "block-drop",
        "block-nodata",
        "block-nsdname",
        "block-nxdomain",
        "check-own-zones",
        "delegation-restore",
        "monitor",
        "notify-registrant",
        "patch",
        "redirect-sinkhole",
        "registrar-suspend",
        "registry-block",
        "registry-hold",
    }
)

MAX_SET_NAMES: Final = 1_000_000
"""The names of one domain set at most."""
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)

_TEXT, _TEXTS, _WHOLE, _TABLE, _TABLES, _TRUTH = (
    "a string",
    "a list of strings",
    "an integer",
    "an object",
    "a list of objects",
    "a boolean",
)
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    DNS_THREAT: ("threat_type", "match_scope"),
    DNS_DELEGATION_CHANGE: ("zone", "change_kinds"),
}
_PROPERTIES: Mapping[str, Mapping[str, str]] = {
    DNS_THREAT: {
        "threat_type": _TEXT,
        "match_scope": _TEXT,
        "match_on": _TEXT,
        "techniques": _TEXTS,
        "registrable_domain": _TEXT,
        "tld": _TEXT,
        "u_label": _TEXT,
        "requested_actions": _TEXTS,
        "registrar": _TABLE,
        "registration": _TABLE,
        "dga": _TABLE,
        "impersonates": _TEXTS,
        "batch_ref": _TEXT,
    },
    DNS_RECORDS: {"records": _TABLES},
    DNS_DELEGATION_CHANGE: {
        "zone": _TEXT,
        "change_kinds": _TEXTS,
        "registry_tld": _TEXT,
        "old_ns": _TEXTS,
        "new_ns": _TEXTS,
        "authorised": _TRUTH,
        "vector": _TEXT,
        "changed_at": _TEXT,
        "detected_at": _TEXT,
        "reverted_at": _TEXT,
        "registrar": _TABLE,
        "target_profile": _TEXTS,
    },
    DNS_BATCH: {
        "threat_type": _TEXT,
        "family": _TEXT,
        "variant": _TEXT,
        "tld": _TEXT,
        "valid_from": _TEXT,
        "valid_until": _TEXT,
        "domain_count": _WHOLE,
        "media_type": _TEXT,
        "encoding": _TEXT,
        "canonical_form": _TEXT,
        "hashes": _TABLE,
        "url": _TEXT,
        "match_scope": _TEXT,
        "requested_actions": _TEXTS,
        "delta": _TABLE,
    },
    DNS_OPERATOR: {
        "roles": _TEXTS,
        "tlds": _TEXTS,
        "abuse_contact": _TEXT,
    },
    EMBARGO: {
        "embargo_id": _TEXT,
        "embargo_until": _TEXT,
        "coordinator_ref": _TEXT,
        "audience": _TEXTS,
        "on_expiry_tlp": _TEXT,
        "acknowledge_required": _TRUTH,
    },
}
"""The types of the properties that our code reads; any other property passes unread."""


def check_extension(extension_id: str, value: object) -> None:
    """Check a received extension of ours; any other extension passes.

    Raises:
        WireFormatError: ``E_SCHEMA``; the detail names the JSON path.
    """
    properties = _PROPERTIES.get(extension_id)
    if properties is None:
        return
    if not isinstance(value, Mapping):
        _reject(extension_id, "", "not an object")
    if value.get("extension_type") != "property-extension":
        _reject(extension_id, ".extension_type", "is not property-extension")
    for name in _REQUIRED.get(extension_id, ()):
        if name not in value:
            _reject(extension_id, f".{name}", "missing")
    for name, found in value.items():
        wanted = properties.get(name)
        if wanted is not None and not _is(found, wanted):
            _reject(extension_id, f".{name}", f"not {wanted}")
    if extension_id == DNS_BATCH:
        _check_batch(value)


def _check_batch(value: Mapping[str, Any]) -> None:
    """Check what names a domain set's list: digests, count, and when it counts.

    Its words (threat type, form, scope) stay open: a form that we cannot read is no error of its
    author (``domain_sets.read_set``).
    """
    count = value.get("domain_count", 1)
    if not 1 <= count <= MAX_SET_NAMES:
        _reject(DNS_BATCH, ".domain_count", f"not 1 to {MAX_SET_NAMES}")
    delta = value.get("delta", {})
    if "delta" in value and "base_sha256" not in delta:
        _reject(DNS_BATCH, ".delta.base_sha256", "missing")
    hashes = value.get("hashes", {})
    for path, table, name in (
        (".hashes", hashes, "SHA-256"),
        (".delta", delta, "base_sha256"),
        (".delta", delta, "added"),
        (".delta", delta, "removed"),
    ):
        digest = table.get(name, "")
        if name in table and not (isinstance(digest, str) and _SHA256.fullmatch(digest)):
            _reject(DNS_BATCH, f"{path}.{name}", "not 64 hex digits in lower case")
    instants = []
    for name in ("valid_from", "valid_until"):
        if name in value:
            try:
                instants.append(read_stix_time(value[name]))
            except WireFormatError as error:
                _reject(DNS_BATCH, f".{name}", error.detail)
    if len(instants) > 1 and instants[0] >= instants[1]:
        _reject(DNS_BATCH, ".valid_until", "not after valid_from")


def _reject(extension_id: str, path: str, what: str) -> NoReturn:
    raise WireFormatError("E_SCHEMA", f"$.extensions.{extension_id}{path}: {what}")


def _is(found: object, wanted: str) -> bool:
    # Ordered by how often each kind is met: this runs for every indicator received.
    if wanted is _TEXT:
        return found.__class__ is str and found != ""
    if wanted is _TEXTS or wanted is _TABLES:
        of = str if wanted is _TEXTS else dict
        return (
            isinstance(found, list)
            and found != []
            and not any(item.__class__ is not of for item in found)
        )
    if wanted is _TABLE:
        return isinstance(found, dict)
    return found.__class__ is (bool if wanted is _TRUTH else int)


def dns_batch(
    threat_type: str, match_scope: str, requested_actions: Iterable[str] = (), **facts: Any
) -> dict[str, Any]:
    """Build the dns-batch extension of a domain set that this node writes.

    Args:
        threat_type: one of ``THREAT_TYPES``.
        match_scope: one of ``MATCH_SCOPES``, for every name of the list.
        requested_actions: what the author asks readers to do, of ``REQUESTED_ACTIONS``.
        **facts: further properties of the table in DNS 1; None and empty ones are left out.

    Raises:
        WireFormatError: ``E_SCHEMA``, as ``dns_threat`` and ``check_extension``.
    """
    actions = list(requested_actions)
    _require_words("threat_type", [threat_type], THREAT_TYPES)
    _require_words("match_scope", [match_scope], MATCH_SCOPES)
    _require_words("requested_actions", actions, REQUESTED_ACTIONS)
    extension: dict[str, Any] = {
        "extension_type": "property-extension",
        "threat_type": threat_type,
        "match_scope": match_scope,
    }
    if actions:
        extension["requested_actions"] = actions
    _add_facts(extension, DNS_BATCH, facts)
    return extension


def dns_threat(
    threat_type: str,
    match_scope: str,
    *,
    match_on: str | None = None,
    requested_actions: Iterable[str] = (),
    **facts: Any,
) -> dict[str, Any]:
    """Build the dns-threat extension of an indicator that this node writes.

    Args:
        threat_type: one of ``THREAT_TYPES``.
        match_scope: ``exact``, ``subtree`` or ``wildcard-only``.
        match_on: what of a query or answer is compared; absent is ``qname``.
        requested_actions: what the author asks readers to do, of ``REQUESTED_ACTIONS``.
        **facts: further properties of the table in DNS 1; None and empty ones are left out,
            for an empty list is invalid in STIX.

    Raises:
        WireFormatError: ``E_SCHEMA`` for a word outside the vocabularies or an unknown property.
    """
    actions = list(requested_actions)
    _require_words("threat_type", [threat_type], THREAT_TYPES)
    _require_words("match_scope", [match_scope], MATCH_SCOPES)
    _require_words("match_on", [] if match_on is None else [match_on], MATCH_ON)
    _require_words("requested_actions", actions, REQUESTED_ACTIONS)
    extension: dict[str, Any] = {
        "extension_type": "property-extension",
        "threat_type": threat_type,
        "match_scope": match_scope,
    }
    if match_on is not None:
        extension["match_on"] = match_on
    if actions:
        extension["requested_actions"] = actions
    _add_facts(extension, DNS_THREAT, facts)
    return extension


def _require_words(name: str, words: Iterable[str], vocabulary: frozenset[str]) -> None:
    if not vocabulary.issuperset(words):
        raise WireFormatError(
            "E_SCHEMA",
            f"{name} has a word outside the vocabulary",
            f"Use one of {', '.join(sorted(vocabulary))}.",
        )


def _add_facts(extension: dict[str, Any], extension_id: str, facts: Mapping[str, Any]) -> None:
    for name, found in facts.items():
        if name not in _PROPERTIES[extension_id]:
            word = "dns-threat" if extension_id == DNS_THREAT else "dns-batch"
            raise WireFormatError("E_SCHEMA", f"{word} has no property {name}")
        if found is not None and found not in ("", [], {}):
            extension[name] = found
    check_extension(extension_id, extension)
