"""Lines of BIND's and Unbound's policy, as both write them; no line raises or is taken wrongly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.imports.log_hits import REASONS, Hit, Miss
from hub.imports.resolver_logs import read_bind_line, read_unbound_line

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
AT = datetime(2026, 3, 1, 9, 58, tzinfo=UTC)
CLIENT = "192.0.2.77"

BIND = (
    "client @0x7f0298ef0098 192.0.2.77#53829 (a.evil.example): "
    "rpz QNAME NXDOMAIN rewrite a.evil.example/A/IN via a.evil.example.rpz.test"
)
UNBOUND = (
    "info: rpz: applied [rpz.test] *.evil.example. rpz-nxdomain 192.0.2.77@33973 a.evil.example. "
    "A IN"
)


@pytest.mark.parametrize(
    "before",
    [
        "2026-03-01T09:58:00.405Z rpz: info: ",
        "01-Mar-2026 09:58:00.405 rpz: info: ",
        "01-Mar-2026 09:58:00.405 ",
        "2026-03-01T10:58:00.405+01:00 resolver1 named[153]: ",
        "Mar  1 09:58:00 resolver1 named[153]: rpz: info: ",
    ],
)
def test_bind_says_when_in_several_ways(before: str) -> None:
    assert read_bind_line(before + BIND, NOW, UTC) == Hit("a.evil.example", AT, None, CLIENT)


def test_a_line_without_a_time_is_of_now() -> None:
    assert read_bind_line(BIND, NOW, UTC) == Hit("a.evil.example", NOW, None, CLIENT)


@pytest.mark.parametrize(
    "before",
    [
        "[1772359080] unbound[150:0] ",
        "Mar 01 09:58:00 unbound[150:0] ",
        "Mar  1 09:58:00 resolver1 unbound[150]: [150:0] ",
        "2026-03-01T09:58:00.1+00:00 resolver1 unbound[150]: [150:1] ",
    ],
)
def test_unbound_says_when_in_several_ways(before: str) -> None:
    hit = Hit("a.evil.example", AT, "evil.example", CLIENT)
    assert read_unbound_line(before + UNBOUND, NOW, UTC) == hit


def test_a_time_without_a_zone_is_of_the_machine_s() -> None:
    hit = read_bind_line("01-Mar-2026 09:58:00 " + BIND, NOW, timezone(timedelta(hours=2)))
    assert isinstance(hit, Hit)
    assert hit.at == AT - timedelta(hours=2)


def test_a_syslog_line_of_december_is_of_last_year() -> None:
    hit = read_bind_line("Dec 31 23:00:00 resolver1 named[1]: " + BIND, NOW, UTC)
    assert isinstance(hit, Hit)
    assert hit.at == datetime(2025, 12, 31, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("trigger", "via", "key"),
    [
        ("NSDNAME", "ns1.rogue.example.rpz-nsdname.rpz.test", "nsdname:ns1.rogue.example"),
        ("NSIP", "32.66.2.0.192.rpz-nsip.rpz.test", "nsip:192.0.2.66/32"),
        ("IP", "24.0.113.0.203.rpz-ip.rpz.test", "ip:203.0.113.0/24"),
        ("IP", "128.1.zz.db8.2001.rpz-ip.rpz.test", "ip:2001:db8::1/128"),
        ("IP", "32.zz.db8.2001.rpz-ip.rpz.test", "ip:2001:db8::/32"),
        ("IP", "nonsense.rpz-ip.rpz.test", None),
    ],
)
def test_bind_names_the_rule_that_is_not_on_the_name(
    trigger: str, via: str, key: str | None
) -> None:
    line = BIND.replace("QNAME", trigger).replace("via a.evil.example.rpz.test", f"via {via}")
    assert read_bind_line(line, NOW, UTC) == Hit("a.evil.example", NOW, key, CLIENT)


@pytest.mark.parametrize(
    ("policy", "key"),
    [
        ("nsdname ns1.rogue.example.", "nsdname:ns1.rogue.example"),
        ("nsip 192.0.2.66/32", "nsip:192.0.2.66/32"),
        ("203.0.113.0/24", "ip:203.0.113.0/24"),
        ("2001:db8::/32", "ip:2001:db8::/32"),
    ],
)
def test_so_does_unbound(policy: str, key: str) -> None:
    line = "[1772359080] unbound[150:0] " + UNBOUND.replace("*.evil.example.", policy)
    assert read_unbound_line(line, NOW, UTC) == Hit("a.evil.example", AT, key, CLIENT)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("01-Mar-2026 09:58:00.405 general: info: running", "other"),
        (BIND.replace("QNAME NXDOMAIN", "CLIENT-IP NXDOMAIN"), "by-client"),
        (BIND.replace("NXDOMAIN", "PASSTHRU").replace(".rpz.test", ".passthru.rpz.test"), "passed"),
        (BIND.replace("a.evil.example/", "10.0.0.1/"), "no-name"),
        (BIND + " and more", "unreadable"),
        # Another program of the same syslog says what somebody sent to it.
        ("Mar  1 09:58:00 web1 httpd[9]: GET /" + BIND, "unreadable"),
        ("Mar  1 09:58:00 web1 httpd[9]: " + BIND, "unreadable"),
        ("", "other"),
    ],
)
def test_lines_of_bind_that_are_no_hits_say_why(line: str, reason: str) -> None:
    assert read_bind_line(line, NOW, UTC) == Miss(reason)
    assert reason in REASONS


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[1] unbound[150:0] info: start of service", "other"),
        (UNBOUND.replace("rpz-nxdomain", "rpz-passthru").replace("rpz.test", "passthru.rpz"),
         "passed"),
        (UNBOUND.replace("*.evil.example.", "clientip 192.0.2.0/24"), "by-client"),
        (UNBOUND.replace(" a.evil.example.", " ???."), "no-name"),
        (UNBOUND.replace(" IN", ""), "unreadable"),
        ("web1 httpd[9]: [1:0] " + UNBOUND, "unreadable"),
    ],
)  # fmt: skip
def test_lines_of_unbound_that_are_no_hits_say_why(line: str, reason: str) -> None:
    if not line.startswith(("[1]", "web1")):
        line = "[1772359080] unbound[150:0] " + line
    assert read_unbound_line(line, NOW, UTC) == Miss(reason)


@pytest.mark.parametrize("label", [r"a\032b", r"A\"\(\;\@\$", r"\010evil", "a?b", r"a\.b"])
def test_t43_whatever_octets_a_client_asks_with_it_is_a_hit_below_the_listed_name(
    label: str,
) -> None:
    line = BIND.replace("a.evil.example", f"{label}.evil.example")
    hit = read_bind_line("01-Mar-2026 09:58:00.405 " + line, NOW, UTC)
    assert isinstance(hit, Hit)
    # Never on the listed name itself, which nobody asked for.
    assert hit.name in {"_.evil.example", "_.b.evil.example"} or hit.name == "b.evil.example"


_PIECES = st.sampled_from(
    [BIND, UNBOUND, "[1] unbound[1:0] ", "rpz ", " rewrite ", "rpz: applied ", "a.evil.example",
     "\x00", "\x1b[2J", "\u202e", "9" * 400, ".", "[", "(", "31-Feb-2026 25:61:61 ",
     "0000-00-00T00:00:00Z ", "[999999999999] "]
)  # fmt: skip


@given(st.lists(_PIECES | st.text(max_size=20), max_size=6).map("".join))
def test_t43_no_line_raises_or_makes_a_name_that_is_none(line: str) -> None:
    for read in (read_bind_line, read_unbound_line):
        said = read(line, NOW, UTC)
        if isinstance(said, Hit):
            assert said.name.isascii()
            assert said.name.isprintable()
            assert said.at <= NOW
        else:
            assert said.reason in REASONS
