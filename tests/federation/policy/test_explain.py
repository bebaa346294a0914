"""Every decision can be said in English."""

from __future__ import annotations

import json
import string
from itertools import product

import pytest

from federation.policy.admission import ADMISSION_CODES, Admission, decide_admission
from federation.policy.decision import CODES, Decision
from federation.policy.explain import SENTENCES, sentences
from federation.policy.redistribution import decide_relay
from federation.policy.sharing import (
    decide_delivery,
    decide_entry_read,
    decide_feed_read,
    decide_reader,
)
from federation.trust.presets import Inbound, TrustLevel
from schemas.markings import Tlp
from tests.federation.policy.standings import (
    DIRECT_TO_PEER,
    GROUP,
    OTHER_NODE,
    SEALED,
    feed,
    peer,
    reader,
)


def every_decision() -> list[Decision | Admission]:
    """Ask every question in every way that matters."""
    peers = [
        peer(trust, verified=verified, state=state, outbound=outbound)
        for trust, verified, state, outbound in product(
            TrustLevel, (False, True), ("active", "suspended"), (Tlp.CLEAR, Tlp.RED)
        )
    ]
    answers: list[Decision | Admission] = []
    for standing, tlp, named in product(peers, Tlp, (False, True)):
        answers.append(decide_delivery(tlp, peer=standing, named=named))
        answers += [
            decide_feed_read(feed(audience), highest=tlp, peer=standing, named=named)
            for audience in ("clear", "green", GROUP, DIRECT_TO_PEER, SEALED)
        ]
        answers += [
            decide_entry_read(read, peer=standing, seq=3, begins=3)
            for read in answers[-5:]
            if isinstance(read, Decision)
        ]
    for standing, audience, relay, relay_on in product(
        [*peers, peer(node_id=OTHER_NODE)],
        ("clear", "green", GROUP, SEALED),
        ("public", "community", "none"),
        (False, True),
    ):
        foreign = feed(audience, origin=OTHER_NODE)
        answers.append(decide_relay(foreign, relay=relay, peer=standing, relay_on=relay_on))
    tokens = [
        reader(kind, max_tlp=clearance, originals=originals, groups=groups)
        for kind, clearance, originals, groups in product(
            ("own", "constituent", "subscriber", "public", "writer", "admin"),
            Tlp,
            (False, True),
            ((), ("banks",)),
        )
    ]
    for token, tlp, machine, touches in product(tokens, Tlp, (False, True), (False, True)):
        answers.append(
            decide_reader(tlp, reader=token, machine=machine, touches=touches, in_group=touches)
        )
    for trust, inbound, exercise, unknown, allowed in product(
        TrustLevel, [None, *Inbound, "perhaps"], *[(False, True)] * 3
    ):
        answers.append(
            decide_admission(
                origin_trust=trust,
                inbound=inbound,
                exercise=exercise,
                unknown_marking=unknown,
                type_allowed=allowed,
            )
        )
    return answers


def test_every_code_has_a_sentence_and_no_sentence_is_left_over() -> None:
    assert set(SENTENCES) == CODES | ADMISSION_CODES


@pytest.mark.parametrize("code", sorted(CODES | ADMISSION_CODES))
def test_each_line_of_the_table_is_a_plain_english_sentence(code: str) -> None:
    for line in SENTENCES[code].split("\n"):
        assert line[0] == "{" or line[0].isupper()
        assert line.endswith(".")
        assert "  " not in line
        assert "partner" not in line.replace("'partner'", "")
        assert not {"client", "remote", "source"} & set(line.lower().split())


def test_every_code_is_reached_and_every_fact_is_there() -> None:
    reached = set()
    for decision in every_decision():
        reached.add(decision.code)
        wanted = {
            name
            for _, name, _, _ in string.Formatter().parse(SENTENCES[decision.code])
            if name is not None
        }
        assert wanted <= {*decision.params, "and_named"}, decision.code
    assert reached == CODES | ADMISSION_CODES


def test_facts_are_json() -> None:
    for decision in every_decision():
        assert json.loads(json.dumps(dict(decision.params))) == dict(decision.params)


def test_the_last_sentence_names_the_rule() -> None:
    decision = decide_delivery(Tlp.AMBER, peer=peer(TrustLevel.MEMBER), named=True)
    said, rule = sentences(decision)
    assert said == (
        "TLP:AMBER goes only to peers at trust 'trusted' or above that are named; "
        "registry.example is at 'member'."
    )
    assert rule == "Rule: PROTOCOL 3.2, TLP:AMBER, direct to peer."


def test_a_refusal_that_the_operator_can_change_says_how() -> None:
    decision = decide_delivery(Tlp.GREEN, peer=peer(verified=False), named=False)
    assert any("eight words" in line for line in sentences(decision))


def test_names_replace_the_facts_of_the_decision() -> None:
    decision = decide_delivery(Tlp.CLEAR, peer=peer(), named=False)
    assert "Registry of .example" in sentences(decision, peer="Registry of .example")[0]


def test_a_name_is_filled_in_and_never_a_template() -> None:
    decision = decide_delivery(Tlp.CLEAR, peer=peer(), named=False)
    assert "{trust.__class__}" in sentences(decision, peer="{trust.__class__}")[0]


def test_a_stored_decision_with_missing_facts_or_a_later_code_is_still_said() -> None:
    assert sentences(Decision.of("REFUSED_NOT_NAMED", "PROTOCOL 3.2"))
    later = Decision(False, "REFUSED_LATER", "PROTOCOL 9")  # type: ignore[arg-type]
    assert sentences(later) == ["The decision was REFUSED_LATER.", "Rule: PROTOCOL 9."]
