"""The story of the demo, act by act; each act ends in expectations that ``--check`` counts.

Its names and addresses are reserved for documentation (RFC 2606, RFC 5737) and its own.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Sequence

from federation.errors import SharingRefused
from hub.cli.demo.narration import Narration
from hub.cli.demo.stage import DemoNode, Stage, wait_until
from hub.exchange.explain import explain_sharing
from hub.exchange.object_listing import ListedObject, list_objects
from hub.exchange.publish import PublishOutcome, PublishRequest, publish_objects
from hub.exchange.publish_names import NameOptions, drafts_from_names, wrap_names
from hub.exchange.withdraw import withdraw_object
from hub.imports.name_lists import read_name_list
from hub.peers.directory import resolve_peer
from schemas.markings import Tlp

CLEAR_NAMES = ("login-bank.example", "parcel-tracking.example", "update-flash.example")
GREEN_NAMES = ("c2-relay.example", "beacon-7.example")
AMBER_NAMES = ("staging-panel.example",)
STRICT_NAMES = ("victim-intranet-mirror.example",)
RELAYED_NAMES = ("fast-flux-front.example",)
TAMPERED_NAMES = ("lookalike-registry.example",)


def tell(stage: Stage, narration: Narration) -> None:
    """Tell the whole story."""
    _act_pairing(stage, narration)
    first = _act_publishing(stage, narration)
    _act_arriving(stage, narration)
    _act_explaining(stage, narration, first)
    _act_relay(stage, narration)
    _act_tampering(stage, narration)
    _act_withdrawal(stage, narration, first)


def publish_names(
    demo_node: DemoNode, names: Sequence[str], tlp: Tlp, to: Sequence[DemoNode] = ()
) -> PublishOutcome:
    """Publish names as one node."""
    node = demo_node.node
    lines, _ = read_name_list("\n".join(names).encode())
    request = PublishRequest(
        drafts_from_names(node, lines, tlp, NameOptions(threat_type="phishing")),
        tlp,
        to=tuple(resolve_peer(node, other.node.node_id) for other in to),
        wrap=functools.partial(wrap_names, node, "Demonstration"),
    )
    return publish_objects(node, request)


def indicators(demo_node: DemoNode, origin: DemoNode) -> tuple[ListedObject, ...]:
    """List what a node holds of another's indicators and shows its readers."""
    return list_objects(
        demo_node.node, origin=origin.node.node_id, state="accepted", stix_type="indicator"
    )


def count(demo_node: DemoNode, origin: DemoNode, tlp: Tlp) -> int:
    """Count the indicators of a label that a node has from another."""
    return sum(listed.tlp == tlp.wire for listed in indicators(demo_node, origin))


def _act_pairing(stage: Stage, narration: Narration) -> None:
    narration.act("Three organisations, no centre")
    narration.table(
        ("node", "what it is", "address", "node id"),
        [(n.name, n.role.role, n.base, n.node.node_id[:16] + "…") for n in stage.nodes],
    )
    for inviter, joiner, admitted in stage.pairings:
        narration.say(
            f"{joiner.name} opened an invitation of {inviter.name}. On the phone both read: "
            f"{admitted.voice_code}"
        )
    narration.expect(
        "the three nodes are paired with each other", met=len(stage.pairings) == len(stage.nodes)
    )


def _act_publishing(stage: Stage, narration: Narration) -> PublishOutcome:
    narration.act(f"{stage.cert.name} publishes under every label but RED")
    first = publish_names(stage.cert, CLEAR_NAMES, Tlp.CLEAR)
    outcomes = (
        first,
        publish_names(stage.cert, GREEN_NAMES, Tlp.GREEN),
        publish_names(stage.cert, AMBER_NAMES, Tlp.AMBER, [stage.registry]),
        publish_names(stage.cert, STRICT_NAMES, Tlp.AMBER_STRICT, [stage.registry]),
    )
    labels = ("TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT")
    rows = [
        (label, str(outcome.objects), line.name, line.decision, line.code)
        for label, outcome in zip(labels, outcomes, strict=True)
        for line in outcome.audience
    ]
    narration.table(("label", "indicators", "peer", "decision", "code"), rows)
    try:
        publish_names(stage.cert, ("sealed-only.example",), Tlp.RED, [stage.registry])
        refused = False
    except SharingRefused as refusal:
        narration.say(f"TLP:RED: {refusal.detail}.")
        refused = True
    narration.expect("publishing TLP:RED is refused in this release", met=refused)
    return first


def _act_arriving(stage: Stage, narration: Narration) -> None:
    narration.act("The wake-up goes out, the peers pull, and every node decides for itself")
    expected = {
        Tlp.CLEAR: len(CLEAR_NAMES),
        Tlp.GREEN: len(GREEN_NAMES),
        Tlp.AMBER: len(AMBER_NAMES),
        Tlp.AMBER_STRICT: len(STRICT_NAMES),
    }
    arrived = wait_until(
        lambda: (
            all(count(stage.registry, stage.cert, t) == n for t, n in expected.items())
            and all(count(stage.oarc, stage.cert, t) == expected[t] for t in (Tlp.CLEAR, Tlp.GREEN))
        )
    )
    narration.table(
        ("node", *(f"TLP:{tlp.wire.upper()}" for tlp in expected)),
        [
            (n.name, *(str(count(n, stage.cert, tlp)) for tlp in expected))
            for n in (stage.registry, stage.oarc)
        ],
    )
    narration.expect(f"{stage.registry.name} received all four labels", met=arrived)
    withheld = not any(count(stage.oarc, stage.cert, tlp) for tlp in (Tlp.AMBER, Tlp.AMBER_STRICT))
    narration.expect(f"{stage.oarc.name} received CLEAR and GREEN, no AMBER", met=withheld)


def _act_explaining(stage: Stage, narration: Narration, first: PublishOutcome) -> None:
    narration.act("Why, in sentences")
    amber = next(
        o for o in list_objects(stage.cert.node, stix_type="indicator") if o.tlp == Tlp.AMBER.wire
    )
    for demo_node, stix_id in ((stage.oarc, amber.id), (stage.oarc, first.stix_ids[0])):
        explained = explain_sharing(stage.cert.node, stix_id, demo_node.node.node_id)
        narration.say(f"{demo_node.name}, {stix_id}: {explained.decision} ({explained.code})")
        for sentence in explained.sentences:
            narration.say(f"  {sentence}")
    refused = explain_sharing(stage.cert.node, amber.id, stage.oarc.node.node_id)
    narration.expect(
        f"the AMBER indicator is withheld from {stage.oarc.name} with a reason",
        met=refused.decision == "refused",
    )


def _act_relay(stage: Stage, narration: Narration) -> None:
    narration.act(f"{stage.cert.name} is gone; {stage.registry.name} passes GREEN on")
    stage.oarc.stop()
    publish_names(stage.cert, RELAYED_NAMES, Tlp.GREEN)
    wanted = len(GREEN_NAMES) + len(RELAYED_NAMES)
    wait_until(lambda: count(stage.registry, stage.cert, Tlp.GREEN) == wanted)
    stage.cert.stop()
    stage.oarc.start()
    outcome = stage.oarc.pull(stage.registry)
    narration.say(
        f"{stage.oarc.name} pulled {stage.registry.name}: {outcome.entries} entries, each with "
        f"{stage.cert.name}'s own signature verified, under the relay's signed head."
    )
    narration.expect(
        f"the GREEN entry of {stage.cert.name} arrived through {stage.registry.name}",
        met=wait_until(lambda: count(stage.oarc, stage.cert, Tlp.GREEN) == wanted),
    )
    narration.expect(
        "no AMBER came through the relay", met=count(stage.oarc, stage.cert, Tlp.AMBER) == 0
    )


def _act_tampering(stage: Stage, narration: Narration) -> None:
    narration.act(f"One byte is changed on {stage.cert.name}'s disk")
    publish_names(stage.cert, TAMPERED_NAMES, Tlp.CLEAR)
    with _tampered_entry(stage.cert):
        stage.cert.start()
        outcome = stage.oarc.pull(stage.cert)
        error = outcome.error
        narration.say(
            f"{stage.oarc.name} pulled and stopped: {error}"
            if error is not None
            else f"{stage.oarc.name} noticed nothing."
        )
        narration.expect(
            f"{stage.oarc.name} refused the tampered entry and took nothing of it",
            met=error is not None
            and error.code == "E_SIG_BAD"
            and count(stage.oarc, stage.cert, Tlp.CLEAR) == len(CLEAR_NAMES),
        )
    stage.oarc.pull(stage.cert)
    narration.expect(
        "with the honest bytes back, the feed goes on where it stopped",
        met=count(stage.oarc, stage.cert, Tlp.CLEAR) == len(CLEAR_NAMES) + len(TAMPERED_NAMES),
    )


class _tampered_entry:  # noqa: N801 - reads as a verb where it is used
    """Flip one byte inside the newest CLEAR entry's payload while the block runs.

    It goes past the node on purpose, straight to the file, as a burglar or a bad disk would.
    """

    def __init__(self, demo_node: DemoNode) -> None:
        self._file = demo_node.node.settings.home / "tocsin.db"
        self._honest: bytes = b""
        self._key: tuple[int, int] = (0, 0)

    def __enter__(self) -> None:
        with sqlite3.connect(self._file) as database:
            row = database.execute(
                "SELECT e.feed_row, e.seq, e.record FROM entries e JOIN feeds f USING (feed_row)"
                " WHERE f.audience = 'clear' AND f.own ORDER BY e.seq DESC LIMIT 1"
            ).fetchone()
            self._key, self._honest = (row[0], row[1]), bytes(row[2])
        at = self._honest.index(b'"payload":"') + 400
        other = b"A" if self._honest[at : at + 1] != b"A" else b"B"
        self._write(self._honest[:at] + other + self._honest[at + 1 :])

    def __exit__(self, *_error: object) -> None:
        self._write(self._honest)

    def _write(self, record: bytes) -> None:
        with sqlite3.connect(self._file) as database:
            database.execute(
                "UPDATE entries SET record = ? WHERE feed_row = ? AND seq = ?",
                (record, *self._key),
            )
        database.close()


def _act_withdrawal(stage: Stage, narration: Narration, first: PublishOutcome) -> None:
    narration.act("A false positive is withdrawn")
    stix_id = first.stix_ids[0]
    withdrawal = withdraw_object(stage.cert.node, stix_id, "false positive: a bank's own name")
    narration.say(
        f"{stage.cert.name} withdrew {stix_id}; told to: "
        + ", ".join(receipt.name for receipt in withdrawal.receipts)
    )
    for demo_node in (stage.registry, stage.oarc):

        def is_gone(holder: DemoNode = demo_node) -> bool:
            held = [o for o in indicators(holder, stage.cert) if o.id == stix_id]
            return bool(held) and all(o.revoked for o in held)

        narration.expect(
            f"{demo_node.name} shows it as revoked, and nothing else of it",
            met=wait_until(is_gone),
        )
