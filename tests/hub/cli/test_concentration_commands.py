"""``tocsin concentration``."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.verdicts.fuse import refresh_all
from tests.hub.cli.conftest import Tocsin
from tests.support.shared_data import shared_path


@pytest.fixture
def told(tocsin: Tocsin) -> Tocsin:
    """A node that published the bundle of Avalanche."""
    file = Path(shared_path("stix/avalanche.json"))
    assert tocsin("publish", str(file), "--tlp", "green").exit_code == 0
    node = tocsin.node()
    refresh_all(node)
    node.database.close()
    return tocsin


def test_avalanche_s_names_cluster_at_one_registrar(told: Tocsin) -> None:
    found = told.json("concentration")
    assert (found["by"], found["names"], found["tlp"]) == ("registrar", 3, "amber+strict")
    assert found["rows"] == [{"key": "9999", "name": "Demo Registrar", "names": 3, "share": 1.0}]
    by_tld = told.json("concentration", "--by", "tld", "--days", "7", "--threat-type", "phishing")
    assert by_tld["rows"][0]["key"] == "com"
    assert told.json("concentration", "--tlp", "clear")["rows"] == []
    assert "100.0%" in told("concentration").stdout


def test_a_registrar_is_shown_with_whom_to_tell(told: Tocsin) -> None:
    text = told("concentration", "--registrar", "9999").stdout
    assert "Abuse contact of Demo Registrar: abuse@registrar.example (by this node)." in text
