from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dns.names import DnsName, is_public_suffix, read_name, registrable_domain
from schemas.errors import WireFormatError
from tests.support.shared_data import shared_path

TAKEN = [
    ("evil.example", "evil.example"),
    ("  Evil.EXAMPLE.  ", "evil.example"),
    ("com", "com"),
    ("_dmarc.a_b.example", "_dmarc.a_b.example"),
    ("-odd-.example", "-odd-.example"),
    ("1.2.3.4.example", "1.2.3.4.example"),
    ("4.3.2.1.in-addr.arpa", "4.3.2.1.in-addr.arpa"),
    ("xn--zz--.example", "xn--zz--.example"),
    ("bücher.example", "xn--bcher-kva.example"),
    ("BÜCHER.example.", "xn--bcher-kva.example"),
    ("evil。example", "evil.example"),
    ("ｅｖｉｌ.example", "evil.example"),
    ("a" * 63 + ".example", "a" * 63 + ".example"),
]
REFUSED = [
    ("", "E_NAME_EMPTY"),
    ("  .  ", "E_NAME_EMPTY"),
    ("*.", "E_NAME_EMPTY"),
    ("http://evil.example/", "E_NAME_URL"),
    ("evil.example/path", "E_NAME_URL"),
    ("http://192.0.2.1/", "E_NAME_URL"),
    ("evil.example:443", "E_NAME_PORT"),
    ("192.0.2.1", "E_NAME_ADDRESS"),
    ("192.0.2.1.", "E_NAME_ADDRESS"),
    ("192.0.2.1:80", "E_NAME_ADDRESS"),
    ("192.0.2.0/24", "E_NAME_ADDRESS"),
    ("2001:db8::1", "E_NAME_ADDRESS"),
    ("[2001:db8::1]:53", "E_NAME_ADDRESS"),
    ("１９２.０.２.１", "E_NAME_ADDRESS"),
    ("127.1", "E_NAME_ADDRESS"),
    ("127.0x1", "E_NAME_ADDRESS"),
    ("a..example", "E_NAME_LABEL"),
    (".example", "E_NAME_LABEL"),
    ("a" * 64 + ".example", "E_NAME_LABEL"),
    ("a.*.example", "E_NAME_CHARACTER"),
    ("*", "E_NAME_CHARACTER"),
    ("evil example", "E_NAME_CHARACTER"),
    ("evil\x00.example", "E_NAME_CHARACTER"),
    ("someone@mail.example", "E_NAME_CHARACTER"),
    ("evil[.]example", "E_NAME_CHARACTER"),
    ("it's.example", "E_NAME_CHARACTER"),
    ("℀.example", "E_NAME_IDNA"),
    ("a_ü.example", "E_NAME_IDNA"),
    (".".join(["a" * 60] * 5), "E_NAME_LONG"),
    ("a" * 5000, "E_NAME_LONG"),
]


@pytest.mark.parametrize(("text", "a_label"), TAKEN)
def test_a_name_is_read_into_its_a_label(text, a_label):
    assert read_name(text).a_label == a_label


@pytest.mark.parametrize(("text", "code"), REFUSED)
def test_what_is_no_name_is_refused_with_a_stable_code(text, code):
    with pytest.raises(WireFormatError) as caught:
        read_name(text)
    assert caught.value.code == code


def test_a_name_of_253_characters_is_the_longest():
    name = ".".join(["a" * 62] * 4) + ".a"
    assert len(name) == 253
    assert read_name(name).a_label == name
    with pytest.raises(WireFormatError, match="E_NAME_LONG"):
        read_name(name + "a")


@pytest.mark.parametrize(
    ("text", "a_label"),
    [
        ("hxxp://evil[.]example/path", "evil.example"),
        ("hXXps://user:pw@evil(.)example:8443/?a=b#c", "evil.example"),
        ("evil[dot]example", "evil.example"),
        ("evil[DOT]example[.]", "evil.example"),
        ("evil.example:8080", "evil.example"),
        ("ftp://evil.example", "evil.example"),
    ],
)
def test_refanging_is_for_input_by_people_alone(text, a_label):
    assert read_name(text, refang=True).a_label == a_label
    with pytest.raises(WireFormatError):
        read_name(text)


def test_refanging_makes_no_name_of_an_address_or_a_mailbox():
    for text in ("hxxp://192[.]0[.]2[.]1/", "192.0.2.1:80", "[2001:db8::1]:80"):
        with pytest.raises(WireFormatError, match="E_NAME_ADDRESS"):
            read_name(text, refang=True)
    with pytest.raises(WireFormatError, match="E_NAME_CHARACTER"):
        read_name("someone@mail[.]example", refang=True)


def test_a_wildcard_is_the_name_below_it_and_all_its_subtree():
    assert read_name("*.Evil.example") == DnsName("evil.example", "evil.example", subtree=True)
    assert read_name("*.bücher.example").subtree


def test_the_u_label_is_shown_only_where_it_leads_back():
    assert read_name("xn--bcher-kva.example").u_label == "bücher.example"
    assert read_name("xn--zz--.example").u_label == "xn--zz--.example"


labels = st.text("abcyz0189-_", min_size=1, max_size=63)


@given(st.lists(labels, min_size=1, max_size=3).map(".".join))
def test_an_ascii_name_is_never_rewritten(name):
    if name.rpartition(".")[2].isdigit():
        with pytest.raises(WireFormatError, match="E_NAME_ADDRESS"):
            read_name(name)
    else:
        assert read_name(name).a_label == name


@given(st.text(max_size=40))
def test_reading_is_idempotent_and_its_answer_is_safe_to_print(text):
    for refang in (False, True):
        try:
            read = read_name(text, refang=refang)
        except WireFormatError:
            continue  # any other error is a crash
        assert read_name(read.a_label).a_label == read.a_label
        assert not set(read.a_label) - set("abcdefghijklmnopqrstuvwxyz0123456789-_.")


@pytest.mark.parametrize("name", ["com", "co.uk", "localhost", "github.io", "xn--p1ai", "arpa"])
def test_a_tld_or_public_suffix_is_one(name):
    assert is_public_suffix(name)
    assert registrable_domain(name) is None


def test_below_a_suffix_is_what_was_registered():
    assert not is_public_suffix("evil.co.uk")
    assert registrable_domain("a.b.evil.co.uk") == "evil.co.uk"
    assert registrable_domain("evil.co.uk") == "evil.co.uk"


def test_every_popular_name_is_read_unchanged():
    for name in ("tranco10k", "cisco_top20k"):
        listed = json.loads(shared_path(f"data/warninglists/{name}/list.json").read_bytes())["list"]
        for text in listed:
            assert read_name(text).a_label == text.lower().strip(".")
