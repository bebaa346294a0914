"""What two people compare: a node's fingerprint and the pair's eight words (PROTOCOL 2.3).

The words come from both ids at once and carry 88 bits, so an attacker between two nodes would
have to find a second id under full knowledge of both; no commit-reveal round is needed.

>>> fingerprint(NodeId("abcd" * 13))[:14]
'abcd abcd abcd'
>>> voice_code(NodeId("a" * 52), NodeId("b" * 52)) == voice_code(NodeId("b" * 52), NodeId("a" * 52))
True
"""

from __future__ import annotations

import hashlib

from mnemonic import Mnemonic

from schemas.identifiers import NodeId

_WORDS = 8
_BITS_A_WORD = 11
_DIGEST_BITS = 256
_WORD_LIST: tuple[str, ...] = tuple(Mnemonic("english").wordlist)
"""BIP-39, English: 2,048 words that differ in their first four letters."""


def fingerprint(node_id: NodeId) -> str:
    """Write a node id in 13 groups of four characters."""
    return " ".join(node_id[start : start + 4] for start in range(0, len(node_id), 4))


def voice_indexes(a: NodeId, b: NodeId) -> tuple[int, ...]:
    """Derive eight numbers of eleven bits from a pair of nodes, the same on both sides."""
    low, high = sorted((a, b))
    seed = b"tocsin-sas-v1\0" + low.encode("ascii") + b"\0" + high.encode("ascii")
    number = int.from_bytes(hashlib.sha256(seed).digest(), "big")
    return tuple(
        number >> (_DIGEST_BITS - _BITS_A_WORD * place) & (1 << _BITS_A_WORD) - 1
        for place in range(1, _WORDS + 1)
    )


def voice_code(a: NodeId, b: NodeId) -> str:
    """Write the pair's eight words, to be read out over the telephone."""
    return " ".join(_WORD_LIST[index] for index in voice_indexes(a, b))
