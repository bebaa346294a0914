from __future__ import annotations


def test_a_token_is_shown_once(tocsin):
    added = tocsin.json("token", "add", "siem", "--kind", "own", "--max-tlp", "AMBER")
    assert set(added) == {"name", "token"}
    listed = tocsin("token", "list", "--json").stdout + tocsin("token", "list").stdout
    assert added["token"] not in listed
    row = tocsin.json("token", "list")[0]
    assert row["name"] == "siem"
    assert row["max_tlp"] == "amber"
    assert {"name", "kind", "max_tlp", "originals", "expires_at", "revoked_at", "last_used_at"} <= (
        set(row)
    )


def test_a_person_gets_the_token_alone_on_standard_output(tocsin):
    added = tocsin("token", "add", "siem", "--kind", "public", "--expires-days", "7")
    assert added.stdout.startswith("tocsin_")
    assert len(added.stdout.split()) == 1
    assert "once" in added.stderr


def test_zones_and_prefixes_are_split_at_commas(tocsin):
    tocsin.json(
        "token", "add", "bank", "--kind", "constituent", "--originals",
        "--zones", "bank.example, pay.example", "--prefixes", "192.0.2.0/24",
    )  # fmt: skip
    row = tocsin.json("token", "list")[0]
    assert row["zones"] == ["bank.example", "pay.example"]
    assert row["prefixes"] == ["192.0.2.0/24"]
    assert row["originals"] is True


def test_a_clearance_beyond_the_kind_is_refused_by_policy(tocsin):
    words = ["token", "add", "web", "--kind", "public", "--max-tlp", "green"]
    assert tocsin.refusal(*words, code=3) == "E_CLEARANCE_TOO_WIDE"


def test_a_token_is_revoked_at_once(tocsin):
    tocsin.json("token", "add", "siem", "--kind", "own")
    revoked = tocsin.json("token", "revoke", "siem")
    assert set(revoked) == {"name", "revoked_at"}
    assert revoked["revoked_at"].endswith("Z")
    assert tocsin("token", "revoke", "siem").exit_code == 0
    assert tocsin.refusal("token", "revoke", "other", code=1) == "E_TOKEN_UNKNOWN"
    assert tocsin.refusal("token", "add", "siem", "--kind", "own", code=1) == "E_TOKEN_EXISTS"
