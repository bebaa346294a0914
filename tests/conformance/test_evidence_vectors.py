"""Vectors of proofs: what holds, what does not and why (PROTOCOL 2.5, 2.10)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from federation.errors import SignatureRejected
from federation.feeds.forks import read_fork_proof
from federation.feeds.relay_proofs import read_relay_proof
from federation.identity.node_document import PinnedNode, pin_chain
from tests.support.evidence_vectors import FILE, text

VECTORS: dict[str, Any] = json.loads(FILE.read_text())


def pinned(name: str) -> PinnedNode:
    return pin_chain([VECTORS[name]], expected=None, allow_demo=False)


ORIGIN, RELAY = pinned("node_document"), pinned("relay_document")


def test_building_them_again_gives_the_same_file() -> None:
    assert text() == FILE.read_text()


@pytest.mark.parametrize("vector", VECTORS["forks"], ids=lambda vector: vector["what"])
def test_t12_a_fork_proof_holds(vector: dict[str, Any]) -> None:
    assert read_fork_proof(vector["proof"], ORIGIN).seq == vector["seq"]


@pytest.mark.parametrize("vector", VECTORS["relays"], ids=lambda vector: vector["what"])
def test_t24_a_relay_proof_holds(vector: dict[str, Any]) -> None:
    proof = read_relay_proof(vector["proof"], relay=RELAY, origin=ORIGIN)
    assert proof.relay == RELAY.node_id


def _read(proof: dict[str, Any]) -> None:
    if proof["type"] == "fork":
        read_fork_proof(proof, ORIGIN)
    else:
        read_relay_proof(proof, relay=RELAY, origin=ORIGIN)


@pytest.mark.parametrize("vector", VECTORS["must_refuse"], ids=lambda vector: vector["what"])
def test_what_proves_nothing_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(SignatureRejected) as caught:
        _read(vector["proof"])
    assert (caught.value.code, caught.value.params["because"]) == ("E_PROOF", vector["because"])
