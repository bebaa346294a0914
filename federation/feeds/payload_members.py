"""Kinds of members that feeds add to ``schemas.members``, each read with its type.

A missing or ill-typed member is ``E_SCHEMA`` and is named (PROTOCOL 2.1); ``true`` is no number.

>>> read_flag({"machine": True}, "machine")
True
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from schemas.errors import WireFormatError
from schemas.identifiers import NodeId, is_node_id
from schemas.members import read_integer, read_list, read_text, read_texts

Members = Mapping[str, object]


def read_flag(body: Members, name: str) -> bool:
    """Read true or false."""
    value = body.get(name)
    if not isinstance(value, bool):
        raise ill_typed(name, "true or false")
    return value


def read_word(body: Members, name: str, words: Collection[str]) -> str:
    """Read one of ``words``."""
    value = read_text(body, name)
    if value not in words:
        raise ill_typed(name, "one of " + ", ".join(sorted(words)))
    return value


def read_seqs(body: Members, name: str) -> tuple[int, ...]:
    """Read an array of seqs, each at least 1."""
    return tuple(read_integer({name: value}, name, least=1) for value in read_list(body, name))


def read_node_ids(body: Members, name: str) -> tuple[NodeId, ...]:
    """Read an array of node ids."""
    texts = read_texts(body, name)
    if not all(is_node_id(text) for text in texts):
        raise ill_typed(name, "an array of node ids")
    return tuple(NodeId(text) for text in texts)


def ill_typed(name: str, form: str) -> WireFormatError:
    """Build the error of a missing or ill-typed member."""
    return WireFormatError("E_SCHEMA", f"{name} is missing or not {form}", member=name)
