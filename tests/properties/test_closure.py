"""THREATS section 2, invariant 11: every reference in a view resolves within it or is public."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from federation.policy.closure import PUBLIC_IDS, find_leaks, references_of
from federation.policy.views import CEILINGS, ceilings_for
from schemas.markings import EffectiveLabel, Tlp

IDS = [f"indicator--00000000-0000-4000-8000-{n:012}" for n in range(6)]
IDS += [f"domain-name--00000000-0000-5000-8000-{n:012}" for n in range(3)]
PUBLIC = frozenset({"identity--e7a3b507-5f6b-5979-9ee9-d77e1dda30c6"})
REFERABLE = [*IDS, *PUBLIC, *sorted(PUBLIC_IDS)]

TLPS = st.sampled_from(Tlp)
AUDIENCES = st.none() | st.frozensets(st.sampled_from("AB"))
LABELS = st.dictionaries(st.sampled_from(IDS), st.builds(EffectiveLabel, TLPS, AUDIENCES))
SHAPES = st.sampled_from(["target_ref", "object_refs", "description", "x_deep"])


def refer(shape: str, ref: str) -> object:
    return {
        "target_ref": ref,
        "object_refs": [ref],
        "description": f"compare {ref}.",
        "x_deep": [{"a": {"b": [ref]}}],
    }[shape]


@st.composite
def corpora(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dict[str, EffectiveLabel]]:
    """Draw labelled objects that refer to each other, to public ids and into the void."""
    labels = draw(LABELS)
    objects = []
    for stix_id in labels:
        shapes = draw(st.dictionaries(SHAPES, st.sampled_from(REFERABLE), max_size=3))
        members = {shape: refer(shape, ref) for shape, ref in shapes.items()}
        objects.append({"type": stix_id.split("--")[0], "id": stix_id} | members)
    return objects, labels


def closed(
    objects: list[dict[str, Any]], labels: dict[str, EffectiveLabel]
) -> tuple[list[dict[str, Any]], dict[str, EffectiveLabel]]:
    """Drop what leaks until nothing does: what publishing with "drop" leaves."""
    while True:
        leaking = {leak.stix_id for leak in find_leaks(objects, labels, lambda _: None, PUBLIC)}
        if not leaking:
            return objects, labels
        objects = [value for value in objects if value["id"] not in leaking]
        labels = {value["id"]: labels[value["id"]] for value in objects}


@given(corpora())
def test_references_of_a_closed_corpus_resolve_in_every_view(
    corpus: tuple[list[dict[str, Any]], dict[str, EffectiveLabel]],
) -> None:
    objects, labels = closed(*corpus)
    for ceiling in CEILINGS:
        view = [
            value
            for value in objects
            if ceiling in ceilings_for(labels[value["id"]].tlp, machine=True, exercise=False)
        ]
        visible = {value["id"] for value in view}
        for value in view:
            assert references_of(value) <= visible | PUBLIC | PUBLIC_IDS


@given(corpora())
def test_references_of_a_closed_corpus_resolve_for_every_node(
    corpus: tuple[list[dict[str, Any]], dict[str, EffectiveLabel]],
) -> None:
    objects, labels = closed(*corpus)
    for node in "AB":
        readable = {
            stix_id
            for stix_id, label in labels.items()
            if label.audience is None or node in label.audience
        }
        for value in objects:
            if value["id"] in readable:
                assert references_of(value) <= readable | PUBLIC | PUBLIC_IDS


@given(corpora(), st.sampled_from(IDS), st.builds(EffectiveLabel, TLPS, AUDIENCES))
def test_tightening_what_is_held_elsewhere_never_cures_a_leak(
    corpus: tuple[list[dict[str, Any]], dict[str, EffectiveLabel]],
    target: str,
    tighter: EffectiveLabel,
) -> None:
    objects, labels = corpus
    inside = {stix_id: label for stix_id, label in labels.items() if stix_id != target}
    entry = [value for value in objects if value["id"] != target]
    held = labels.get(target, EffectiveLabel(Tlp.CLEAR))

    def leaking(label: EffectiveLabel) -> set[tuple[str, str]]:
        found = find_leaks(entry, inside, lambda ref: label if ref == target else None, PUBLIC)
        return {(leak.stix_id, leak.ref) for leak in found}

    assert leaking(held) <= leaking(held.join(tighter))
