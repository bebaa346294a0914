"""``tocsin verdict`` and ``tocsin why``: what led to a verdict, and nothing that a reader hides."""

from __future__ import annotations

import pytest

from federation.trust.fusion import RULES
from hub.errors import NotFound
from hub.operators.tokens import add_token
from hub.verdicts.backlog import progress
from hub.verdicts.explain_verdict import (
    NO_VERDICT,
    explain_name,
    explain_to,
    is_about_verdict,
)
from schemas.markings import Tlp
from tests.support.nodes import make_node
from tests.support.told_claims import (
    EVIL,
    authors,
    claim,
    indicators,
    make_verdicts,
    tell,
    verdicts_seen,
)


@pytest.fixture
def node(tmp_path):
    made = make_node(tmp_path, "hub")
    yield made
    made.database.close()


def test_a_name_is_explained_at_every_label_with_claims_lineages_caps_and_rules(node):
    a, b = authors(node, 2)
    tell(node, a, "green", claim(confidence=95))
    tell(node, b, "amber", claim(number=2, confidence=60))
    make_verdicts(node)
    found = explain_name(node, "EVIL[.]example")
    assert (found.name, found.rules, list(found.views)) == (EVIL, RULES, [t.wire for t in Tlp])
    clear, green, amber = (found.views[label] for label in ("clear", "green", "amber"))
    assert (clear.confidence, clear.lineages, clear.evidence) == (0, 0, ())
    (line,) = green.evidence
    assert (line.origin, line.tlp, line.confidence, line.cap) == (a.node_id, "green", 95, 85)
    assert line.lineage == f"origin:{a.node_id}"
    assert any("of which its word lends 85" in said for said in green.why)
    assert (amber.lineages, len(amber.evidence)) == (2, 2)
    assert amber.confidence > green.confidence
    assert found.views["red"].verdict == amber.verdict != green.verdict


def test_blocking_is_explained_with_its_codes(node):
    a, b = authors(node, 2)
    tell(node, a, "green", claim())
    make_verdicts(node)
    assert "NOT_BLOCKED_LINEAGES" in explain_name(node, EVIL).views["green"].codes
    tell(node, b, "green", claim(number=2))
    make_verdicts(node)
    view = explain_name(node, EVIL).views["green"]
    assert (view.blocked, view.codes) == (True, ("BLOCKED",))


def test_what_pap_forbids_is_no_ground_for_a_block(node):
    a, b = authors(node, 2)
    tell(node, a, "green", claim())
    tell(node, b, "green", claim(number=2), policy={"pap": "red"})
    make_verdicts(node)
    view = explain_name(node, EVIL).views["green"]
    assert (view.blocked, view.codes) == (False, ("NOT_BLOCKED_PAP",))
    assert view.confidence > 75


def test_t22_a_reader_is_told_the_same_with_and_without_what_its_label_hides(tmp_path):
    answers = []
    for hidden in (False, True):
        node = make_node(tmp_path, f"hub{hidden}")
        a, b = authors(node, 2)
        tell(node, a, "green", claim(confidence=60))
        if hidden:
            tell(node, b, "amber", claim(number=2))
            tell(node, b, "amber", claim("only-hidden.example", 3))
        make_verdicts(node)
        add_token(node, "member", "subscriber")
        answers.append([explain_to(node, name, "member") for name in (EVIL, "only-hidden.example")])
        node.database.close()
    assert answers[0] == answers[1]
    assert answers[0][1].code == NO_VERDICT


def test_a_hidden_verdict_is_no_object_to_a_reader(node):
    (a,) = authors(node, 1)
    tell(node, a, "amber", claim())
    make_verdicts(node)
    add_token(node, "member", "subscriber")
    add_token(node, "siem", "own", max_tlp=Tlp.AMBER_STRICT)
    (verdict,) = indicators(verdicts_seen(node, Tlp.AMBER))
    assert is_about_verdict(node, verdict["id"])
    assert explain_to(node, verdict["id"], "siem").decision == "allowed"
    with pytest.raises(NotFound) as refused:
        explain_to(node, verdict["id"], "member")
    assert refused.value.detail == f"no object {verdict['id']} is held here"


def test_no_peer_reads_a_verdict(node):
    a, _ = authors(node, 2)
    tell(node, a, "green", claim())
    make_verdicts(node)
    found = explain_to(node, EVIL, a.node_id)
    assert (found.decision, found.code) == ("refused", "REFUSED_NOT_PUBLISHED")
    with pytest.raises(NotFound):
        explain_to(node, EVIL, "nobody")


def test_an_origin_that_is_not_to_be_named_is_not_named_to_a_reader(node):
    (a,) = authors(node, 1)
    policy = {"iep": {"attribution": "must-not"}}
    tell(node, a, "green", claim(), policy=policy)
    make_verdicts(node)
    add_token(node, "member", "subscriber")
    said = " ".join(explain_to(node, EVIL, "member").sentences)
    assert "an origin that is not to be named says phishing" in said
    assert f"peer-{a.node_id[:4]}" not in said


def test_progress_tells_what_is_still_to_be_done(node):
    (a,) = authors(node, 1)
    tell(node, a, "green", claim())
    before = progress(node)
    assert (before.claims, before.published) == (0, 0)
    assert before.unread > 0
    make_verdicts(node)
    after = progress(node)
    assert (after.claims, after.unread, after.due, after.published) == (1, 0, 0, 1)
