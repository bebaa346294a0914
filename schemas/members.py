"""Members of a JSON object that another party wrote, each read with the type it must have.

A missing or ill-typed member is ``E_SCHEMA``, whatever it is (PROTOCOL 2.1). Python would take
``True`` for the integer 1; the readers here do not.

>>> read_integer({"seq": 1}, "seq")
1
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from schemas.errors import WireFormatError
from schemas.identifiers import EntryHash, NodeId, is_hash, is_node_id, read_b64
from schemas.strict_json import MAX_INTEGER
from schemas.timestamps import read_wire_time


def read_object(value: object, what: str) -> Mapping[str, object]:
    """Read a JSON object; ``what`` names it in the error."""
    if not isinstance(value, dict):
        raise WireFormatError("E_SCHEMA", f"{what} is not an object")
    return value


def read_signed_object(value: object, what: str) -> Mapping[str, object]:
    """Read a signed payload of version 1: an object without unknown critical members.

    No member of version 1 begins with ``!``, so each that does is critical and unknown.
    """
    body = read_object(value, what)
    if any(name.startswith("!") for name in body):
        raise WireFormatError("E_SCHEMA", f"{what} has a critical member that is unknown here")
    read_version(body)
    return body


def read_version(body: Mapping[str, object]) -> None:
    """Check that the body is of version 1."""
    if read_integer(body, "v") != 1:
        raise WireFormatError("E_SCHEMA", "v is not 1")


def read_text(body: Mapping[str, object], name: str) -> str:
    """Read a string."""
    value = body.get(name)
    if not isinstance(value, str):
        raise _ill_typed(name, "text")
    return value


def read_integer(body: Mapping[str, object], name: str, *, least: int = 0) -> int:
    """Read an integer from ``least`` to 2^53−1."""
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MAX_INTEGER:
        raise _ill_typed(name, f"an integer of at least {least}")
    return value


def read_list(body: Mapping[str, object], name: str) -> list[object]:
    """Read an array."""
    value = body.get(name)
    if not isinstance(value, list):
        raise _ill_typed(name, "an array")
    return value


def read_texts(body: Mapping[str, object], name: str) -> tuple[str, ...]:
    """Read an array of strings."""
    texts = tuple(value for value in read_list(body, name) if isinstance(value, str))
    if len(texts) != len(read_list(body, name)):
        raise _ill_typed(name, "an array of texts")
    return texts


def read_time(body: Mapping[str, object], name: str) -> datetime:
    """Read a time of the wire form."""
    return read_wire_time(read_text(body, name))


def read_hash(body: Mapping[str, object], name: str) -> EntryHash:
    """Read 64 lower-case hex digits."""
    value = body.get(name)
    if not isinstance(value, str) or not is_hash(value):
        raise _ill_typed(name, "64 lower-case hex digits")
    return EntryHash(value)


def read_node_id(body: Mapping[str, object], name: str) -> NodeId:
    """Read a node id."""
    value = body.get(name)
    if not isinstance(value, str) or not is_node_id(value):
        raise _ill_typed(name, "a node id")
    return NodeId(value)


def read_bytes(body: Mapping[str, object], name: str, *, length: int | None = None) -> bytes:
    """Read canonical base64, of ``length`` bytes when given."""
    return read_bytes_of(body.get(name), name, length=length)


def read_bytes_of(value: object, name: str, *, length: int | None = None) -> bytes:
    """Read canonical base64 that is no member, such as an item of an array."""
    try:
        raw = read_b64(value) if isinstance(value, str) else None
    except WireFormatError:
        raw = None
    if raw is None or length not in (None, len(raw)):
        form = "canonical base64" if length is None else f"{length} bytes in canonical base64"
        raise _ill_typed(name, form)
    return raw


def has_twice(values: Iterable[object]) -> bool:
    """Tell whether a value occurs more than once."""
    listed = list(values)
    return len(set(listed)) != len(listed)


def _ill_typed(name: str, form: str) -> WireFormatError:
    return WireFormatError("E_SCHEMA", f"{name} is missing or not {form}", member=name)
