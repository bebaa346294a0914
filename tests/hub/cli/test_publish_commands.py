from __future__ import annotations

import gzip
import json

import pytest

from hub.cli.publish_commands import exit_code
from hub.exchange.publish import PublishOutcome, RefusedObject
from schemas.markings import Tlp
from tests.support.nodes import serve_in_thread

PUBLISHED = {"objects", "entries", "feeds", "audience", "unchanged", "refused", "import"}
CREATED = "2026-03-01T10:00:00.000Z"


def indicator(number: int, **members):
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{number:08d}-0000-4000-8000-000000000000",
        "created": CREATED,
        "modified": CREATED,
        "pattern": f"[domain-name:value = 'n{number}.example']",
        "pattern_type": "stix",
        "valid_from": CREATED,
    } | members


def write_bundle(place, *objects):
    file = place / "bundle.json"
    bundle = {"type": "bundle", "id": "bundle--00000000-0000-4000-8000-000000000000"}
    file.write_text(json.dumps(bundle | {"objects": objects}))
    return str(file)


@pytest.fixture
def befriended(pair):
    """The CERT with the registry as a verified peer at trust member."""
    node = pair.registry.node()
    with serve_in_thread(node):
        invitation = pair.registry.json("peer", "invite")["invitation"]
        pair.cert.json("peer", "accept", invitation)
    node.database.close()
    pair.cert.json("peer", "set", "Example Registry", "--verified", "--trust", "member")
    return pair.cert


def test_names_are_published_and_every_line_is_accounted_for(tocsin, names):
    done = tocsin.json("publish", str(names), "--tlp", "green", "--threat-type", "phishing")
    assert set(done) >= PUBLISHED
    assert (done["objects"], done["entries"]) == (2, 1)
    assert done["feeds"][0].endswith("/green/1")
    assert done["audience"] == []
    assert len(done["stix_ids"]) == 2
    counts = done["import"]
    assert counts["skipped"] == {"E_NAME_URL": 1, "E_NAME_ADDRESS": 1}
    assert (
        counts["total"]
        == 6
        == sum([counts["taken"], counts["comments"], counts["blanks"], *counts["skipped"].values()])
    )
    assert [line["line"] for line in counts["lines"]] == [3, 6]


def test_a_person_is_told_what_was_skipped_and_why(tocsin, names):
    done = tocsin("publish", str(names), "--tlp", "clear")
    assert done.exit_code == 0
    assert "took 2 (0 changed), skipped 2, comments 1, blank 1" in done.stdout
    assert "Published 2 objects in 1 entry of clear" in done.stdout
    assert "3: http://x.example/a" in done.stderr


def test_publishing_twice_publishes_nothing_twice(tocsin, names):
    tocsin.json("publish", str(names), "--tlp", "green")
    again = tocsin.json("publish", str(names), "--tlp", "green")
    assert (again["objects"], again["unchanged"], again["entries"]) == (0, 2, 0)


def test_a_dry_run_decides_everything_and_signs_nothing(befriended, names):
    before = befriended.json("objects", "list")
    dry = befriended.json("publish", str(names), "--tlp", "green", "--dry-run")
    assert dry["dry_run"] is True
    assert dry["objects"] == 2
    line = dry["audience"][0]
    assert set(line) >= {"peer", "decision", "code", "why"}
    assert (line["decision"], line["code"]) == ("allowed", "ALLOWED_GREEN_MEMBER")
    assert befriended.json("objects", "list") == before
    told = befriended("publish", str(names), "--tlp", "green", "--dry-run")
    assert "Would publish" in told.stdout
    assert "Example Registry" in told.stdout


def test_a_dry_run_for_a_peer_that_may_not_have_it_says_why(befriended, names):
    words = ["publish", str(names), "--tlp", "amber", "--to", "Example Registry"]
    dry = befriended.json(*words, "--dry-run")
    assert dry["audience"][0]["decision"] == "refused"
    assert befriended.refusal(*words, code=3) == "E_AUDIENCE_REFUSED"


def test_red_is_refused_and_says_so(tocsin, names):
    assert tocsin.refusal("publish", str(names), "--tlp", "red", code=3) == "E_RED_UNSUPPORTED"
    told = tocsin("publish", str(names), "--tlp", "red")
    assert told.exit_code == 3
    assert "TLP:RED" in told.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--tlp", "amber"], "E_NOBODY"),
        (["--tlp", "amber+strict"], "E_NOBODY"),
    ],
)
def test_what_policy_forbids_ends_with_three(tocsin, names, words, code):
    assert tocsin.refusal("publish", str(names), *words, code=3) == code


def test_a_peer_that_nobody_knows_fails(tocsin, names):
    words = ["publish", str(names), "--tlp", "amber", "--to", "nobody"]
    assert tocsin.refusal(*words, code=1) == "E_PEER_UNKNOWN"


def test_stix_is_published_and_a_broken_object_is_named(tocsin, tmp_path):
    broken = indicator(2)
    del broken["pattern"]
    file = write_bundle(tmp_path, indicator(1), broken)
    done = tocsin.json("publish", file, "--tlp", "green")
    assert done["objects"] == 1
    assert done["import"]["format"] == "stix"
    assert done["import"]["skipped"] == {"E_SCHEMA": 1}
    assert done["import"]["lines"][0]["text"] == broken["id"]


def test_some_refused_by_policy_and_some_published_is_done_and_names_the_refused(tocsin, tmp_path):
    red = indicator(2, object_marking_refs=[Tlp.RED.marking_id])
    file = write_bundle(tmp_path, indicator(1), red)
    done = tocsin.json("publish", file, "--tlp", "green")
    assert done["objects"] == 1
    assert [(r["stix_id"], r["code"]) for r in done["refused"]] == [(red["id"], "E_LABEL_STRICTER")]


def test_all_refused_by_policy_ends_with_three(tocsin, tmp_path):
    red = indicator(2, object_marking_refs=[Tlp.RED.marking_id])
    done = tocsin.json("publish", write_bundle(tmp_path, red), "--tlp", "green", code=3)
    assert done["objects"] == 0
    assert done["refused"][0]["code"] == "E_LABEL_STRICTER"


def test_nothing_to_publish_fails(tocsin, tmp_path):
    file = tmp_path / "names.txt"
    file.write_text("# nothing\n192.0.2.1\n")
    done = tocsin.json("publish", str(file), "--tlp", "green", code=1)
    assert done["objects"] == 0
    assert done["import"]["skipped"] == {"E_NAME_ADDRESS": 1}


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        ({"objects": 1, "codes": ["E_REF_LEAK"]}, 0),
        ({"unchanged": 1, "codes": []}, 0),
        ({"codes": ["E_REF_LEAK", "E_LABEL_LIVE"]}, 3),
        ({"codes": ["E_REF_LEAK", "E_SCHEMA"]}, 1),
        ({"codes": []}, 1),
    ],
)
def test_the_exit_code_of_a_publication(outcome, code):
    refused = tuple(RefusedObject("x", reason, "") for reason in outcome["codes"])
    numbers = {"objects": 0, "unchanged": 0} | {k: v for k, v in outcome.items() if k != "codes"}
    assert exit_code(
        PublishOutcome(**numbers, entries=0, feeds=(), audience=(), refused=refused)
    ) == (code)


def test_standard_input_and_gzip_are_read(tocsin, names, tmp_path):
    packed = tmp_path / "names.gz"
    packed.write_bytes(gzip.compress(names.read_bytes()))
    assert tocsin.json("publish", str(packed), "--tlp", "green")["objects"] == 2
    piped = tocsin.json("publish", "-", "--tlp", "green", stdin=names.read_bytes())
    assert piped["unchanged"] == 2


def test_a_table_is_published_with_what_it_says_and_nothing_twice(tocsin, tmp_path):
    file = tmp_path / "table.csv"
    file.write_text("domain,threat,confidence\nevil.example,phishing,85\nbad.example,,\n")
    done = tocsin.json("publish", str(file), "--tlp", "green")
    assert (done["objects"], done["import"]["format"]) == (2, "csv")
    again = tocsin.json("publish", str(file), "--tlp", "green")
    assert (again["objects"], again["unchanged"]) == (0, 2)
    file.write_text("domain,threat,confidence\nevil.example,phishing,20\n")
    assert tocsin.json("publish", str(file), "--tlp", "green")["objects"] == 1


def test_a_table_s_columns_can_be_named(tocsin, tmp_path):
    file = tmp_path / "table.csv"
    file.write_text("x,evil.example\ny,bad.example\n")
    words = ["publish", str(file), "--tlp", "green", "--format", "csv"]
    assert tocsin.refusal(*words, code=1) == "E_CSV_COLUMN"
    assert tocsin.json(*words, "--map", "2=name")["objects"] == 2
    assert tocsin.refusal(*words, "--map", "name", code=2) == "E_USAGE"


def test_a_map_is_for_tables(tocsin, names):
    words = ["publish", str(names), "--tlp", "green", "--map", "1=name"]
    assert tocsin.refusal(*words, code=2) == "E_USAGE"


def test_what_only_others_write_is_for_an_import(tocsin, tmp_path):
    file = tmp_path / "hosts"
    file.write_text("0.0.0.0 evil.example\n")
    assert (
        "tocsin import"
        in tocsin.json("publish", str(file), "--tlp", "green", code=2)["error"]["detail"]
    )


def test_options_for_names_are_not_silently_dropped_for_stix(tocsin, tmp_path):
    words = ["publish", write_bundle(tmp_path, indicator(1)), "--tlp", "green"]
    assert tocsin.refusal(*words, "--valid-days", "3", code=2) == "E_USAGE"


def test_a_file_that_is_not_what_it_is_said_to_be_fails(tocsin, names):
    words = ["publish", str(names), "--tlp", "green", "--format", "stix"]
    assert tocsin.refusal(*words, code=1).startswith("E_JSON")


def test_options_for_names_reach_the_indicators(tocsin, names):
    done = tocsin.json(
        "publish", str(names), "--tlp", "green", "--threat-type", "dga", "--confidence", "5",
        "--valid-days", "1", "--on-behalf-of", "Small Bank",
    )  # fmt: skip
    content = tocsin.json("objects", "show", done["stix_ids"][0])[0]["object"]
    assert content["labels"] == ["dga"]
    assert content["confidence"] == 5


def test_an_exercise_reaches_no_reader(tocsin, names):
    tocsin.json("publish", str(names), "--tlp", "green", "--exercise")
    listed = tocsin.json("objects", "list", "--type", "indicator")
    assert {row["state"] for row in listed} == {"exercise"}


def test_an_object_is_withdrawn_for_good(tocsin, names):
    stix_id = tocsin.json("publish", str(names), "--tlp", "green")["stix_ids"][0]
    done = tocsin.json("withdraw", stix_id, "--reason", "a mistake")
    assert {"entry", "receipts"} <= set(done)
    assert done["entry"]["feed"].endswith("/green/1")
    assert done["entries"] == [done["entry"]]
    assert tocsin.refusal("withdraw", stix_id, "--reason", "again", code=1) == "E_WITHDRAWN"


def test_withdrawing_lists_who_is_to_confirm(befriended, names):
    stix_id = befriended.json("publish", str(names), "--tlp", "green")["stix_ids"][0]
    told = befriended("withdraw", stix_id, "--reason", "a mistake")
    assert "Withdrew" in told.stdout
    assert "Example Registry" in told.stdout


def test_only_what_this_node_wrote_is_withdrawn_by_it(befriended, names):
    stix_id = befriended.json("publish", str(names), "--tlp", "green")["stix_ids"][0]
    words = ["withdraw", stix_id, "--reason", "r", "--origin", "Example Registry"]
    assert befriended.refusal(*words, code=1) == "E_NOT_FOUND"
    absent = "indicator--00000000-0000-4000-8000-000000000000"
    assert befriended.refusal("withdraw", absent, "--reason", "r", code=1) == "E_NOT_FOUND"
