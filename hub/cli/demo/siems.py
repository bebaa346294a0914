"""The consumers of the demo: three tokens of different clearance read the same collection."""

from __future__ import annotations

from collections import Counter

from federation.transport.guarded_http import GuardedHttp
from hub.cli.demo.narration import Narration
from hub.cli.demo.stage import DemoNode, Stage
from hub.operators.tokens import add_token
from schemas.markings import TLP_BY_MARKING_ID, Tlp
from schemas.strict_json import strict_loads

_MAY_SEE = {"public": Tlp.CLEAR, "constituent": Tlp.GREEN, "own": Tlp.AMBER_STRICT}
_LABELS = (Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT)


def let_siems_read(stage: Stage, narration: Narration) -> str:
    """Give out a token of each kind, read with each over TAXII, and return the widest one."""
    narration.act(f"Three consumers read one collection of {stage.registry.name} over TAXII")
    seen = {}
    for kind, clearance in _MAY_SEE.items():
        added = add_token(
            stage.registry.node,
            f"demo-{kind}",
            kind,
            max_tlp=Tlp.AMBER_STRICT if kind == "own" else None,
            originals=True,
        )
        seen[kind] = _count_by_label(stage.registry, added.token)
        met = all(bool(seen[kind][tlp]) == (tlp <= clearance) for tlp in _LABELS)
        narration.expect(f"a {kind} token sees up to TLP:{clearance.wire.upper()}", met=met)
    narration.table(
        ("token", *(f"TLP:{tlp.wire.upper()}" for tlp in _LABELS)),
        [(kind, *(str(counts[tlp]) for tlp in _LABELS)) for kind, counts in seen.items()],
    )
    return added.token


def _count_by_label(demo_node: DemoNode, token: str) -> Counter[Tlp]:
    """Count the indicators of each label in all that one token may read."""
    url = f"{demo_node.base}taxii2/intel/collections/originals/objects/?match[type]=indicator"
    with GuardedHttp(allow_loopback=True) as http:
        answer = http.request(
            "GET",
            url.replace("[", "%5B").replace("]", "%5D"),
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/taxii+json;version=2.1",
            },
        )
    objects = strict_loads(answer.body).get("objects", [])
    return Counter(
        TLP_BY_MARKING_ID[ref]
        for value in objects
        for ref in value.get("object_marking_refs", ())
        if ref in TLP_BY_MARKING_ID
    )
