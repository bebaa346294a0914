"""``tocsin name check``, and warnings of names where a person publishes or looks at them."""

from __future__ import annotations


def test_a_name_is_said_in_both_forms_with_what_is_odd_about_it(tocsin):
    (name,) = tocsin.json("name", "check", "pаypal.com")
    assert name["a_label"] == "xn--pypal-4ve.com"
    assert name["u_label"] == "pаypal.com"
    assert name["registrable_domain"] == "xn--pypal-4ve.com"
    assert name["scripts"] == ["CYRILLIC", "LATIN"]
    assert [warning["kind"] for warning in name["warnings"]] == ["mixed-script", "lookalike"]
    shown = tocsin("name", "check", "pаypal.com").stdout
    assert "mixes scripts: Cyrillic, Latin" in shown
    assert "may be taken for paypal.com" in shown


def test_what_is_no_name_is_refused_with_its_reason(tocsin):
    done = tocsin("name", "check", "192.0.2.1", "evil.example", "a b.example")
    assert done.exit_code == 1
    assert "E_NAME_ADDRESS" in done.stdout
    assert "E_NAME_CHARACTER" in done.stdout


def test_a_public_suffix_needs_a_second_person(tocsin, tmp_path):
    (name,) = tocsin.json("name", "check", "co.uk")
    assert name["public_suffix"] is True
    assert "second person" in tocsin("name", "check", "co.uk").stdout
    names = tmp_path / "names"
    names.write_text("com\nco.uk\nevil.example\n")
    report = tocsin.json("publish", str(names), "--tlp", "green", "--dry-run")["import"]
    assert report["skipped"] == {"E_NAME_SUFFIX": 2}
    until = ("--until", "2026-11-30", "--reason", "we know")
    assert tocsin("guard", "override", "co.uk", *until).exit_code != 0


def test_no_character_of_a_name_reaches_a_terminal_that_is_not_printable(tocsin):
    done = tocsin("name", "check", "evil\x1b[2J.example", "\u202eelpmaxe.live", "a\u2066b.example")
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    assert "\u2066" not in done.stdout


def test_look_alikes_of_own_zones_are_said_before_they_are_published(tocsin, tmp_path):
    tocsin.json("guard", "add", "mybank.example")
    names = tmp_path / "names"
    names.write_text("rnybank.example\nmybаnk.example\ninnocent.example\n")
    done = tocsin("publish", str(names), "--tlp", "green", "--dry-run")
    assert "Look twice at rnybank.example: may be taken for mybank.example." in done.stderr
    assert "(mybаnk.example)" in done.stderr
    assert "innocent" not in done.stderr
    warned = tocsin.json("publish", str(names), "--tlp", "green", "--dry-run")["warned"]
    assert [each["name"] for each in warned] == ["rnybank.example", "xn--mybnk-6ve.example"]


def test_a_verdict_says_that_its_name_looks_like_another(tocsin):
    tocsin.json("guard", "add", "mybank.example")
    done = tocsin("verdict", "mybаnk.example")
    assert done.stdout.startswith("xn--mybnk-6ve.example (mybаnk.example)\n")
    assert "may be taken for mybank.example" in done.stderr
    (first, *_) = tocsin.json("verdict", "mybаnk.example")["warnings"]
    assert first["scripts"] == ["CYRILLIC", "LATIN"]
