"""RPZ: each trigger, what fits, and that no text becomes anything but one record (DNS 3)."""

from __future__ import annotations

import ipaddress
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.name
import dns.rdatatype
import dns.zone
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import Misconfigured
from hub.exports.listed_name import ExportContext, ListedName
from hub.exports.rpz import RpzPolicy, owner_of_address, why_left_out, write_rpz
from hub.exports.rpz_policy import policy_of
from hub.settings import load_settings
from schemas.markings import Tlp
from tests.conftest import NEEDS_PROGRAM

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LISTED = ListedName(
    value="evil.example",
    match_scope="exact",
    label=Tlp.GREEN,
    threat_types=("phishing",),
    confidence=80,
    lineages=2,
    blocked=True,
    since=NOW,
    ends_at=NOW + timedelta(days=7),
    stix_id="indicator--1",
)
CONTEXT = ExportContext("organisation", Tlp.AMBER_STRICT, "b" * 52, "cert", "identity--1", NOW, 7)
POLICY = RpzPolicy("organisation.rpz", soon=NOW + timedelta(minutes=5), canary="canary.example")


def listed(value: str = "evil.example", scope: str = "exact", **members: object) -> ListedName:
    return replace(LISTED, value=value, match_scope=scope, **members)  # type: ignore[arg-type]


def zone_text(names: Sequence[ListedName], policy: RpzPolicy = POLICY) -> str:
    return b"".join(write_rpz(names, CONTEXT, policy)).decode("ascii")


def records(*names: ListedName, policy: RpzPolicy = POLICY) -> list[str]:
    """The records of names: what stands after the head and the canary."""
    kept = [each for each in names if why_left_out(each, policy) is None]
    return zone_text(kept, policy).splitlines()[6 if policy.canary else 4 :]


def test_the_head_says_who_when_and_how_long() -> None:
    assert zone_text([]).splitlines() == [
        "$ORIGIN organisation.rpz.",
        "$TTL 300",
        "@ SOA localhost. nobody.invalid. (7 300 60 604800 60)",
        "@ NS localhost.",
        'canary.example 60 TXT "tocsin 7"',
        'serial-7.canary.example 60 TXT "tocsin 7"',
    ]


def test_names_are_matched_exactly_below_or_both() -> None:
    assert records(listed()) == ["evil.example CNAME ."]
    assert records(listed(scope="subtree")) == ["evil.example CNAME .", "*.evil.example CNAME ."]
    assert records(listed(scope="wildcard-only")) == ["*.evil.example CNAME ."]


def test_name_servers_and_addresses_are_triggers_of_their_own() -> None:
    servers = listed("ns1.rogue.example", "subtree", match_on="nsdname")
    assert records(servers) == [
        "ns1.rogue.example.rpz-nsdname CNAME .",
        "*.ns1.rogue.example.rpz-nsdname CNAME .",
    ]
    assert records(listed("192.0.2.66/32", match_on="nsip")) == ["32.66.2.0.192.rpz-nsip CNAME ."]
    assert records(listed("2001:db8::/32", match_on="ip")) == ["32.zz.db8.2001.rpz-ip CNAME ."]


@pytest.mark.parametrize(
    ("prefix", "owner"),
    [
        ("192.0.2.0/24", "24.0.2.0.192"),
        ("2001:db8::1/128", "128.1.zz.db8.2001"),
        ("::1/128", "128.1.zz"),
        ("::/0", "0.zz"),
        ("2001:db8:0:1:1:1:1:1/128", "128.1.1.1.1.1.0.db8.2001"),
        ("2001:db8:0:0:1:0:0:1/128", "128.1.0.0.1.zz.db8.2001"),
    ],
)
def test_addresses_are_written_from_their_end(prefix: str, owner: str) -> None:
    assert owner_of_address(prefix) == owner


def test_what_is_every_address_is_left_out() -> None:
    assert why_left_out(listed("0.0.0.0/0", match_on="ip"), POLICY) == "WIDE"


def test_an_owner_that_does_not_fit_is_left_out() -> None:
    """255 octets of ``*.name.zone``: one over-long name ruins the whole zone."""
    room = 255 - len("*.") - len(".organisation.rpz") - 2
    fits = ".".join(["a" * 63] * 3 + ["b" * (room - 3 * 64)])
    assert len(fits) == room
    assert why_left_out(listed(fits), POLICY) is None
    dns.name.from_text(f"*.{fits}.organisation.rpz.").to_wire()
    assert why_left_out(listed(fits + "b"), POLICY) == "LONG"
    with pytest.raises(dns.name.NameTooLong):
        dns.name.from_text(f"*.{fits}b.organisation.rpz.")
    assert why_left_out(listed(fits, match_on="nsdname"), POLICY) == "LONG"


@pytest.mark.parametrize(
    "name", ["x.rpz-ip", "32.1.2.0.192.rpz-ip", "x.rpz-nsdname", "serial-7.canary.example"]
)
def test_a_name_that_would_be_another_trigger_is_left_out(name: str) -> None:
    assert why_left_out(listed(name), POLICY) == "RESERVED"


def test_a_name_that_ends_soon_is_kept_as_long_as_it_lasts() -> None:
    ending = listed(ends_at=NOW + timedelta(minutes=4))
    assert records(ending) == ["evil.example 60 CNAME ."]


def policy(**settings: object) -> RpzPolicy:
    loaded = load_settings(Path("/nowhere"), **settings)
    return replace(policy_of(loaded, "organisation", "", NOW), canary="", soon=None)


def test_what_is_done_is_the_operators_by_threat_type() -> None:
    chosen = policy(
        rpz_actions={"default": "nodata", "phishing": "garden warn.example", "dga": "drop",
                     "lookalike": "disabled", "tunnelling": "tcp-only", "sinkhole": "monitor"}
    )  # fmt: skip
    said = {
        kind: records(listed(threat_types=(kind,)), policy=chosen)
        for kind in ("phishing", "dga", "lookalike", "tunnelling", "sinkhole", "malware-c2")
    }
    assert said == {
        "phishing": ["evil.example CNAME warn.example."],
        "dga": ["evil.example CNAME rpz-drop."],
        "lookalike": [],
        "tunnelling": ["evil.example CNAME rpz-tcp-only."],
        "sinkhole": ["evil.example CNAME rpz-passthru."],
        "malware-c2": ["evil.example CNAME *."],
    }
    assert why_left_out(listed(threat_types=("lookalike",)), chosen) == "DISABLED"


@pytest.mark.parametrize(
    ("default", "asked", "said"),
    [
        ("nxdomain", ("monitor",), None),
        ("nxdomain", ("block-nodata",), "CNAME *."),
        ("nxdomain", ("block-drop",), "CNAME ."),
        ("drop", ("block-nxdomain",), "CNAME ."),
        ("garden warn.example", ("block-nxdomain",), "CNAME warn.example."),
        ("nxdomain", ("monitor", "block-nxdomain"), "CNAME ."),
        ("nxdomain", ("registry-hold",), "CNAME ."),
        ("passthru", ("block-drop",), "CNAME rpz-passthru."),
    ],
)
def test_origins_can_only_soften_it(default: str, asked: tuple[str, ...], said: str | None) -> None:
    chosen = policy(rpz_actions={"default": default})
    found = records(listed(requested_actions=asked), policy=chosen)
    assert found == ([] if said is None else [f"evil.example {said}"])


@pytest.mark.parametrize(
    "actions",
    [
        {"default": "explode"},
        {"phishing": "garden ; $INCLUDE /etc/passwd"},
        {"phishing": "CNAME ."},
        {"warez": "drop"},
    ],
)
def test_what_is_no_action_is_a_mistake_in_the_settings(actions: dict[str, str]) -> None:
    with pytest.raises(Misconfigured) as wrong:
        policy(rpz_actions=actions)
    assert wrong.value.code == "E_RPZ_POLICY"


hostile = st.one_of(
    st.text(max_size=300),
    st.text('ab.\n\t ;$()"\\@*0', max_size=60),
    st.builds(
        lambda name, tail: name + tail,
        st.sampled_from(["evil.example", "$INCLUDE", "@", "x"]),
        st.sampled_from(["\n$INCLUDE /etc/passwd", " CNAME .\nx", ";", "\\", ".", "\x00", " 0"]),
    ),
)


@given(
    value=hostile,
    scope=st.sampled_from(["exact", "subtree", "wildcard-only"]),
    match_on=st.sampled_from(["qname", "nsdname", "nsip", "ip", "no\nsuch"]),
)
@settings(max_examples=150)
def test_t41_a_name_becomes_one_record_or_none(value: str, scope: str, match_on: str) -> None:
    """Output parses again as the same single record, a wildcard beside it where below is meant."""
    name = listed(value, scope, match_on=match_on, threat_types=("\n$TTL 0",))
    if why_left_out(name, POLICY) is not None:
        return
    zone = dns.zone.from_text(zone_text([name]), "organisation.rpz.", relativize=True)
    owners = {owner.to_text() for owner in zone.nodes}
    owners -= {"@", "canary.example", "serial-7.canary.example"}
    if match_on in {"qname", "nsdname"}:
        owner = value + ("" if match_on == "qname" else ".rpz-nsdname")
        below = set() if scope == "exact" else {f"*.{owner}"}
        assert owners == below | (set() if scope == "wildcard-only" else {owner})
    else:
        assert owners == {f"{owner_of_address(value)}.rpz-{match_on}"}
    for owner in owners:
        (found,) = zone[owner].rdatasets
        assert (found.rdtype, found[0].target.to_text()) == (dns.rdatatype.CNAME, ".")


@given(st.ip_addresses(), st.integers(0, 128))
@settings(max_examples=60)
def test_every_prefix_leads_back(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, length: int
) -> None:
    network = ipaddress.ip_network((address, min(length, address.max_prefixlen)), strict=False)
    size, *parts = owner_of_address(str(network)).split(".")
    parts.reverse()
    if network.version == 4:
        assert ipaddress.ip_network((".".join(parts), int(size))) == network
    else:
        text = ":".join("" if part == "zz" else part for part in parts)
        text = f":{text}" if parts[0] == "zz" else text
        text = f"{text}:" if parts[-1] == "zz" else text
        assert ipaddress.ip_network((text, int(size))) == network


def test_bind_takes_the_zone(tmp_path: Path) -> None:
    """``named-checkzone`` on every kind of record, beside what hostile names leave."""
    if shutil.which("named-checkzone") is None:
        pytest.skip(f"{NEEDS_PROGRAM}: named-checkzone (make system-packages)")
    names = [
        listed(scope="subtree"),
        listed("_dmarc.-x-.example", "wildcard-only"),
        listed("in"),
        listed("cname.example"),
        listed("x" * 63 + ".example"),
        listed("ns1.rogue.example", "subtree", match_on="nsdname"),
        listed("192.0.2.66/32", match_on="nsip"),
        listed("2001:db8::1/128", match_on="ip"),
        listed("a\n$INCLUDE /etc/passwd"),
        listed(".".join(["l" * 62] * 4)),
    ]
    kept = [each for each in names if why_left_out(each, POLICY) is None]
    assert len(kept) == len(names) - 2
    file = tmp_path / "organisation.rpz.zone"
    file.write_text(zone_text(kept))
    done = subprocess.run(
        ["named-checkzone", "-k", "ignore", "organisation.rpz", file],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "loaded serial 7" in done.stdout
