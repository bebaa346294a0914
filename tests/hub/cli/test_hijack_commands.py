"""``tocsin hijack`` and ``tocsin operator``."""

from __future__ import annotations

import pytest

from tests.hub.cli.conftest import Tocsin
from tests.support.publications import Author, stix_id

REPORT = (
    "hijack", "report", "--zone", "shop-a.org", "--old-ns", "ns1.shop-a.org",
    "--new-ns", "ns1.rogue-host.net", "--new-ns", "ns2.shop-a.org",
)  # fmt: skip
FACTS = (
    "--old-ds", "20326 8 2 e06d44b8", "--vector", "epp-credential", "--registrar", "R",
    "--registrar-id", "9999", "--changed-at", "2026-03-01T09:00Z", "--address", "198.51.100.66",
    "--confidence", "80",
)  # fmt: skip


def test_a_hijack_is_reported_listed_answered_and_shown(tocsin: Tocsin) -> None:
    said = tocsin.json(*REPORT, *FACTS, "--tlp", "green")
    assert (said["zone"], said["change_kinds"]) == ("shop-a.org", ["ns-replaced", "ds-removed"])
    assert (said["rogue"], said["entries"], said["dry_run"]) == (["ns1.rogue-host.net"], 1, False)
    assert [each["code"] for each in said["left_out"]] == ["E_HIJACK_VICTIM"]
    (row,) = tocsin.json("hijack", "list")
    assert (row["incident"], row["state"]) == (said["incident"], "open")
    assert tocsin.json("hijack", "list", "other.org") == []
    assert "shop-a.org" in tocsin("hijack", "list", "SHOP-A.org.").stdout
    shown = tocsin.json("hijack", "show", said["incident"])
    assert (shown["vector"], shown["registrar_id"]) == ("epp-credential", 9999)
    assert shown["changed_at"] == "2026-03-01T09:00:00.000Z"
    answered = tocsin.json("hijack", "answer", said["incident"], "not-ours", "--reason", "No.")
    # Of its own claim a node that is neither owner nor registry decides nothing by answering.
    assert (answered["answer"], answered["tlp"], answered["state"]) == ("not-ours", "green", "open")
    text = tocsin("hijack", "show", said["incident"]).stdout
    assert "without authority, changes nothing" in text
    assert "Answered of shop-a.org: reverted, at TLP:GREEN in green." in (
        tocsin("hijack", "answer", said["incident"], "reverted").stdout
    )


def test_a_dry_run_says_who_would_get_it(tocsin: Tocsin) -> None:
    node = tocsin.node()
    Author(3).meets(node, name="feeder")
    node.database.close()
    said = tocsin(*REPORT, "--tlp", "amber", "--to", "feeder", "--dry-run")
    assert "Would report the hijack of shop-a.org (ns-replaced)" in said.stdout
    assert "feeder" in said.stdout
    assert "Left out ns2.shop-a.org" in said.stderr
    assert tocsin.json("hijack", "list") == []


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        ((*REPORT[:6], "--new-ns", "ns1.shop-a.org", "--tlp", "green"), "E_HIJACK_SAME", 1),
        ((*REPORT, "--tlp", "amber"), "E_NOBODY", 3),
        ((*REPORT, "--tlp", "green", "--old-ds", "x"), "E_SCHEMA", 1),
        ((*REPORT, "--tlp", "amber", "--to", "nobody"), "E_PEER_UNKNOWN", 1),
        (("hijack", "show", stix_id("incident", 1)), "E_HIJACK_UNKNOWN", 1),
        (("hijack", "answer", stix_id("incident", 1), "reverted"), "E_HIJACK_UNKNOWN", 1),
        (("operator", "set", "--tld", "a..b"), "E_NAME_LABEL", 1),
        (("operator", "set"), "E_USAGE", 2),
        (("hijack", "report", "--zone", "x.org", "--tlp", "green", "--vector", "y"), "E_USAGE", 2),
    ],
)
def test_what_is_refused_has_its_code(
    tocsin: Tocsin, words: tuple[str, ...], code: str, exit_code: int
) -> None:
    assert tocsin.refusal(*words, code=exit_code) == code


def test_what_a_node_operates_is_said_in_its_identity(tocsin: Tocsin) -> None:
    words = ("operator", "set", "--role", "registry", "--tld", "org", "--registrar-id", "9999")
    said = tocsin.json(*words, "--abuse-contact", "abuse@r.example")
    assert (said["roles"], said["tlds"]) == (["registry"], ["org"])
    assert (said["iana_registrar_id"], said["abuse_contact"]) == (9999, "abuse@r.example")
    assert "no authority" in tocsin("operator", "set", "--tld", "net").stdout
    reported = tocsin.json(*REPORT, "--tlp", "green")
    assert tocsin.json("hijack", "show", reported["incident"])["concern"] == []
    tocsin.json("operator", "set", "--tld", "net", "--tld", "org")
    (row,) = tocsin.json("hijack", "list")
    assert row["concern"] == ["registry"]
