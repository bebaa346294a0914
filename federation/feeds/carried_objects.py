"""The STIX objects inside a payload, each with the very bytes that were signed (PROTOCOL 2.4).

Nobody writes an object anew: what a reader gets is what its author sealed, byte for byte. So
each object's bytes are cut out of the payload, not made again from its value.

Invariants:
* ``raw`` is a slice of the payload, and reading it gives ``value``;
* the objects' bytes, in order, are all that stands in the payload's ``objects``.

What it does not do: check an object beyond its id; that is ``schemas.stix.validation``.

>>> body = {"objects": [{"id": "a"}]}
>>> cut_objects(body, b'{"objects":[ {"id":"a"} ]}')
(b'{"id":"a"}',)
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

import orjson

from federation.feeds.payload_members import Members, ill_typed
from schemas.errors import WireFormatError
from schemas.identifiers import is_stix_id
from schemas.members import read_list

MAX_OBJECTS = 64

_SPACE = re.compile(r"[ \t\n\r]*+")
_read_value = json.JSONDecoder().raw_decode


@dataclass(slots=True)  # frozen would take four times as long, for each of thousands in a page
class CarriedObject:
    """One object of an entry.

    Attributes:
        raw: the very bytes inside the signed payload.
        value: what they parse to.
    """

    raw: bytes = field(repr=False)
    value: Members

    @property
    def stix_id(self) -> str:
        """The object's id, which was checked when the entry was read."""
        return str(self.value["id"])


def read_objects(body: Members, payload: bytes) -> tuple[CarriedObject, ...]:
    """Read the objects of an entry: 1 to 64, each id at most once (PROTOCOL 2.4).

    Args:
        body: the parsed payload.
        payload: the signed bytes that it was parsed from.

    Raises:
        WireFormatError: ``E_SCHEMA``.
    """
    values = read_list(body, "objects")
    if not 1 <= len(values) <= MAX_OBJECTS:
        raise ill_typed("objects", f"an array of 1 to {MAX_OBJECTS} objects")
    seen: set[object] = set()
    for place, value in enumerate(values):
        stix_id = value.get("id") if isinstance(value, dict) else None
        if not is_stix_id(stix_id):
            raise ill_typed(f"objects[{place}].id", "a STIX id")
        if stix_id in seen:
            raise WireFormatError("E_SCHEMA", f"objects has {stix_id} twice", stix_id=stix_id)
        seen.add(stix_id)
    raws = cut_objects(body, payload)
    return tuple(
        CarriedObject(raw, value)
        for raw, value in zip(raws, values, strict=True)
        if isinstance(value, dict)  # it is, by the check above; the type checker wants to see it
    )


def cut_objects(body: Members, payload: bytes) -> tuple[bytes, ...]:
    """Cut the members of ``objects`` out of the payload that ``body`` was parsed from."""
    # Fast way: bytes that our own writer would have written are made of what it writes for each
    # part. Integers beyond 64 bits and the like never come here, strict JSON has none.
    if orjson.dumps(body) == payload:
        return tuple(orjson.dumps(value) for value in read_list(body, "objects"))
    return _scan_objects(payload.decode("utf-8"))


def _scan_objects(text: str) -> tuple[bytes, ...]:
    """Walk the payload's top level with a parser that tells where each value ends.

    The text is strict JSON already, so no error can come up here and no key is there twice.
    """
    at = _skip(text, 0) + 1
    while True:
        name, at = _read_value(text, _skip(text, at))
        at = _skip(text, _skip(text, at) + 1)
        if name == "objects":
            return tuple(_scan_array(text, at))
        _, at = _read_value(text, at)
        at = _skip(text, at) + 1


def _scan_array(text: str, at: int) -> list[bytes]:
    raws = []
    while text[at] != "]":
        begin = _skip(text, at + 1)
        _, end = _read_value(text, begin)
        raws.append(text[begin:end].encode("utf-8"))
        at = _skip(text, end)
    return raws


def _skip(text: str, at: int) -> int:
    """Go past white space."""
    match = _SPACE.match(text, at)
    return match.end() if match else at
